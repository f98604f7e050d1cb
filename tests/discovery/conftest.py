"""Distributions that exist only for one test: a module and its metadata in a folder on the path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Ship = Callable[..., Path]


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
