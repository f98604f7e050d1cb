"""Parts of the Ray executor, without Ray's daemons: what the driver makes of late, early and missing answers."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from automl.execution.ray import worker as module
from automl.execution.ray.nodes import Growth, Watch
from automl.execution.ray.worker import RayWorker
from automl.execution.seats import Seat
from automl.testing.scripted import script

NODES = [{"Alive": True, "NodeID": "a", "NodeManagerHostname": "host", "Resources": {"CPU": 2, "memory": 8}}]


def watch(ask: Callable[[], Any], silent: Callable[[Watch], bool]) -> bool:
    """Does that become true within some seconds?"""
    watching = Watch(ask)
    try:
        until = time.monotonic() + 5.0
        while time.monotonic() < until:
            if silent(watching):
                return True
            time.sleep(0.01)
        return False
    finally:
        watching.close()


def test_a_cluster_that_has_answered_is_not_silent_however_long_it_took() -> None:
    asked: list[float] = []

    def slow() -> Any:
        asked.append(time.monotonic())
        time.sleep(0.3)
        return NODES

    assert watch(slow, lambda w: bool(w.seating(None).places) and w.silence() == 0.0)
    assert len(asked) == 1


def test_a_cluster_that_does_not_answer_is_silent_from_the_question_on() -> None:
    over = threading.Event()
    try:
        assert watch(lambda: over.wait(10.0), lambda w: w.silence() > 0.2)
    finally:
        over.set()


def test_a_request_that_an_earlier_driver_left_is_taken_back() -> None:
    asked: list[int] = []
    growth = Growth(asked.append)
    growth.want(2, 5, now=0.0)
    assert asked == [0]
    growth.want(2, 5, now=growth.wait_seconds)
    growth.want(2, 0, now=growth.wait_seconds + 1.0)
    growth.close()
    assert asked == [0, 4, 0]


def an_actor(monkeypatch: pytest.MonkeyPatch, place: str = "here") -> Any:
    """A worker whose two calls are known by their numbers."""
    one: Any = RayWorker.__new__(RayWorker)
    one.seat, one.job, one.following = Seat(place=place), script(1), script(2)
    one.awaited, one.arrived = {"first": one.job, "second": one.following}, set()
    one._share_point = SimpleNamespace(here="here")
    monkeypatch.setattr(module, "decode", lambda job, answer: (job, answer))
    monkeypatch.setattr("ray.get", lambda ref, timeout: f"answer to the {ref}")
    return one


def test_a_later_call_that_is_there_first_is_heard_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    one = an_actor(monkeypatch)
    one.arrived = {"second"}
    assert (one.collect(), one.pending()) == ([], ["first"])
    one.arrived.add("first")
    assert one.collect() == [(1, "answer to the first"), (2, "answer to the second")]
    assert (one.awaited, one.arrived) == ({}, set())


def test_only_children_on_the_drivers_own_node_are_looked_for_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "tree", lambda pid: [pid, 99])
    near, far = an_actor(monkeypatch), an_actor(monkeypatch, place="far")
    for one in (near, far):
        one._pid = 1
        monkeypatch.setattr(module, "open", _titled, raising=False)
    assert (near._children(), far._children()) == ([99], [])


def _titled(path: str, mode: str) -> Any:
    assert (path, mode) == ("/proc/1/cmdline", "rb")
    return io.BytesIO(b"ray::RemoteWorker.run")
