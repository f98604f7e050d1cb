"""With minutes of time and few folds, members that could answer by the mean of their folds' models learn all rows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, make_moons

from automl import AutoML, Preset
from automl.search.refitting import seconds_to_refit, worth_refitting
from automl.search.settings import Settings
from automl.store import load_manifest


def clocked(seconds: float, **preset: Any) -> Settings:
    return Settings(deadline=seconds, seconds=seconds, preset=Preset(**preset))


def test_it_is_for_minutes_few_folds_and_rows_that_they_leave_out() -> None:
    assert worth_refitting(clocked(300.0), 5, 0.2)
    assert not worth_refitting(clocked(60.0), 5, 0.2)
    assert not worth_refitting(clocked(300.0), 8, 0.125)
    assert not worth_refitting(clocked(300.0), 1, 0.03)
    assert not worth_refitting(clocked(300.0, refit=False), 5, 0.2)
    assert not worth_refitting(Settings(n_trials=10), 5, 0.2)


def taking(wall: float) -> Any:
    """A trial whose only fold took so many seconds."""
    return SimpleNamespace(results={0: SimpleNamespace(wall=wall)})


def test_time_is_kept_for_what_fits_into_a_quarter_of_it() -> None:
    settings = clocked(400.0)
    assert seconds_to_refit([], settings) == 0.0
    assert seconds_to_refit([taking(10.0)], settings) == pytest.approx(13.0)
    assert seconds_to_refit([taking(10.0)], settings, optional=True) == pytest.approx(26.0)
    assert seconds_to_refit([taking(10.0), taking(90.0)], settings, optional=True) == pytest.approx(26.0)
    assert seconds_to_refit([taking(90.0)], settings) == 100.0


def answering(tmp_path: Path, frame: Any, **options: Any) -> dict[str, list[int]]:
    """The ensemble's members of a run with three folds: name -> the models that answer."""
    preset = Preset(folds=3, row_ms=1e6, **options.pop("preset", {}))
    told: dict[str, Any] = {"executor": "inline", "verbose": 0, "random_state": 0, **options}
    model = AutoML(time_limit=600, preset=preset, path=tmp_path / "run", **told).fit(frame, "target")
    assert model.score(frame) > 0.8
    plan = load_manifest(tmp_path / "run").content["deployment"]
    return {m["name"]: list(m["folds"]) for m in plan["members"] if m["name"] in plan["chosen"]}


@pytest.mark.parametrize(("refit", "folds"), [(None, [-1, -2, -3]), (False, [0, 1, 2]), (True, [-1])])
def test_members_answer_with_models_of_all_rows_that_differ_in_their_seeds(
    refit: bool | None, folds: list[int], tmp_path: Path
) -> None:
    X, y = make_moons(200, noise=0.3, random_state=0)
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(target=y)
    found = answering(tmp_path, frame, models=["extra-trees"], n_trials=2, preset={"refit": refit})
    trees = [models for name, models in found.items() if name.startswith("extra-trees")]
    assert trees
    assert all(models == folds for models in trees)


def test_a_model_that_no_seed_changes_is_fitted_once(tmp_path: Path) -> None:
    frame = load_breast_cancer(as_frame=True).frame
    found = answering(tmp_path, frame, models=["linear-baseline"], n_trials=1, preset={"ensemble": False})
    assert found == {"linear-baseline": [-1]}
