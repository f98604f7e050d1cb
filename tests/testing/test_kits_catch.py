"""The kits are tried against plugins that break one promise each, and on ones that keep them all."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bad_encoders
import bad_imports
import bad_models
import bad_spaces
import bad_tasks
import pytest

from automl.contract import ModelPlugin, SearchSpace, Start
from automl.discovery import Registry
from automl.testing import EncoderChecks, ModelChecks, SpaceChecks, TaskChecks, notes, run_checks
from automl.testing.checks import Check, ContractBroken, run_all
from automl.testing.encoders import ENCODER_CHECKS, EncoderScene
from automl.testing.models import MODEL_CHECKS, ModelSubject
from automl.testing.spaces import SPACE_CHECKS
from automl.testing.tasks import TASK_CHECKS, TaskSubject

LIGHT = "importing_it_is_light"
MODELS: dict[type[Any], str] = {**bad_models.BAD, bad_imports.HeavyModel: LIGHT}
ENCODERS: dict[type[Any], str] = {**bad_encoders.BAD, bad_imports.HeavyEncoder: LIGHT}
TASKS: dict[type[Any], str] = {**bad_tasks.BAD, bad_imports.HeavyTask: LIGHT}
TASK_MODELS = (bad_tasks.Middle, bad_tasks.MiddleLost)


def named(checks: Sequence[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def must_fail(checks: Sequence[Check], name: str, subject: Any) -> None:
    check = named(checks, name)
    assert check.applies(subject), f"{name} does not apply"
    with pytest.raises(ContractBroken) as caught:
        check(subject)
    assert len(str(caught.value)) > 20


@pytest.mark.parametrize(("plugin", "check"), MODELS.items(), ids=lambda value: str(value))
def test_each_bad_model_is_caught_by_its_check(plugin: type[ModelPlugin], check: str) -> None:
    must_fail(MODEL_CHECKS, check, ModelSubject(plugin))


@pytest.mark.parametrize(("plugin", "check"), ENCODERS.items(), ids=lambda value: str(value))
def test_each_bad_encoder_is_caught_by_its_check(plugin: Any, check: str) -> None:
    must_fail(ENCODER_CHECKS, check, EncoderScene(plugin))


@pytest.mark.parametrize(("plugin", "check"), TASKS.items(), ids=lambda value: str(value))
def test_each_bad_task_is_caught_by_its_check(plugin: Any, check: str) -> None:
    installed = Registry.installed().models.load_all().values()
    models = tuple(installed) if plugin.produces == "real" else TASK_MODELS
    must_fail(TASK_CHECKS, check, TaskSubject(plugin, models))


@pytest.mark.parametrize("check", bad_spaces.BAD)
def test_each_bad_space_is_caught_by_its_check(check: str) -> None:
    must_fail(SPACE_CHECKS, check, bad_spaces.BAD[check])


def test_a_task_that_is_nearly_an_installed_one_is_caught_and_a_strangers_is_not() -> None:
    knobs, default = bad_spaces.KNOBS, bad_spaces.DEFAULT
    default_for, start = {"regresion": {"rate": 0.2}}, Start("deep", {"depth": 9}, {"tasks": ["binray"]})
    must_fail(SPACE_CHECKS, "every_knob_has_a_default_inside_its_range", SearchSpace(knobs, default, default_for))
    regime = "start_points_have_a_name_and_a_regime_that_means_something"
    must_fail(SPACE_CHECKS, regime, SearchSpace(knobs, default, starts=(start,)))
    named(SPACE_CHECKS, "every_knob_has_a_default_inside_its_range")(bad_spaces.GOOD)


def test_a_space_file_that_is_no_toml_is_caught(tmp_path: Path) -> None:
    file = tmp_path / "model.toml"
    file.write_text("[rate\n", encoding="utf-8")
    must_fail(SPACE_CHECKS, "it_can_be_read", file)


@pytest.mark.parametrize(
    ("checks", "bad"),
    [
        (MODEL_CHECKS, MODELS.values()),
        (ENCODER_CHECKS, ENCODERS.values()),
        (TASK_CHECKS, TASKS.values()),
        (SPACE_CHECKS, bad_spaces.BAD),
    ],
    ids=["models", "encoders", "tasks", "spaces"],
)
def test_every_check_is_shown_to_catch_something(checks: Sequence[Check], bad: Any) -> None:
    assert {check.name for check in checks} == set(bad)


def test_results_name_the_check_and_say_what_is_wrong() -> None:
    results = run_checks("space", bad_spaces.BAD["everything_in_it_is_json"])
    assert [result.check for result in results if not result.ok] == ["everything_in_it_is_json"]
    assert "JSON" in next(result.message for result in results if not result.ok)


class Leaves(bad_models.Centroids):
    """It ends the process that fits it."""

    def fit(self, train: Any, valid: Any, ctx: Any) -> None:
        sys.exit(3)


def test_a_plugin_that_exits_fails_its_checks_and_ends_nothing() -> None:
    results = run_checks("model", Leaves)
    bad = {result.check: result for result in results if not result.ok}
    assert "SystemExit: 3" in bad["predictions_are_what_the_task_means"].message
    assert any(result.ok for result in results)
    must_fail(MODEL_CHECKS, "points_of_its_space_fit", ModelSubject(Leaves))


def test_a_result_says_at_which_line_of_the_plugin_something_was_raised() -> None:
    bad = {result.check: result for result in run_checks("model", Leaves)}["inputs_are_left_alone"]
    _, first = inspect.getsourcelines(Leaves)
    assert bad.where == f"test_kits_catch.py:{first + 4}"
    assert "sys.exit(3)" in bad.trace
    (noticed,) = [result for result in run_checks("encoder", bad_encoders.DoublePrecision) if not result.ok]
    assert noticed.where == noticed.trace == ""


def test_an_encoder_that_no_model_will_use_by_itself_is_noted() -> None:
    (note,) = notes("encoder", bad_encoders.Frequencies)
    assert "neither default_for nor adds_to" in note
    assert notes("encoder", bad_encoders.AddsToNothing) == []
    assert notes("model", bad_models.Centroids) == []


def test_a_failing_check_does_not_stop_the_others() -> None:
    results = run_all(TASK_CHECKS, TaskSubject(bad_tasks.OneAnswerShort, TASK_MODELS))
    assert len(results) == len(TASK_CHECKS)
    assert [result.check for result in results if not result.ok] == ["there_is_one_answer_per_unit"]


class TestGoodModel(ModelChecks):
    plugin = bad_models.Centroids


class TestGoodEncoder(EncoderChecks):
    plugin = bad_encoders.Frequencies


class TestGoodTargetEncoder(EncoderChecks):
    plugin = bad_encoders.TargetMeans


class TestGoodTask(TaskChecks):
    plugin = bad_tasks.Pitch
    models = TASK_MODELS


class TestGoodSpace(SpaceChecks):
    plugin = bad_spaces.GOOD
