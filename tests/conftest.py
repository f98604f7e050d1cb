"""What all tests share: readable failures from the kits, and a stranger's distribution put beside the engine."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Ship = Callable[..., Path]

pytest.register_assert_rewrite("automl.testing")
sys.path.append(str(Path(__file__).parent / "testing"))


def lay_out(source: Path, site: Path) -> None:
    """Put a distribution where Python finds it, as ``pip install --target`` would: its modules and its metadata.

    Done by hand because it must work offline and without a build back end; only what discovery reads is written.
    """
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for entry in source.iterdir():
        if (entry / "__init__.py").exists():
            shutil.copytree(entry, site / entry.name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        elif entry.suffix == ".py":
            shutil.copy(entry, site)
    about = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir(exist_ok=True)
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (about / "METADATA").write_text(head, encoding="utf-8")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def site_of_strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that plays site-packages for distributions which are not the engine's."""
    return tmp_path_factory.mktemp("strangers")


@pytest.fixture(scope="module")
def install(site_of_strangers: Path) -> Iterator[Callable[[Path], None]]:
    """``install(folder)`` makes a distribution importable and discoverable until the end of the test module."""
    added: list[str] = []

    def add(source: Path) -> None:
        site = site_of_strangers / source.name
        if not site.exists():
            site.mkdir()
            lay_out(source, site)
        sys.path.append(str(site))
        added.append(str(site))

    yield add
    for path in added:
        sys.path.remove(path)


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ship:
    """``ship(distribution, module, code, {group: {name: attribute}})`` installs a distribution for this test."""

    def add(distribution: str, module: str, code: str, points: dict[str, dict[str, str]], version: str = "1.2") -> Path:
        site = tmp_path / distribution
        about = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        about.mkdir(parents=True)
        about.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = []
        for group, named in points.items():
            lines += [f"[{group}]", *(f"{name} = {module}:{attribute}" for name, attribute in named.items())]
        about.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")
        site.joinpath(f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(str(site))
        return site

    return add
