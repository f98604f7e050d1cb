"""Where no worker answers in time, on a machine far too busy, there is still a model: the simplest baseline."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sklearn.datasets import load_iris

from automl import AutoML
from automl.contract import ModelPlugin, NothingFitted
from automl.execution.job import Event
from automl.execution.protocol import Capacity

FRAME = load_iris(as_frame=True).frame


class Deaf:
    """Takes jobs and never answers."""

    isolates = True

    def start(self) -> None:
        """Nothing."""

    def open(self, dataset: Any) -> None:
        """Nothing."""

    def submit(self, job: Any) -> None:
        """Nothing."""

    def wait(self, timeout: float) -> list[Event]:
        """Nothing, after the time."""
        time.sleep(timeout)
        return []

    def kill(self, job: int) -> None:
        """Nothing."""

    def withdraw(self, job: int) -> bool:
        """Never."""
        return False

    def capacity(self) -> Capacity:
        """Two slots."""
        return Capacity(2, 0)

    def nodes(self) -> list[Any]:
        """None."""
        return []

    def close(self) -> None:
        """Nothing."""


class Strange(ModelPlugin):
    """A stranger's baseline, which must not run in the driver."""

    name = "strange-baseline"
    produces = "class_proba"
    baseline = True

    def fit(self, train: Any, valid: Any, ctx: Any) -> None:
        raise AssertionError("it ran")

    def predict(self, request: Any) -> Any:
        raise AssertionError("it ran")


@pytest.fixture(autouse=True)
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.session.make_executor", lambda *args, **kwargs: Deaf())


def test_where_no_worker_answers_the_simplest_baseline_does() -> None:
    model = AutoML(time_limit=3, verbose=0).fit(FRAME, "target")
    assert [name for name, _ in model.ensemble_] == ["prior-baseline"]
    assert len(model.predict(FRAME)) == len(FRAME)


def test_where_workers_take_all_of_the_time_to_come_up_the_simplest_baseline_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Deaf, "start", lambda self: time.sleep(1.5))
    model = AutoML(time_limit=1, verbose=0).fit(FRAME, "target")
    assert [name for name, _ in model.ensemble_] == ["prior-baseline"]


def test_a_stranger_s_baseline_never_runs_in_the_driver() -> None:
    without = ["-prior-baseline", "-linear-baseline", "-tree-baseline"]
    model = AutoML(time_limit=3, verbose=0, extra_plugins=[Strange], models=["strange-baseline"], plugins=without)
    with pytest.raises(NothingFitted):
        model.fit(FRAME, "target")
