"""A pool whose machines come, go, and sometimes do not work: nothing submitted is lost or given up too soon."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from automl.contract import ExecutionError, Resources
from automl.execution.job import Candidate, Dataset, Event, Job
from automl.execution.pool import PoolExecutor
from automl.execution.seats import Place, Seat, Seating
from automl.execution.workers import Ended, Ready, Worker
from automl.testing.scripted import script

GOOD, OTHER, BAD = Place("good", "good", 2), Place("other", "other", 2), Place("bad", "bad", 2)


class Obedient(Worker):
    """Answers a job at once, unless it is told to be silent; on a bad machine it does not come up."""

    depth = 2

    def __init__(self, seat: Seat, silent: bool) -> None:
        super().__init__(seat)
        self.silent = silent
        self.said: list[Any] = [Ended("crashed", "a library is missing") if seat.place == "bad" else Ready()]

    def share(self) -> None:
        """It needs no data."""

    def send(self, job: Job) -> None:
        if not self.silent:
            self.said.append(Event(job.id, "done"))

    def collect(self) -> Sequence[Any]:
        said, self.said = self.said[:1], self.said[1:]
        return said

    def kill(self) -> None:
        """Nothing to end."""

    def reap(self) -> None:
        """Nothing to free."""


class Pool(PoolExecutor):
    """Of them, on the machines that the test says."""

    expects = True
    silent = False
    hired: Counter[str] = Counter()

    def _hire(self, seat: Seat) -> Worker:
        self.hired[seat.place] += 1
        return Obedient(seat, self.silent)

    def _share(self, dataset: Dataset) -> None:
        """Nobody needs it."""

    def _listen(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.001))

    def move(self, *places: Place) -> None:
        """From now on these machines are there."""
        self._seat(Seating(places))


@pytest.fixture
def pool_on() -> Iterator[Callable[..., Pool]]:
    made: list[Pool] = []

    def make(*places: Place, silent: bool = False) -> Pool:
        pool = Pool(Seating(places))
        pool.silent, pool.hired = silent, Counter()
        made.append(pool)
        return pool

    yield make
    for pool in made:
        pool.close()


def ends(pool: Pool, count: int) -> dict[int, str]:
    """Job -> how it ended, of so many jobs; of those that have ended when it takes too long."""
    found: dict[int, str] = {}
    until = time.monotonic() + 5.0
    while len(found) < count and time.monotonic() < until:
        found |= {event.job: event.kind for event in pool.wait(0.02)}
    return found


def test_jobs_wait_while_there_is_no_machine_and_run_when_one_comes(pool_on: Any) -> None:
    pool = pool_on()
    for number in range(4):
        pool.submit(script(number))
    assert pool.wait(0.05) == []
    pool.move(GOOD)
    assert ends(pool, 4) == dict.fromkeys(range(4), "done")
    pool.move()
    pool.submit(script(4))
    assert pool.wait(0.05) == []
    pool.move(OTHER)
    assert ends(pool, 1) == {4: "done"}


def test_what_no_machine_was_ever_large_enough_for_is_refused(pool_on: Any) -> None:
    pool = pool_on(GOOD)
    pool.move(Place("small", "small", 1))
    pool.submit(Job(1, Candidate("scripted", {}), 0, script(1).model, resources=Resources(cpus=2)))
    with pytest.raises(ExecutionError, match="needs 3 slots, 0 GPUs on one machine; this one has 1 slots"):
        pool.submit(Job(2, Candidate("scripted", {}), 0, script(2).model, resources=Resources(cpus=3)))
    pool.move()
    with pytest.raises(ExecutionError, match="cpus start at 1"):
        pool.submit(Job(3, Candidate("scripted", {}), 0, script(3).model, resources=Resources(cpus=0)))


def test_a_machine_on_which_no_worker_comes_up_costs_no_job(pool_on: Any) -> None:
    pool = pool_on(BAD, GOOD)
    pool.start()
    for number in range(20):
        pool.submit(script(number))
    with pytest.warns(UserWarning, match="do not start on bad, which gets no jobs for now: a library is missing"):
        ended = ends(pool, 20)
    assert ended == dict.fromkeys(range(20), "done")
    assert pool.hired["bad"] <= 4


def test_where_no_machine_gets_workers_up_the_jobs_fail_and_say_why(pool_on: Any) -> None:
    pool = pool_on(BAD)
    for number in range(2):
        pool.submit(script(number))
        (event,) = [event for event in [*pool.wait(1.0), *pool.wait(0.1)] if event.job == number]
        assert (event.kind, event.message) == ("crashed", "workers do not start: a library is missing")


def test_an_answer_out_of_turn_leaves_the_first_job_to_its_own_end(pool_on: Any) -> None:
    pool = pool_on(Place("one", "one", 1), silent=True)
    pool.brisk_seconds = 60.0
    pool._typical = 1.0
    for number in (1, 2):
        pool.submit(script(number))
        pool.wait(0.05)
    (worker,) = pool._workers
    assert (worker.job.id, worker.following.id) == (1, 2)
    worker.said = [Event(2, "done"), Ended("node_lost", "its node has died")]
    assert ends(pool, 2) == {2: "done", 1: "node_lost"}
