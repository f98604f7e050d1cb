"""What a cluster can do to a run, on three nodes of this machine: nodes lost and added, data lost, the head lost.

Ray may abort the process that kills its nodes when the machine is busy, and takes the test session along. So these run
alone: ``AUTOML_CLUSTER_TESTS=1 pytest -n 0 tests/examples/test_cluster_faults.py``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

import pytest
from little_cluster import LittleCluster, little_cluster

from automl.contract import ExecutionError, Resources
from automl.execution.job import Event
from automl.execution.ray import RayExecutor
from automl.testing.scripted import RUNNER, script, small_dataset

pytestmark = pytest.mark.skipif(
    not os.environ.get("AUTOML_CLUSTER_TESTS"),
    reason="Ray may abort the test session with the nodes that are killed; AUTOML_CLUSTER_TESTS=1 runs them, with -n 0",
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LittleCluster]:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    with little_cluster({"num_cpus": 1}, {"num_cpus": 1}) as made:
        yield made


@pytest.fixture
def executor(cluster: LittleCluster) -> Iterator[RayExecutor]:
    made = RayExecutor(runner=RUNNER)
    made.open(small_dataset())
    yield made
    made.close()


def ends(executor: RayExecutor, jobs: Iterable[int]) -> dict[int, Event]:
    missing, found = set(jobs), dict[int, Event]()
    until = time.monotonic() + 120
    while missing - set(found) and time.monotonic() < until:
        found |= {event.job: event for event in executor.wait(0.5) if event.kind != "progress"}
    return found


def first_end(executor: RayExecutor) -> Event:
    """Of whatever job ends first."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for event in executor.wait(0.5):
            if event.kind != "progress":
                return event
    raise AssertionError("no job has ended")


def begun(executor: RayExecutor, jobs: int) -> None:
    """Wait until so many run."""
    until = time.monotonic() + 60
    while sum(worker.job is not None for worker in executor._workers) < jobs and time.monotonic() < until:
        executor.wait(0.1)


def slots_of(executor: RayExecutor, wanted: int) -> int:
    """The slots, once there are as many as wanted: Ray takes a while to notice that a node is gone."""
    until = time.monotonic() + 60
    while executor.capacity().slots != wanted and time.monotonic() < until:
        executor.wait(0.1)
        time.sleep(0.1)
    return executor.capacity().slots


def test_a_lost_node_costs_its_job_and_a_new_one_is_used(cluster: LittleCluster, executor: RayExecutor) -> None:
    for job in (1, 2):
        executor.submit(script(job, "sleep", seconds=600))
    begun(executor, 2)
    cluster.kill(cluster.nodes[0])
    cluster.add(num_cpus=2)
    event = first_end(executor)
    assert (event.kind, event.own) == ("node_lost", False)
    for job in (3, 4, 5):
        executor.submit(script(job))
    assert {event.kind for event in ends(executor, [3, 4, 5]).values()} == {"done"}
    assert slots_of(executor, 3) == 3
    assert [(node.slots, node.jobs) for node in executor.nodes()][-1][0] == 2


def test_what_no_node_can_run_is_refused_with_what_the_largest_has(executor: RayExecutor) -> None:
    assert slots_of(executor, 3) == 3
    with pytest.raises(ExecutionError, match=r"needs 3 slots.* largest of 2 have 2 slots, 0 GPUs"):
        executor.submit(script(1, resources=Resources(cpus=3)))


def test_data_that_is_lost_is_published_again(executor: RayExecutor) -> None:
    import numpy as np
    import ray

    @ray.remote(num_cpus=0)
    class Owner:
        """Puts data, and takes it along when it dies."""

        def put(self) -> list[object]:
            return [ray.put(np.zeros(1_000_000, dtype=np.uint8))]

    owner = Owner.remote()  # type: ignore[attr-defined]
    (lost,) = ray.get(owner.put.remote())
    ray.kill(owner)
    assert executor._share_point is not None
    executor._share_point.block = lost
    for worker in list(executor._workers):
        executor._discard(worker)
    executor.submit(script(1, "look"))
    (event,) = ends(executor, [1]).values()
    assert event.outcome is not None
    assert event.outcome.info.notes["last"] == "row 999"


def test_a_lost_head_ends_all_jobs_and_is_said(cluster: LittleCluster, executor: RayExecutor) -> None:
    executor.silence_seconds = 4.0
    executor.submit(script(1, "sleep", seconds=600))
    begun(executor, 1)
    cluster.kill_head()
    (event,) = ends(executor, [1]).values()
    assert event.kind == "node_lost"
    assert "head has not answered" in executor.capacity().lost
    with pytest.raises(ExecutionError, match="the Ray cluster is lost"):
        executor.submit(script(2))
