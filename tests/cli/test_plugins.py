"""`automl plugins`: listing imports nothing, info tells what a plugin needs, check whether it keeps its contract."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from automl.cli.app import app
from automl.discovery import Registry
from automl.discovery.registry import Listed

Ship = Callable[..., Path]


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


CHATTY = """
from automl.contract import EncoderPlugin
print("imported")

class Chatty(EncoderPlugin):
    name = "chatty"
    kinds = ("numeric",)

    def fit_transform(self, columns, y, ctx):
        print("fitting")
        return columns.matrix()

    def transform(self, columns):
        raise ValueError("of its own")
"""


def test_what_a_plugin_prints_goes_to_stderr_and_json_stays_json(ship: Ship) -> None:
    ship("chatty-encoders", "chatty_encoders", CHATTY, {"automl.encoders": {"chatty": "Chatty"}})
    done = CliRunner().invoke(app, ["plugins", "check", "chatty", "--json"])
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert "fitting" in done.stderr
    (raised, *_) = [failure for failure in result["failures"] if "of its own" in failure["message"]]
    assert raised["where"] == "chatty_encoders.py:14"
    assert any("default_for" in note for note in result["notes"])
    assert "importing_it_is_light" not in {failure["check"] for failure in result["failures"]}


def test_check_shows_the_line_and_with_debug_the_traceback(ship: Ship) -> None:
    ship("chatty-encoders", "chatty_again", CHATTY, {"automl.encoders": {"chatty": "Chatty"}})
    said = CliRunner().invoke(app, ["plugins", "check", "chatty"]).stdout
    assert "ValueError: of its own (chatty_again.py:14)" in said
    assert "Traceback" not in said
    assert "note: it has neither default_for nor adds_to" in said
    more = CliRunner().invoke(app, ["plugins", "check", "chatty"], env={"AUTOML_DEBUG": "1"}).stdout
    assert 'raise ValueError("of its own")' in more


def test_a_model_that_exits_is_a_failed_check_and_exit_code_1(ship: Ship) -> None:
    code = (
        "import sys\nfrom automl.contract import ModelPlugin\n\nclass Leaves(ModelPlugin):\n    name = 'leaves'\n"
        "    produces = 'class_proba'\n    def fit(self, train, valid, ctx):\n        sys.exit(3)\n"
        "    def predict(self, request):\n        ...\n"
    )
    ship("leaving-models", "leaving_models", code, {"automl.models": {"leaves": "Leaves"}})
    done = CliRunner().invoke(app, ["plugins", "check", "leaves"])
    assert done.exit_code == 1
    assert "SystemExit: 3 (leaving_models.py:8)" in done.stdout


def test_a_name_clash_is_listed_and_stands_in_no_others_way(ship: Ship) -> None:
    for number in (1, 2):
        ship(f"chatty-{number}", f"chatty_{number}", CHATTY, {"automl.encoders": {"chatty": "Chatty"}})
    listed = told("list")
    assert [entry["distribution"] for entry in listed["plugins"] if entry["clash"]] == ["chatty-2", "chatty-1"]
    (problem,) = listed["problems"]
    assert "two plugins are called 'chatty'" in problem
    assert problem in CliRunner().invoke(app, ["plugins", "list"]).stderr
    assert told("check", Registry.installed().encoders.names()[-1])["ok"]
    done = CliRunner().invoke(app, ["plugins", "check", "chatty"])
    assert done.exit_code == 1
    assert "AUTOML_PLUGINS=-chatty-" in done.stderr
    settled = CliRunner().invoke(app, ["plugins", "info", "chatty"], env={"AUTOML_PLUGINS": "-chatty-1"})
    assert "chatty-2" in settled.stdout


def test_a_plugin_in_a_misspelt_group_is_told_the_right_one(ship: Ship) -> None:
    ship("misspelt", "misspelt_encoders", CHATTY, {"automl.encoder": {"chatty": "Chatty"}})
    done = CliRunner().invoke(app, ["plugins", "check", "chatty"])
    assert done.exit_code == 2
    assert "did you mean 'automl.encoders'?" in done.stderr
    assert "did you mean 'automl.encoders'?" in CliRunner().invoke(app, ["plugins", "list"]).stderr
