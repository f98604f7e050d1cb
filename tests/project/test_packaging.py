"""Checkout, editable install and wheel hold the same thing."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = ("automl", "plugins", "search_spaces")


def folder_of(package: str) -> Path:
    """Where a package's files lie, by the longest entry of package-dir."""
    known = SETUPTOOLS["package-dir"]
    prefix = max((name for name in known if package == name or package.startswith(f"{name}.")), key=len)
    return Path(known[prefix], *package.removeprefix(prefix).strip(".").split("."))


def modules() -> set[str]:
    """Files of the three folders by their place in the wheel."""
    found = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".toml", ".typed") and "__pycache__" not in path.parts:
                place = path.relative_to(ROOT).as_posix()
                found.add(place if folder == "automl" else f"automl/{place}")
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy so that the checkout stays clean."""
    copy = tmp_path_factory.mktemp("sources")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(copy / "out"), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (built,) = (copy / "out").glob("*.whl")
    return zipfile.ZipFile(built)


def test_packages_are_the_folders() -> None:
    listed = {folder_of(package).as_posix() for package in SETUPTOOLS["packages"]}
    there = {path.parent.relative_to(ROOT).as_posix() for f in FOLDERS for path in (ROOT / f).rglob("__init__.py")}
    assert listed == there, "add the folder to [tool.setuptools] packages, or the wheel lacks it"


@pytest.mark.parametrize("group", PROJECT["project"]["entry-points"])
def test_installed_entry_points_are_those_of_pyproject(group: str) -> None:
    wanted = PROJECT["project"]["entry-points"][group]
    distribution = importlib.metadata.distribution(PROJECT["project"]["name"])
    installed = {point.name: point.value for point in distribution.entry_points if point.group == group}
    assert installed == wanted, "run `pip install -e .` again: entry points are read from installed metadata"


def test_the_command_is_installed() -> None:
    points = importlib.metadata.distribution(PROJECT["project"]["name"]).entry_points
    assert [p.value for p in points if p.group == "console_scripts" and p.name == "automl"] == ["automl.cli:main"]


def test_the_version_is_said_once_more_only_where_it_must_be() -> None:
    import automl

    assert automl.__version__ == PROJECT["project"]["version"]


def test_all_extra_is_every_extra_but_dev() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    (together,) = extras["all"]
    named = set(together.partition("[")[2].rstrip("]").split(","))
    assert named == set(extras) - {"all", "dev"}


def test_the_wheel_has_one_top_level_name(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"automl"}


def test_the_wheel_holds_every_module_and_space_file(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if name.startswith("automl/")}
    assert modules() - held == set()
    assert held - modules() == set()


def test_the_wheel_carries_its_licence_and_readme(wheel: zipfile.ZipFile) -> None:
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    text = wheel.read(metadata).decode()
    assert "License-Expression: Apache-2.0" in text
    assert (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[0] in text
    assert any(name.endswith("LICENSE") for name in wheel.namelist())
