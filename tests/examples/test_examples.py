"""Every example runs, as a user would run it, with a short limit."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *arguments: str, cwd: Path) -> str:
    """What a script prints, run by itself from another folder; fails with its errors."""
    environment = {**os.environ, "CI": "1", "OMP_NUM_THREADS": "1"}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=180)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_the_quickstart_shows_baselines_a_kept_promise_and_a_model_that_comes_back(tmp_path: Path) -> None:
    printed = run("quickstart/quickstart.py", "--time-limit", "8", cwd=tmp_path)
    assert "baseline" in printed
    assert "promised" in printed
    assert "predicts the same" in printed
    assert (tmp_path / "churn-model").is_dir()


def test_the_quickstart_data_is_what_its_script_makes(tmp_path: Path) -> None:
    source = EXAMPLES / "quickstart" / "make_churn.py"
    spec = importlib.util.spec_from_file_location("make_churn", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = tmp_path / "churn.csv"
    module.customers().to_csv(made, index=False)
    pd.testing.assert_frame_equal(pd.read_csv(made), pd.read_csv(source.parent / "churn.csv"))


def test_the_cluster_job_runs_on_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    printed = run("cluster_job/job.py", "--time-limit", "20", cwd=tmp_path)
    assert "new rows" in printed
    assert (tmp_path / "cluster-model").is_dir()


def test_every_example_is_listed_and_explained() -> None:
    folders = [path for path in EXAMPLES.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for folder in folders:
        assert f"`{folder.name}/`" in listed
        assert (folder / "README.md").is_file()
