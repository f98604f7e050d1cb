"""The core knows no plugin by name: what it needs to know of one, the contract says."""

from __future__ import annotations

import ast
import builtins
import keyword
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
NAMES = {name for points in POINTS.values() for name in points}


def words(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of every string literal and identifier of a file, comments and docstrings' prose apart."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield line, node.value
        elif isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield line, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield line, node.name
        elif isinstance(node, ast.alias):
            yield from ((line, part) for part in (node.asname or node.name).split("."))


def named(text: str) -> list[str]:
    """Where a file names a registered plugin, in any spelling of its name."""
    spellings = {spelling for name in NAMES for spelling in (name, name.replace("-", "_"), name.replace("-", ""))}
    return [f"line {line}: {word}" for line, word in words(ast.parse(text)) if word.lower() in spellings]


@pytest.mark.parametrize(
    "path", sorted(p.relative_to(ROOT) for p in (ROOT / "automl").rglob("*.py")), ids=lambda path: str(path)
)
def test_no_plugin_is_named(path: Path) -> None:
    assert named((ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_violation_is_caught(name: str) -> None:
    word = name.replace("-", "_")
    assert named(f"if task == {name!r}:\n    pass")
    assert named(f"def {word}():\n    pass")
    assert named(f"import {word}")
    assert named(f"run({word}=1)")


def test_names_are_no_words_of_python_numpy_or_the_table() -> None:
    from automl.contract import ADDITIVE, KINDS

    taken = {*dir(builtins), *keyword.kwlist, *dir(np), *KINDS, *ADDITIVE}
    assert taken.isdisjoint(NAMES)
