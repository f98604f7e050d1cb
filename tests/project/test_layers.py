"""The one-way rule between rooms, read from the imports of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BELOW_SEARCH = {"ensemble", "execution", "intake", "store", "discovery", "contract"}
ALLOWED: dict[str, set[str]] = {
    "contract": set(),
    "discovery": {"contract"},
    "intake": {"discovery", "contract"},
    "store": {"discovery", "contract"},
    "execution": {"discovery", "contract"},
    "ensemble": {"store", "discovery", "contract"},
    "search": BELOW_SEARCH,
    "report": {"search", *BELOW_SEARCH},
    "testing": {"contract", "discovery", "execution", "intake"},  # examples are read as `fit` reads them
    "plugins": {"contract"},
    "search_spaces": set(),
    "predictor": {"report", "search", *BELOW_SEARCH},
    "events": {"report", "search"},
    "studies": {"search", *BELOW_SEARCH},
    "options": {"search", *BELOW_SEARCH},
    "interrupts": {"contract"},
    "tags": {"contract"},
    "portable": {"predictor", *BELOW_SEARCH},
    "session": {"options", "interrupts", "report", "search", *BELOW_SEARCH},
    "footprint": {"predictor", "search", *BELOW_SEARCH},
    "preparing": {"footprint", "session", "search", *BELOW_SEARCH},
    "api": {
        "preparing",
        "predictor",
        "portable",
        "studies",
        "session",
        "options",
        "interrupts",
        "tags",
        "report",
        "search",
        *BELOW_SEARCH,
    },
    "estimators": {"api", "predictor", "options", *BELOW_SEARCH},
    "cli": {"api", "predictor", "studies", "estimators", "report", "testing", "search", *BELOW_SEARCH},
    "__main__": {"cli"},
    "": {"api", "estimators", "search"},
}
ONE_DOOR: dict[str, tuple[str, ...]] = {
    "optuna": ("automl/search/proposer.py", "automl/search/studies.py"),
    "ray": ("automl/execution/ray/",),
}
EAGER = {"automl/estimators.py"}  # derives from scikit-learn's mixins; `automl/__init__.py` imports it when asked
HEAVY = {
    *("cloudpickle", "lightgbm", "narwhals", "optuna", "pandas", "polars", "psutil", "pyarrow", "ray", "rich"),
    *("safetensors", "scipy", "skops", "sklearn", "torch", "xgboost", "catboost"),
}


def module_of(path: Path) -> str:
    """The dotted name a file is imported by: ``plugins/tabular/x.py`` is ``automl.plugins.tabular.x``."""
    parts = list(path.with_suffix("").parts)
    if parts[0] != "automl":
        parts.insert(0, "automl")
    return ".".join(parts)


def sources() -> list[Path]:
    return sorted(
        path.relative_to(ROOT)
        for room in ("automl", "plugins", "search_spaces")
        for path in (ROOT / room).rglob("*.py")
    )


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] != "__init__" else ""


def imported(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """(line, absolute module) of every import in a file, relative ones resolved, ``from a import b`` as ``a.b`` too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")[: -node.level]
                base = ".".join([*package, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def typing_only(tree: ast.AST) -> set[int]:
    """Lines under ``if TYPE_CHECKING:``."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test).endswith("TYPE_CHECKING")]
    return {inner.lineno for block in blocks for inner in ast.walk(block) if isinstance(inner, ast.stmt)}


def violations(path: Path, text: str) -> list[str]:
    """Imports of a file that go against the arrows."""
    module = module_of(path)
    room = room_of(module)
    found = []
    for line, name in imported(ast.parse(text), module):
        if name.split(".")[0] != "automl":
            continue
        other = room_of(name)
        if other in ("AutoML", "AutoMLClassifier", "AutoMLRegressor", "Preset", "__version__"):
            other = ""
        permitted = other in ALLOWED.get(room, set()) or other == room or (room == "cli" and other == "")
        if not permitted:
            found.append(f"{path}:{line} imports {name}")
    return found


def doors(path: Path, text: str) -> set[str]:
    """Volatile libraries that a file imports."""
    return {name.split(".")[0] for _, name in imported(ast.parse(text), module_of(path))} & set(ONE_DOOR)


def heavy_at_import(path: Path, text: str) -> list[str]:
    """Heavy libraries imported when the module is, not when they are needed."""
    tree = ast.parse(text)
    inside = {
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    }
    lazy = inside | typing_only(tree)
    return [
        f"{path}:{line} imports {name}"
        for line, name in imported(tree, module_of(path))
        if name.split(".")[0] in HEAVY and line not in lazy
    ]


@pytest.mark.parametrize("path", sources(), ids=str)
def test_imports_follow_the_arrows(path: Path) -> None:
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sources(), ids=str)
def test_heavy_libraries_are_imported_where_they_are_used(path: Path) -> None:
    found = heavy_at_import(path, (ROOT / path).read_text(encoding="utf-8"))
    assert bool(found) == (path.as_posix() in EAGER), found


@pytest.mark.parametrize("library", ONE_DOOR)
def test_a_volatile_library_has_its_doors_only(library: str) -> None:
    users = [
        path.as_posix()
        for path in sources()
        if path.parts[0] == "automl" and library in doors(path, (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert users
    assert all(user.startswith(ONE_DOOR[library]) for user in users), users


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("automl/contract/new.py", "from automl.discovery import Registry"),
        ("automl/contract/new.py", "from ..discovery import Registry"),
        ("automl/contract/new.py", "from .. import discovery"),
        ("automl/store/new.py", "import automl.search.events"),
        ("automl/store/new.py", "def late():\n    from automl.ensemble import blend"),
        ("automl/execution/new.py", "from automl.intake import ingest"),
        ("automl/search/new.py", "from automl.report import Progress"),
        ("automl/api.py", "from automl.plugins.tabular import anything"),
        ("automl/cli/new.py", "from automl import plugins"),
        ("plugins/tabular/new.py", "from automl.discovery import Registry"),
        ("plugins/tabular/new.py", "from ...discovery import Registry"),
        ("plugins/tabular/new.py", "import automl"),
        ("automl/testing/new.py", "from automl.search import events"),
    ],
)
def test_the_rule_catches_a_violation(path: str, text: str) -> None:
    assert violations(Path(path), text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("automl/search/new.py", "from automl.ensemble.blend import blend\nfrom . import events"),
        ("plugins/tabular/new.py", "from automl.contract import ModelPlugin\nfrom .parts import helper"),
        ("plugins/tabular/new.py", "from ..encoders.parts import helper"),
        ("automl/cli/new.py", "from automl import AutoML\nfrom automl.report import Progress"),
    ],
)
def test_the_rule_lets_the_arrows_through(path: str, text: str) -> None:
    assert violations(Path(path), text) == []


def test_an_eager_heavy_import_is_caught_and_a_lazy_one_is_not() -> None:
    path = Path("automl/search/new.py")
    assert heavy_at_import(path, "import optuna")
    assert heavy_at_import(path, "from sklearn.tree import DecisionTreeClassifier")
    assert not heavy_at_import(path, "def propose():\n    import optuna")
    assert not heavy_at_import(path, "if TYPE_CHECKING:\n    import pandas as pd")
