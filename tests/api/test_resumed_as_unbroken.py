"""A run without a clock that is broken off again and again ends with the leaderboard of one that never was."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl import AutoML, preparing
from automl.contract import Fold
from automl.events import RunEvent, TrialFailed, TrialFinished, TrialStarted
from automl.search.folding import Folding, make_folds
from automl.search.past import read_past
from automl.store import Journal

MODELS = ["lightgbm", "extra-trees", "linear-baseline"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"a": rng.normal(size=90), "b": rng.normal(size=90), "c": rng.choice(["x", "y"], 90)})
    frame["target"] = np.where(frame["a"] + (frame["c"] == "x") + rng.normal(size=90) > 0.5, "yes", "no")
    return frame


def breaking(after: int) -> Callable[[RunEvent], None]:
    """Breaks the run off at so many of its trials' beginnings and ends."""
    seen = 0

    def callback(event: RunEvent) -> None:
        nonlocal seen
        seen += isinstance(event, TrialStarted | TrialFinished | TrialFailed)
        if seen == after:
            raise KeyboardInterrupt

    return callback


@pytest.fixture(scope="module", autouse=True)
def repeated() -> Iterator[None]:
    """Folds of our own are made once: here they are repeated, two of three folds, unless folds are given."""

    def twice(*args: Any) -> Folding:
        if args[-1] is not None:
            return make_folds(*args)
        numbers = np.random.default_rng(0).integers(0, 3, size=(2, len(args[2])))
        folds = [Fold(np.flatnonzero(row != k), np.flatnonzero(row == k)) for row in numbers for k in range(3)]
        return Folding(tuple(folds), 2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "make_folds", twice)
        yield


def options(folds: bool) -> dict[str, Any]:
    wanted = {"models": MODELS, "executor": "inline", "random_state": 1, "verbose": 0}
    return {**wanted, "n_trials": 12 if folds else 4}


def fitted(data: pd.DataFrame, folds: bool, path: Path, every: int) -> AutoML:
    """The same run; `every`: broken off at every so many beginnings and ends, 0 for never."""
    given = np.arange(len(data)) % 3 if folds else None
    calls = [breaking(every)] if every else []
    try:
        return AutoML(path=path, callbacks=calls, **options(folds)).fit(data, "target", folds=given)
    except KeyboardInterrupt:
        pass
    for _ in range(100):
        try:
            return AutoML.resume(path, callbacks=[breaking(every)], verbose=0)
        except KeyboardInterrupt:
            pass
    raise AssertionError("the run never ended")


def told(model: AutoML) -> list[tuple[Any, ...]]:
    columns = ["model", "state", "score", "weight"]
    return [tuple(map(str, row)) for row in model.leaderboard()[columns].itertuples(index=False)]


def once_each(path: Path) -> bool:
    """Does the journal tell of every fold, and of every trial's beginning and end, once?"""
    records = Journal.read(path / "journal.jsonl")
    counts = Counter((r["type"], r["trial"], r.get("fold")) for r in records if r["type"] in ("start", "fold", "trial"))
    return set(counts.values()) == {1}


@pytest.fixture(scope="module", params=[True, False], ids=["folds", "repeats"])
def whole(request: pytest.FixtureRequest, data: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An undisturbed run: (with given folds?, what it told, what its trials were)."""
    path = tmp_path_factory.mktemp("whole") / "run"
    model = fitted(data, request.param, path, 0)
    records = Journal.read(path / "journal.jsonl")
    if request.param:
        assert {"baseline", "start", "search", "features"} == {r["phase"] for r in records if r["type"] == "start"}
    else:
        assert any(r["fold"] >= 3 for r in records if r["type"] == "fold")
    return request.param, told(model), [(t.name, t.params) for t in read_past(path).trials]


@pytest.mark.parametrize("every", [3, 7])
def test_it_ends_with_the_same_leaderboard(whole: Any, data: pd.DataFrame, tmp_path: Path, every: int) -> None:
    folds, expected, trials = whole
    model = fitted(data, folds, tmp_path / "run", every)
    assert [(t.name, t.params) for t in read_past(tmp_path / "run").trials] == trials
    assert told(model) == expected
    assert once_each(tmp_path / "run")
    assert sum(r["type"] == "resumed" for r in Journal.read(tmp_path / "run" / "journal.jsonl")) >= 2


def test_a_run_that_was_asked_to_stop_goes_on_with_what_was_under_way(data: pd.DataFrame, tmp_path: Path) -> None:
    def stop(event: RunEvent) -> None:
        if isinstance(event, TrialFinished) and not event.baseline:
            os.kill(os.getpid(), signal.SIGTERM)

    given = np.arange(len(data)) % 3
    stopped = AutoML(path=tmp_path / "run", callbacks=[stop], **options(True)).fit(data, "target", folds=given)
    assert stopped.interrupted_
    again = AutoML.resume(tmp_path / "run", verbose=0)
    assert len(again.leaderboard()) > len(stopped.leaderboard())
    assert once_each(tmp_path / "run")
