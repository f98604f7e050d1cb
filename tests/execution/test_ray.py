"""The Ray executor keeps what it owes, on one Ray that all checks share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl.execution.protocol import Executor
from automl.execution.ray import RayExecutor, how_it_ended
from automl.testing.executors import ExecutorChecks
from automl.testing.scripted import RUNNER


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    pytest.importorskip("ray")
    first = RayExecutor(2, "local", runner=RUNNER)
    first.capacity()
    yield
    first.close()


def test_all_processes_of_an_own_ray_can_be_found_when_the_driver_is_killed() -> None:
    import psutil

    started = [one for one in psutil.Process().children(recursive=True) if "guard.py" not in " ".join(one.cmdline())]
    seen = {one.name(): b"AUTOML_RAY=" in Path(f"/proc/{one.pid}/environ").read_bytes() for one in started}
    assert {"raylet", "gcs_server"} <= seen.keys()
    assert all(seen.values()), seen


def test_what_ray_raises_becomes_the_kind_of_event_that_fits() -> None:
    exceptions: Any = pytest.importorskip("ray.exceptions")
    kinds = {
        exceptions.ActorDiedError(): "crashed",
        exceptions.WorkerCrashedError(): "crashed",
        exceptions.ActorUnavailableError("its node is gone", None): "node_lost",
        exceptions.NodeDiedError("dead"): "node_lost",
        exceptions.OutOfMemoryError("killed to free memory"): "oom",
    }
    for error, kind in kinds.items():
        assert how_it_ended(error) == kind


def test_a_closed_executor_is_silent_and_leaves_ray_to_its_owner() -> None:
    import ray

    executor = RayExecutor(1, runner=RUNNER)
    executor.capacity()
    executor.close()
    assert executor.wait(0.1) == []
    executor.kill(1)
    assert ray.is_initialized()


class TestRay(ExecutorChecks):
    patience = 60.0
    memory = 600_000_000

    def build(self, slots: int, runner: str) -> Executor:
        return RayExecutor(slots, runner=runner)
