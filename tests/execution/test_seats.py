"""Who gets which slots, memory and devices of which machine, with workers that only exist on paper."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from automl.contract import ExecutionError, Resources
from automl.execution.job import Dataset, Event, Job
from automl.execution.pool import PoolExecutor
from automl.execution.seats import Place, Seat, Seating
from automl.execution.workers import Ended, Ready, Worker
from automl.testing.scripted import script

GPU = Resources(cpus=1, gpus=1)
HALF = Resources(cpus=1, gpus=0.5)
WIDE = Resources(cpus=2)


class PaperWorker(Worker):
    """Ready at once; its job ends when the test says so."""

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.said: deque[Ready | Ended | Event] = deque([Ready()])
        self.killed = False

    def share(self) -> None:
        """Nothing to share."""

    def send(self, job: Job) -> None:
        """It stays until the test ends it."""

    def collect(self) -> Sequence[Ready | Ended | Event]:
        said = list(self.said)
        self.said.clear()
        return said

    def kill(self) -> None:
        self.killed = True

    def reap(self) -> None:
        """Nothing is left."""


class PaperPool(PoolExecutor):
    """A pool of them."""

    tick = 0.001

    def __init__(self, *places: Place, most: int | None = None) -> None:
        super().__init__(Seating(places, most))

    def _hire(self, seat: Seat) -> Worker:
        return PaperWorker(seat)

    def _share(self, dataset: Dataset) -> None:
        """Nothing to share."""

    def _listen(self, seconds: float) -> None:
        """Nobody says anything by himself."""

    def give(self, *jobs: Job) -> None:
        for job in jobs:
            self.submit(job)
        self.settle()

    def settle(self) -> list[Event]:
        """Two rounds: workers are hired, then they are ready."""
        return self.wait(0.0) + self.wait(0.0)

    def running(self) -> list[int]:
        return sorted(worker.job.id for worker in self._workers if worker.job is not None)

    def seat_of(self, job: int) -> Seat:
        return next(worker.seat for worker in self._workers if worker.job is not None and worker.job.id == job)

    def end(self, job: int, kind: Any = "done") -> list[Event]:
        worker = next(worker for worker in self._workers if worker.job is not None and worker.job.id == job)
        assert isinstance(worker, PaperWorker)
        worker.said.append(Ended(kind, "lost on purpose") if kind in ("crashed", "node_lost") else Event(job, kind))
        return self.settle()


def jobs(first: int, count: int, resources: Resources | None = None) -> list[Job]:
    return [script(i, resources=resources or Resources()) for i in range(first, first + count)]


def machine(key: str = "a", slots: int = 4, gpus: int = 0, memory: int = 0) -> Place:
    return Place(key, f"host {key}", slots, tuple(f"{key}{i}" for i in range(gpus)), memory)


def test_a_gpu_job_starts_though_cpu_jobs_hold_every_slot() -> None:
    pool = PaperPool(machine(slots=2, gpus=1))
    pool.give(*jobs(0, 5), script(9, resources=GPU))
    assert pool.running() == [0, 1, 9]


def test_cpu_jobs_run_on_though_more_gpu_jobs_wait_than_there_are_devices() -> None:
    pool = PaperPool(machine(slots=3, gpus=1))
    pool.give(*jobs(0, 6, GPU), *jobs(10, 6))
    assert pool.running() == [0, 10, 11]
    pool.end(10)
    assert pool.running() == [0, 11, 12]
    pool.end(0)
    assert pool.running() == [1, 11, 12]


def test_gpu_jobs_take_slots_from_cpu_jobs_to_come_but_never_the_last_one() -> None:
    pool = PaperPool(machine(slots=2, gpus=2))
    pool.give(*jobs(0, 4, HALF), *jobs(10, 3))
    assert pool.running() == [0, 1, 2, 3, 10]
    pool.end(10)
    assert pool.running() == [0, 1, 2, 3, 11]


def test_devices_are_never_given_twice() -> None:
    pool = PaperPool(machine(slots=8, gpus=2))
    pool.give(*jobs(0, 3, HALF), script(5, resources=GPU), *jobs(6, 2, HALF))
    assert pool.running() == [
        0,
        1,
        2,
    ]
    shares: dict[str, float] = {}
    for job in pool.running():
        for device in pool.seat_of(job).devices:
            shares[device] = shares.get(device, 0.0) + pool.seat_of(job).share
    assert shares == {"a0": 1.0, "a1": 0.5}
    pool.end(2)
    assert pool.running() == [0, 1, 5]  # the whole device came before the halves behind it


def test_a_wide_job_is_not_overtaken_for_ever() -> None:
    pool = PaperPool(machine(slots=2))
    pool.give(*jobs(0, 2), script(5, resources=WIDE), *jobs(6, 4))
    for job in (0, 1):
        pool.end(job)
    assert pool.running() == [5]
    pool.end(5)
    assert pool.running() == [6, 7]


def test_a_wide_job_that_waits_for_one_machine_leaves_the_others_busy() -> None:
    pool = PaperPool(machine("a", slots=2), machine("b", slots=1))
    pool.give(*jobs(0, 3), script(5, resources=WIDE), *jobs(6, 4))
    on_a = [job for job in (0, 1, 2) if pool.seat_of(job).place == "a"]
    (on_b,) = {0, 1, 2} - set(on_a)
    pool.end(on_b)
    assert 6 in pool.running()
    for job in on_a:
        pool.end(job)
    assert pool.seat_of(5) == Seat(2, place="a")


def test_a_wide_job_starts_beside_gpu_jobs_that_never_end() -> None:
    pool = PaperPool(machine(slots=2, gpus=1))
    pool.give(script(0, resources=GPU), script(1), script(2, resources=WIDE), script(3))
    assert pool.running() == [0, 1]
    pool.end(1)
    assert pool.running() == [0, 2]


def test_idle_workers_of_another_width_make_way() -> None:
    pool = PaperPool(machine("a", slots=2), machine("b", slots=2))
    pool.start()
    pool.give(*jobs(0, 2, WIDE))
    assert pool.running() == [0, 1]
    assert {pool.seat_of(0).place, pool.seat_of(1).place} == {"a", "b"}


def test_declared_memory_is_counted_per_machine() -> None:
    pool = PaperPool(machine("a", memory=10), machine("b", memory=10))
    pool.give(*jobs(0, 3, Resources(memory=6)), script(5))
    assert pool.running() == [0, 1, 5]
    pool.end(0)
    assert pool.running() == [1, 2, 5]


def test_with_one_slot_everything_takes_turns() -> None:
    pool = PaperPool(machine(slots=1, gpus=1))
    pool.give(script(0), script(1, resources=GPU), script(2))
    order = []
    for _ in range(3):
        (running,) = pool.running()
        order.append(running)
        pool.end(running)
    assert order == [0, 1, 2]


def test_no_more_run_than_the_user_allows_on_all_machines_together() -> None:
    pool = PaperPool(machine("a"), machine("b"), most=3)
    pool.give(*jobs(0, 6))
    assert len(pool.running()) == pool.capacity().slots == 3


def test_capacity_says_which_kind_could_take_more() -> None:
    pool = PaperPool(machine(slots=4, gpus=2))
    pool.give(*jobs(0, 3, GPU))
    assert (pool.capacity().free, pool.capacity().free_gpus) == (2, 0.0)
    pool.give(*jobs(10, 4))
    assert pool.capacity().free == 0


@pytest.mark.parametrize(
    ("need", "largest"),
    [
        (Resources(cpus=5), "the largest of 2 have 4 slots"),
        (Resources(gpus=3), "2 GPUs"),
        (Resources(memory=10**15), "16 GB"),
        (Resources(gpus=1.5), "whole number"),
    ],
)
def test_what_no_machine_can_run_is_refused_with_what_the_largest_has(need: Resources, largest: str) -> None:
    pool = PaperPool(machine("a", 4, memory=16 * 10**9), machine("b", 2, gpus=2, memory=8 * 10**9))
    with pytest.raises(ExecutionError, match=largest):
        pool.submit(script(1, resources=need))
    assert pool.capacity().busy == 0


def test_a_job_whose_worker_died_is_done_on_another_machine_the_next_time() -> None:
    pool = PaperPool(machine("a"), machine("b"))
    pool.give(script(0))
    first = pool.seat_of(0).place
    pool.end(0, "crashed")
    again = replace(script(0), id=1)
    pool.give(again)
    assert pool.seat_of(1).place != first


def test_jobs_of_a_machine_that_left_are_lost_and_new_machines_are_used() -> None:
    pool = PaperPool(machine("a", slots=1), machine("b", slots=1))
    pool.give(*jobs(0, 4))
    lost = next(job for job in (0, 1) if pool.seat_of(job).place == "a")
    pool._seat(Seating((machine("b", slots=1), machine("c", slots=2))))
    assert [(e.job, e.kind, e.message) for e in pool.settle()] == [(lost, "node_lost", "node host a was lost")]
    assert len(pool.running()) == pool.capacity().slots == 3


def test_a_job_that_no_machine_can_run_any_more_is_given_up() -> None:
    pool = PaperPool(machine("a", slots=2), machine("b", slots=1))
    pool.homeless_seconds = 0.0
    pool.give(*jobs(0, 3), script(5, resources=WIDE))
    pool._seat(Seating((machine("b", slots=1),)))
    ends = {event.job: event.kind for event in pool.settle()}
    assert ends[5] == "node_lost"


def test_when_everything_is_gone_every_job_ends_and_none_is_taken() -> None:
    pool = PaperPool(machine(slots=1))
    pool.give(*jobs(0, 3))
    pool._bereave("the head is lost")
    assert sorted((e.job, e.kind) for e in pool.settle()) == [(i, "node_lost") for i in range(3)]
    assert pool.capacity().lost == "the head is lost"
    with pytest.raises(ExecutionError, match="the head is lost"):
        pool.submit(script(9))


def test_workers_without_work_are_let_go_where_that_is_wanted() -> None:
    pool = PaperPool(machine())
    pool.start()
    pool.give(script(0))
    pool.idle_seconds = 0.0
    pool.settle()
    assert [worker.job.id for worker in pool._workers if worker.job] == [0]
    assert len(pool._workers) == 1


def test_a_long_job_gets_no_follower_where_jobs_must_be_brisk() -> None:
    pool = PaperPool(machine(slots=1))
    pool.brisk_seconds = 2.0
    PaperWorker.depth = 2
    try:
        pool.give(*jobs(0, 3))
        assert not any(worker.following for worker in pool._workers)
        pool.end(0)
        assert [worker.following.id for worker in pool._workers if worker.following] == [2]
    finally:
        PaperWorker.depth = 1


def test_a_worker_long_at_its_job_gets_no_follower_though_jobs_are_brisk_as_a_rule() -> None:
    pool = PaperPool(machine(slots=1))
    pool.brisk_seconds, pool._typical = 2.0, 0.1
    PaperWorker.depth = 2
    try:
        pool.give(script(0))
        (worker,) = pool._workers
        worker.since -= 10.0
        pool.give(script(1))
        assert worker.following is None
        pool.end(0)
        pool.give(script(2))
        assert pool.running() == [1]
        assert [worker.following.id for worker in pool._workers if worker.following] == [2]
    finally:
        PaperWorker.depth = 1


def test_each_machine_is_told_of_with_what_it_did() -> None:
    pool = PaperPool(machine("a", slots=1), machine("b", slots=1))
    pool.give(*jobs(0, 2))
    pool.end(0)
    pool.end(1, "crashed")
    assert [(node.name, node.slots, node.jobs) for node in pool.nodes()] == [("host a", 1, 1), ("host b", 1, 1)]


def test_when_it_is_not_known_which_of_two_jobs_killed_a_worker_each_runs_alone() -> None:
    pool = PaperPool(machine(slots=1))
    PaperWorker.depth, PaperWorker.orderly = 2, False
    try:
        pool._typical = 0.0
        pool.give(*jobs(0, 3))
        assert [worker.following.id for worker in pool._workers if worker.following] == [1]
        assert pool.end(0, "crashed") == []
        assert pool.running() == [0]
        assert not any(worker.following for worker in pool._workers)
        assert [event.kind for event in pool.end(0, "crashed")] == ["crashed"]
        assert pool.running() == [1]
    finally:
        PaperWorker.depth, PaperWorker.orderly = 1, True
