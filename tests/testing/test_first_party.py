"""Our own plugins, taken from the registry like a stranger's, keep the same contracts."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from automl.discovery import Registry, missing_requirement
from automl.testing.checks import Check
from automl.testing.encoders import ENCODER_CHECKS, EncoderScene
from automl.testing.models import MODEL_CHECKS, ModelSubject
from automl.testing.spaces import SPACE_CHECKS
from automl.testing.tasks import TASK_CHECKS, TaskSubject

OURS = "cairn-automl"


def cases(group: str, checks: tuple[Check, ...], subject_of: Any) -> list[Any]:
    """One case per plugin of ours and check that applies. Raises AssertionError where a library is missing."""
    plugins = getattr(Registry.installed(), group)
    found = []
    for name in plugins.names():
        if plugins.describe(name).distribution != OURS:
            continue
        plugin = plugins.load(name)
        assert not (missing := missing_requirement(plugin)), f"{name}: {missing}; install the extra dev"
        subject = subject_of(plugin)
        found += [pytest.param(subject, c, id=f"{name}-{c.name}") for c in checks if c.applies(subject)]
    return found


@pytest.mark.parametrize(("subject", "check"), cases("tasks", TASK_CHECKS, TaskSubject))
def test_our_task_keeps_its_contract(subject: Any, check: Check) -> None:
    check(subject)


@pytest.mark.parametrize(("subject", "check"), cases("encoders", ENCODER_CHECKS, EncoderScene))
def test_our_encoder_keeps_its_contract(subject: Any, check: Check) -> None:
    check(subject)


@pytest.mark.parametrize(("subject", "check"), cases("models", MODEL_CHECKS, ModelSubject))
def test_our_model_keeps_its_contract(subject: Any, check: Check) -> None:
    check(subject)


def space_files() -> list[Path]:
    root = Path(str(resources.files("automl.search_spaces")))
    return sorted(root.rglob("*.toml"))


@pytest.mark.parametrize("file", space_files(), ids=lambda file: file.stem)
@pytest.mark.parametrize("check", SPACE_CHECKS, ids=lambda check: check.name)
def test_our_space_file_is_sound(file: Path, check: Check) -> None:
    check(file)
