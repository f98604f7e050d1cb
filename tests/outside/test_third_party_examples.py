"""The examples for plugin authors: installed as strangers' distributions, found, run, and their own tests pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from automl import AutoML
from automl.discovery import Registry

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = ("third_party_model", "third_party_task")


@pytest.fixture(scope="module", autouse=True)
def outside(install: Callable[[Path], None]) -> None:
    for name in FOLDERS:
        install(EXAMPLES / name)


@pytest.mark.parametrize("name", FOLDERS)
def test_the_test_of_an_example_passes_as_its_author_would_run_it(name: str, site_of_strangers: Path) -> None:
    folder = EXAMPLES / name
    environment = {**os.environ, "PYTHONPATH": str(site_of_strangers / name), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",  # which an author need not have
        f"--rootdir={folder}",
        ".",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_an_installed_model_is_tried_tuned_and_on_the_leaderboard() -> None:
    data = load_iris(as_frame=True)
    engine = AutoML(n_trials=2, executor="inline", plugins=["nearest", "cairn-automl"])
    engine.fit(data.data, data.target)
    board = engine.leaderboard()
    assert "nearest" in set(board["family"])
    assert engine.score(data.data, data.target) > -0.5


def test_the_model_of_the_example_is_as_short_as_promised() -> None:
    source = (EXAMPLES / "third_party_model" / "automl_nearest.py").read_text(encoding="utf-8")
    assert len(source[source.index("class Nearest") :].strip().splitlines()) <= 25
    assert len((EXAMPLES / "third_party_model" / "pyproject.toml").read_text(encoding="utf-8").splitlines()) <= 11


def test_a_task_without_target_finds_the_groups_and_comes_back_from_disk(tmp_path: Path) -> None:
    data = Registry.installed().tasks.load("segments")().examples()[0].data
    engine = AutoML(task="segments", n_trials=4, executor="inline").fit(data)
    labels = engine.predict(data)
    assert len(np.unique(labels)) >= 2
    assert engine.leaderboard()["score"].max() > 0.5
    engine.save(tmp_path / "segments")
    assert np.array_equal(AutoML.load(tmp_path / "segments").predict(data), labels)


def test_pip_installs_what_the_tests_lay_out_by_hand(tmp_path: Path, site_of_strangers: Path) -> None:
    pytest.importorskip("setuptools", reason="building a distribution offline needs setuptools here")
    site = tmp_path / "site"
    sources = []
    for name in FOLDERS:
        sources.append(shutil.copytree(EXAMPLES / name, tmp_path / name))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(site), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for name in FOLDERS:
        (ours,) = (site_of_strangers / name).glob("*.dist-info/entry_points.txt")
        (theirs,) = site.glob(f"{ours.parent.name}/entry_points.txt")
        assert points_in(ours) == points_in(theirs)


def points_in(file: Path) -> set[str]:
    return {line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()}
