"""Importing the engine loads nothing that only a run needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = [
    *("torch", "ray", "optuna", "sklearn", "scipy", "pandas", "pyarrow", "polars", "lightgbm", "xgboost"),
    *("catboost", "skops", "safetensors", "narwhals", "rich", "typer"),
]
LATE = "import sys, json; print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"


def loaded_by(statement: str) -> list[str]:
    """Heavy libraries in memory after a statement, in a fresh interpreter."""
    code = f"{statement}\n{LATE.format(heavy=HEAVY)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "statement",
    [
        "import automl",
        "from automl import AutoML; AutoML()",
        "import automl.contract",
        "import automl.report",
        "from automl.discovery import Registry; Registry.installed()",
    ],
)
def test_nothing_heavy_is_loaded(statement: str) -> None:
    assert loaded_by(statement) == []


def test_the_command_line_loads_only_what_draws_its_help() -> None:
    assert set(loaded_by("import automl.cli.app")) <= {"typer", "rich"}


def test_listing_plugins_imports_none_of_them() -> None:
    statement = (
        "import sys\nfrom automl.discovery import Registry\nRegistry.installed().models.names()\n"
        "assert not [name for name in sys.modules if name.startswith('automl.plugins')]"
    )
    assert loaded_by(statement) == []


def test_the_check_sees_a_heavy_import() -> None:
    assert "pandas" in loaded_by("import pandas")
