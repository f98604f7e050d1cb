"""A trial's time to answer is measured on its kept models; what was not measured is reckoned from those that were."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl import AutoML
from automl.contract import ArrayPredictions, ArtifactError, FitInfo
from automl.execution.job import Candidate
from automl.search.answering import AnswerTimes
from automl.search.run import Run
from automl.search.trial import FoldResult, Trial


@pytest.fixture(scope="module")
def run() -> Run:
    from sklearn.datasets import load_iris

    frame = load_iris(as_frame=True).frame
    model = AutoML(n_trials=1, executor="inline", models=["lightgbm"], random_state=0, verbose=0).fit(frame, "target")
    found: Run = model._run
    return found


def times_of(run: Run, seconds: float = 1e6, folder: Any = None) -> AnswerTimes:
    return AnswerTimes(run.task, run.problem, run.table, folder or run.folder.model_folder, seconds)


def test_a_measured_trial_has_its_own_time(run: Run) -> None:
    times, trials = times_of(run), run.board.ok()
    times.measure(trials, run._folds_of)
    for trial in trials:
        assert 0.0 < times.seconds(trial, run._folds_of(trial)) < 1.0


def test_nothing_is_measured_once_the_time_for_it_is_used_up(run: Run) -> None:
    asked: list[str] = []

    def folder(key: str, fold: int) -> Path:
        asked.append(key)
        return run.folder.model_folder(key, fold)

    times, trials = times_of(run, 1e-9, folder), run.board.ok()
    times.measure(trials, run._folds_of)
    assert set(asked) == {trials[0].candidate.key}


def test_a_model_that_is_gone_is_reckoned_by_its_worker_s_figure(run: Run) -> None:
    def gone(key: str, fold: int) -> Path:
        raise ArtifactError("dropped meanwhile")

    times, trial = times_of(run, folder=gone), run.board.ok()[0]
    times.measure([trial], run._folds_of)
    folds = run._folds_of(trial)
    np.testing.assert_equal(times.seconds(trial, folds), trial.row_seconds(folds))


def test_what_is_not_measured_follows_the_others_of_its_family(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = ArrayPredictions("real", np.zeros((1, 1)))

    def trial(number: int, row_s: float) -> Trial:
        one = Trial(number, f"t{number}", run.field.contenders()[0], Candidate("a", {}), "start", "ok")
        one.results = {0: FoldResult(0.1, nothing, FitInfo(), 1.0, 1.0, 0.0, row_s)}
        return one

    times, first, second = times_of(run), trial(900, 2.0), trial(901, 4.0)
    monkeypatch.setattr(times, "_asked", lambda trial, folds: 0.5)
    times.measure([first], lambda trial: [0])
    assert times.seconds(first, [0]) == 0.5
    assert times.seconds(second, [0]) == pytest.approx(1.0)
    assert math.isnan(times.seconds(trial(902, math.nan), [0]))
