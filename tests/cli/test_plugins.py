"""`automl plugins`: listing imports nothing, info tells what a plugin needs, check whether it keeps its contract."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from automl.cli.app import app
from automl.discovery import Registry
from automl.discovery.registry import Listed


def told(*arguments: str, code: int = 0) -> Any:
    """The JSON that a command prints."""
    done = CliRunner().invoke(app, ["plugins", *arguments, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_every_installed_plugin_is_listed_with_its_distribution() -> None:
    listed = told("list")["plugins"]
    registry = Registry.installed()
    names = {*registry.models.names(), *registry.tasks.names(), *registry.encoders.names()}
    assert {entry["name"] for entry in listed} == names
    assert {entry["kind"] for entry in listed} == {"model", "task", "encoder"}
    assert all(entry["distribution"] and entry["target"] for entry in listed)


def test_the_list_for_people_has_the_same_names() -> None:
    done = CliRunner().invoke(app, ["plugins", "list"])
    assert all(entry["name"] in done.stdout for entry in told("list")["plugins"])


def test_listing_imports_no_plugin() -> None:
    code = (
        "import sys\nfrom automl.cli.app import app\n"
        "try:\n    app(['plugins', 'list'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert not [name for name in sys.modules if name.startswith('automl.plugins')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", Registry.installed().models.names())
def test_info_tells_what_a_model_is_and_what_can_be_tuned(name: str) -> None:
    facts = told("info", name)
    assert facts["kind"] == "model"
    if facts["available"]:
        assert facts["about"]
        assert facts["produces"]
        assert isinstance(facts["knobs"], dict)
    else:
        assert facts["reason"]


def test_info_for_people_shows_the_knobs_and_their_defaults() -> None:
    tunable = next(name for name in Registry.installed().models.names() if told("info", name).get("knobs"))
    said = CliRunner().invoke(app, ["plugins", "info", tunable]).stdout
    assert "knobs:" in said
    assert "default" in said


@pytest.mark.parametrize("kind", ["tasks", "encoders"])
def test_info_knows_tasks_and_encoders(kind: str) -> None:
    name = getattr(Registry.installed(), kind).names()[0]
    assert told("info", name)["kind"] == kind.rstrip("s")


def test_a_wrong_name_is_told_the_nearest() -> None:
    name = Registry.installed().models.names()[0]
    done = CliRunner().invoke(app, ["plugins", "info", f"{name}x"])
    assert done.exit_code == 2
    assert name in done.stderr


def test_check_runs_the_conformance_kit() -> None:
    result = told("check", Registry.installed().encoders.names()[0])
    assert result["ok"]
    assert result["failures"] == []
    assert result["checks"] > 3


def test_a_plugin_that_breaks_its_contract_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    name = Registry.installed().encoders.names()[0]
    plugin = Registry.installed().encoders.load(name)

    def broken(*_: object) -> None:
        raise ValueError("broken on purpose")

    monkeypatch.setattr(plugin, "transform", broken)
    result = told("check", name, code=1)
    assert not result["ok"]
    assert any("broken on purpose" in failure["message"] for failure in result["failures"])


def test_a_plugin_that_cannot_be_loaded_says_why_and_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry.installed()
    registry.models.listed["gone"] = Listed("gone", "no_such_module:Thing", "some-distribution", "1.0")
    monkeypatch.setattr(Registry, "installed", lambda *_, **__: registry)
    facts = told("info", "gone")
    assert not facts["available"]
    assert "no_such_module" in facts["reason"]
    done = CliRunner().invoke(app, ["plugins", "check", "gone"])
    assert done.exit_code == 1
    assert "some-distribution" in done.stderr
