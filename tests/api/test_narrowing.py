"""A model that is too slow for all folds answers with those that it has: better than a baseline alone."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from automl import AutoML
from automl.contract import Estimate, ModelPlugin
from automl.events import Noticed, RunEvent, TrialFinished
from automl.store import Journal

FRAME = load_iris(as_frame=True).frame


class Slow(ModelPlugin):
    """Knows the nearest class means, and takes its time to find them."""

    name = "slow"
    produces = "class_proba"
    seconds = 3.0
    means: Any

    def fit(self, train: Any, valid: Any, ctx: Any) -> None:
        time.sleep(self.seconds)
        self.means = np.stack([train.X[train.y == k].mean(0) for k in range(3)])

    def predict(self, request: Any) -> Any:
        away = ((request.X[:, None, :] - self.means[None]) ** 2).sum(2)
        weights = np.exp(-away)
        return weights / weights.sum(1, keepdims=True)

    @classmethod
    def estimate(cls, facts: Any, params: Any) -> Estimate:
        return Estimate(0.1)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> tuple[AutoML, list[RunEvent], Path]:
    """A run of eight folds, of which there is time for some; with its events and its folder."""
    told: list[RunEvent] = []
    place = tmp_path_factory.mktemp("slow") / "run"
    model = AutoML(
        time_limit=18,
        n_jobs=1,
        random_state=0,
        verbose=0,
        callbacks=[told.append],
        extra_plugins=[Slow],
        models=["slow"],
        path=place,
    )
    return model.fit(FRAME, "target"), told, place


def test_a_model_that_has_some_folds_when_time_is_up_is_the_one_that_answers(
    slow: tuple[AutoML, list[RunEvent], Path],
) -> None:
    model, told, place = slow
    found = [event.finding for event in told if isinstance(event, Noticed)]
    narrowed = [finding for finding in found if finding.code == "fewer-folds"]
    assert narrowed
    assert "time_limit" in narrowed[-1].done
    assert any(event.state == "ok" for event in told if isinstance(event, TrialFinished) and event.model == "slow")
    board = model.leaderboard().set_index("model")
    assert board.loc["slow", "state"] == "ok"
    assert "slow" in dict(model.ensemble_)
    assert model.score(FRAME) > -0.2
    low, high = model.score_interval(50)
    assert low <= high
    assert any(record["type"] == "narrowed" for record in Journal.read(place / "journal.jsonl"))
    again = AutoML.load(place, extra_plugins=[Slow])
    assert (again.predict_proba(FRAME) == model.predict_proba(FRAME)).all().all()


class Quick(Slow):
    seconds = 0.02


def test_with_more_time_than_before_all_folds_count_again(
    slow: tuple[AutoML, list[RunEvent], Path], tmp_path: Path
) -> None:
    place = shutil.copytree(slow[2], tmp_path / "copy")
    before = Journal.read(place / "journal.jsonl")
    again = AutoML.resume(place, time_limit=25, extra_plugins=[Quick], verbose=0)
    after = Journal.read(place / "journal.jsonl")[len(before) :]
    assert [record["type"] for record in after if record["type"] in ("narrowed", "widened")] == ["widened"]
    done = {record["fold"] for record in [*before, *after] if record["type"] == "fold" and record["trial"] == 3}
    assert done >= set(range(8))
    board = again.leaderboard().set_index("model")
    assert board.loc["slow", "state"] == "ok"
    told = [record["score"] for record in before if record["type"] == "trial" and record["trial"] == 0]
    assert told[0] == pytest.approx(board.loc["prior-baseline", "score"])


def test_a_run_with_fewer_folds_goes_on_with_them_when_it_is_resumed(
    slow: tuple[AutoML, list[RunEvent], Path], tmp_path: Path
) -> None:
    before = Journal.read(slow[2] / "journal.jsonl")
    folds = [record["folds"] for record in before if record["type"] == "narrowed"][-1]
    place = shutil.copytree(slow[2], tmp_path / "copy")
    again = AutoML.resume(place, time_limit=6, extra_plugins=[Slow], verbose=0)
    after = Journal.read(place / "journal.jsonl")[len(before) :]
    assert all(record["fold"] < folds for record in after if record["type"] == "fold")
    scores = [model.leaderboard().set_index("model")["score"].drop("ensemble") for model in (slow[0], again)]
    names = ["slow", "linear-baseline", "tree-baseline", "prior-baseline"]
    assert scores[1][names].to_dict() == pytest.approx(scores[0][names].to_dict())
    told = [record["score"] for record in before if record["type"] == "trial" and record["trial"] == 0]
    assert told[0] != pytest.approx(scores[1]["prior-baseline"])  # which was of all folds
