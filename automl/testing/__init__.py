"""Conformance kits: pytest classes for plugin authors, and `run_checks` for everybody else.

    from automl.testing import ModelChecks
    from my_package import MyModel

    class TestMyModel(ModelChecks):
        plugin = MyModel

Each promise of the contract becomes one test. Nothing here imports pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from automl.testing.checks import CheckResult, ContractBroken, run_all
from automl.testing.encoders import EncoderChecks, notes_on
from automl.testing.models import ModelChecks
from automl.testing.spaces import SpaceChecks
from automl.testing.tasks import TaskChecks

__all__ = [
    "CheckResult",
    "ContractBroken",
    "EncoderChecks",
    "ModelChecks",
    "SpaceChecks",
    "TaskChecks",
    "notes",
    "run_checks",
]

_KITS = {"model": ModelChecks, "task": TaskChecks, "encoder": EncoderChecks, "space": SpaceChecks}


def run_checks(kind: str, plugin: Any, watch: Callable[[str], None] = lambda name: None) -> list[CheckResult]:
    """Every check that applies to a plugin, without pytest.

    Args:
        kind: ``"model"``, ``"task"``, ``"encoder"`` or ``"space"``.
        plugin: the class; for a space, a SearchSpace or the path of a space file.
        watch: called with the name of each check before it runs; together they may take a minute.

    Raises KeyError for another kind.
    """
    kit = type("Chosen", (_KITS[kind],), {"plugin": plugin})()
    return run_all(kit.checks, kit.subject(), watch, getattr(plugin, "__module__", ""))


def notes(kind: str, plugin: Any) -> list[str]:
    """What the author of a plugin should know, though it breaks no promise. `kind` as for `run_checks`."""
    return notes_on(plugin) if kind == "encoder" else []
