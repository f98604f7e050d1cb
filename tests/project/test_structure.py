"""The shape of the code: short functions, short files, a stated purpose, nothing left behind."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FUNCTION, MAX_FILE, MAX_FIT = 60, 400, 40
FILES = sorted(
    path.relative_to(ROOT)
    for room in ("automl", "plugins", "search_spaces", "examples")
    for path in (ROOT / room).rglob("*.py")
    if not {"build", ".venv"} & set(path.parts)
)


def read(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def long_functions(text: str, limit: int) -> list[str]:
    """Functions of more than `limit` lines, signature and docstring included."""
    return [
        f"{node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > limit
    ]


def leftovers(text: str) -> list[str]:
    """Notes to self."""
    return re.findall(r"#.*\b(?:TODO|FIXME|XXX|HACK)\b.*", text)


def prints(text: str) -> list[int]:
    """Lines that call the built-in print, unless they say that this is what they are for."""
    lines = text.splitlines()
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "pprint")
        if "noqa: T201" not in lines[node.lineno - 1]
    ]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_functions_and_files_are_short(path: Path) -> None:
    text = read(path)
    assert long_functions(text, MAX_FUNCTION) == []
    assert len(text.splitlines()) <= MAX_FILE


@pytest.mark.parametrize("path", FILES, ids=str)
def test_nothing_is_left_to_do(path: Path) -> None:
    assert leftovers(read(path)) == []


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] != "examples"], ids=str)
def test_the_library_prints_nothing(path: Path) -> None:
    assert prints(read(path)) == []


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_begins_by_saying_what_it_is_for(path: Path) -> None:
    text = read(path)
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_fit_is_a_table_of_contents() -> None:
    tree = ast.parse(read(Path("automl/api.py")))
    (engine,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "AutoML"]
    (fit,) = [node for node in engine.body if isinstance(node, ast.FunctionDef) and node.name == "fit"]
    assert (fit.end_lineno or 0) - fit.lineno + 1 <= MAX_FIT


@pytest.mark.parametrize("room", ["automl", "plugins", "search_spaces", "tests", "examples"])
def test_each_folder_says_in_a_page_what_lives_there(room: str) -> None:
    text = (ROOT / room / "README.md").read_text(encoding="utf-8")
    assert 3 <= len(text.splitlines()) <= 60


def test_the_rules_catch_a_violation() -> None:
    assert long_functions("def f():\n" + "    x = 1\n" * MAX_FUNCTION, MAX_FUNCTION)
    assert not long_functions("def f():\n" + "    x = 1\n" * (MAX_FUNCTION - 1), MAX_FUNCTION)
    assert leftovers("x = 1  # TO" + "DO: later")
    assert prints("print(1)")
