"""What a run may use is what its executor has, within what the user allows."""

from __future__ import annotations

import time
from typing import Any

import pytest

from automl import AutoML, session
from automl.execution.protocol import Capacity


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
