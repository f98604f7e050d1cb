"""What a run may use is what its executor has, within what the user allows."""

from __future__ import annotations

import inspect
import time
from typing import Any

import pytest

from automl import AutoML, session
from automl.contract import Finding
from automl.execution.protocol import Capacity
from automl.search.events import Noticed


class Cluster:
    """Has more than this machine."""

    def start(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""

    def capacity(self) -> Capacity:
        return Capacity(64, 0, 8.0, memory=3 * 2**30)


@pytest.mark.parametrize(("gpus", "expected"), [("auto", 8.0), (2, 2.0), (99, 8.0), (0, 0.0)])
def test_a_cluster_larger_than_this_machine_is_used(
    monkeypatch: pytest.MonkeyPatch, gpus: Any, expected: float
) -> None:
    asked: dict[str, Any] = {}

    def make(name: str, **options: Any) -> Cluster:
        asked.update(options)
        return Cluster()

    monkeypatch.setattr(session, "make_executor", make)
    with session.session(AutoML(executor="auto", gpus=gpus, verbose=0).get_params()) as running:
        settings = running.settled()
    assert asked["slots"] is None
    assert (settings.slots, settings.gpus, settings.memory) == (64, expected, 3 * 2**30)


def test_the_memory_that_the_user_allows_is_the_cap_on_a_cluster_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "make_executor", lambda name, **options: Cluster())
    with session.session(AutoML(memory_limit="1GiB", verbose=0).get_params()) as running:
        assert running.settled().memory == 2**30


def test_the_jobs_asked_for_are_the_slots() -> None:
    with session.session(AutoML(executor="local", n_jobs=1, verbose=0).get_params()) as running:
        assert running.settled().slots == 1
    with session.session(AutoML(executor="inline", n_jobs=4, verbose=0).get_params()) as running:
        assert running.settled().slots == 1


def test_a_cluster_that_is_slow_to_reach_is_why_little_time_is_left_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Slow(Cluster):
        """Takes most of the limit to come up."""

        def capacity(self) -> Capacity:
            time.sleep(0.5)
            return super().capacity()

    monkeypatch.setattr(session, "make_executor", lambda name, **options: Slow())
    said: list[Any] = []
    for limit in (1.0, 60.0):
        options = AutoML(time_limit=limit, verbose=0, callbacks=[said.append]).get_params()
        with session.session(options) as running:
            running.settled()
    (late,) = said
    assert late.finding.code == "late-start"
    assert "of 1 s are left" in late.finding.done


def test_none_means_no_callbacks_and_no_plugins_of_ones_own() -> None:
    params = AutoML(n_trials=1, executor="inline", verbose=0, callbacks=None, extra_plugins=None).get_params()
    with session.session(params) as running:
        running.emit(Noticed(Finding("any", "anything")))
    assert "prior-baseline" in running.registry.models.names()


def test_an_argument_that_is_misspelt_is_answered_with_the_one_that_is_meant() -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'timelimit'; did you mean 'time_limit'\?"):
        AutoML(timelimit=5)  # type: ignore[call-arg]
    assert "time_limit" in inspect.signature(AutoML).parameters
