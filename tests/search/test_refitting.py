"""With minutes of time and few folds, members that could answer by the mean of their folds' models learn all rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_wine

from automl import AutoML, Preset
from automl.search.refitting import seconds_to_refit, worth_refitting
from automl.search.settings import Settings
from automl.store import load_manifest


def clocked(seconds: float, **preset: Any) -> Settings:
    return Settings(deadline=seconds, seconds=seconds, preset=Preset(**preset))


def test_it_is_for_minutes_and_few_folds() -> None:
    assert worth_refitting(clocked(300.0), 5)
    assert not worth_refitting(clocked(60.0), 5)
    assert not worth_refitting(clocked(300.0), 8)
    assert not worth_refitting(clocked(300.0, refit=False), 5)
    assert not worth_refitting(Settings(n_trials=10), 5)


def test_no_time_is_kept_while_the_members_are_not_there() -> None:
    assert seconds_to_refit([], clocked(300.0)) == 0.0


@pytest.mark.parametrize(("refit", "folds"), [(None, [-1, -2, -3]), (False, [0, 1, 2]), (True, [-1])])
def test_members_answer_with_models_of_all_rows_that_differ_in_their_seeds(
    refit: bool | None, folds: list[int], tmp_path: Path
) -> None:
    options: dict[str, Any] = {"models": ["extra-trees"], "executor": "inline", "verbose": 0, "random_state": 0}
    preset = Preset(refit=refit, folds=3, row_ms=1e6)
    model = AutoML(time_limit=600, n_trials=2, preset=preset, path=tmp_path / "run", **options)
    frame = load_wine(as_frame=True).frame
    model.fit(frame, "target")
    plan = load_manifest(tmp_path / "run").content["deployment"]
    found = {member["name"]: list(member["folds"]) for member in plan["members"]}
    assert "extra-trees" in plan["chosen"]
    assert found["extra-trees"] == folds
    assert model.score(frame) > -0.6


def test_a_model_that_no_seed_changes_is_fitted_once(tmp_path: Path) -> None:
    options: dict[str, Any] = {"models": ["linear-baseline"], "executor": "inline", "verbose": 0, "random_state": 0}
    preset = Preset(folds=3, row_ms=1e6, ensemble=False)
    model = AutoML(time_limit=600, n_trials=1, preset=preset, path=tmp_path / "run", **options)
    model.fit(load_wine(as_frame=True).frame, "target")
    plan = load_manifest(tmp_path / "run").content["deployment"]
    assert {member["name"]: member["folds"] for member in plan["members"]}["linear-baseline"] == [-1]
