"""How much of their time are workers busy when trials take but a second? The real driver, simulated trials, on Ray.

Logical workers are coroutines in a few actors of a Ray of this machine: each sleeps through its trials, one after the
other, with one more at hand. Driver, suggestions with 1,000 trials of history, and all that goes over Ray are real.
Measured for `--seconds` after a warm-up, busy is the seconds slept over workers x wall; beside it stand the cores that
the driver, the process that makes suggestions, and the actors took.

    python saturation.py --workers 64 256 512
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
from simulated import KNOBS, answer, search, unbounded

from automl.execution.job import Candidate, Dataset, Event, Job, Outcome
from automl.execution.protocol import Capacity, NodeUse
from automl.search.board import Board
from automl.search.planner import Planner
from automl.search.trial import FoldResult

PER_ACTOR = 128
WANTED = {64: 0.98, 256: 0.97, 512: 0.95}
MOST_CORE = {256: 0.5}


class Sleepers:
    """An actor of some logical workers."""

    def __init__(self, workers: int, seconds: float, truth: Any) -> None:
        self.workers, self.seconds, self.truth = workers, seconds, truth
        self.jobs: asyncio.Queue[Job] = asyncio.Queue()
        self.done: list[tuple[int, Outcome]] = []
        self.some = asyncio.Event()
        self.slept = 0.0
        self.tasks: list[Any] = []

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            job = await self.jobs.get()
            started = loop.time()
            await asyncio.sleep(self.seconds)
            self.slept += min(self.seconds, loop.time() - started)
            self.done.append((job.id, answer(job, self.truth, self.seconds)))
            self.some.set()

    async def put(self, jobs: list[Job]) -> None:
        """More to do."""
        if not self.tasks:
            self.tasks = [asyncio.create_task(self._work()) for _ in range(self.workers)]
        for job in jobs:
            self.jobs.put_nowait(job)

    async def take(self) -> list[tuple[int, Outcome]]:
        """What is done, once something is."""
        await self.some.wait()
        self.some.clear()
        done, self.done = self.done, []
        return done

    async def seconds_slept(self) -> tuple[float, float]:
        """In all, by all; and CPU seconds of this process."""
        times = psutil.Process().cpu_times()
        return self.slept, times.user + times.system


@dataclass
class _Seat:
    """An actor, and how many jobs it has."""

    actor: Any
    workers: int
    jobs: int = 0
    told: list[Job] = field(default_factory=list)


class SleepingWorkers:
    """An executor of so many logical workers in a few actors; no worker has more than two jobs."""

    isolates = True

    def __init__(self, ray: Any, workers: int, seconds: float) -> None:
        self.ray, self.workers, self.seconds = ray, workers, seconds
        self.done = 0
        self._seats: list[_Seat] = []
        self._where: dict[int, _Seat] = {}
        self._takes: dict[Any, _Seat] = {}

    def start(self) -> None:
        """Nothing."""

    def open(self, dataset: Dataset) -> None:
        """Start the actors."""
        truth = dataset.table["f1"].values[dataset.folds[0].valid]
        left = self.workers
        while left:
            count = min(PER_ACTOR, left)
            actor = self.ray.remote(Sleepers).options(num_cpus=0, max_concurrency=1000)
            self._seats.append(_Seat(actor.remote(count, self.seconds, truth), count))
            left -= count
        for seat in self._seats:
            self._takes[seat.actor.take.remote()] = seat

    def submit(self, job: Job) -> None:
        """To the actor that has least to do; it is told in `wait`, with others."""
        seat = min(self._seats, key=lambda seat: seat.jobs / seat.workers)
        seat.jobs += 1
        seat.told.append(job)
        self._where[job.id] = seat

    def wait(self, timeout: float) -> list[Event]:
        """What has ended."""
        for seat in self._seats:
            if seat.told:
                seat.actor.put.remote(seat.told)
                seat.told = []
        ready, _ = self.ray.wait(list(self._takes), num_returns=1, timeout=timeout)
        if ready and len(self._takes) > 1:
            ready, _ = self.ray.wait(list(self._takes), num_returns=len(self._takes), timeout=0)
        events = []
        for reference in ready:
            seat = self._takes.pop(reference)
            for job, outcome in self.ray.get(reference):
                self._where.pop(job).jobs -= 1
                events.append(Event(job, "done", outcome))
            self._takes[seat.actor.take.remote()] = seat
        self.done += len(events)
        return events

    def slept(self) -> tuple[float, float]:
        """Seconds that all workers have slept, and CPU seconds of their actors."""
        found = self.ray.get([seat.actor.seconds_slept.remote() for seat in self._seats])
        return sum(slept for slept, _ in found), sum(cpu for _, cpu in found)

    def kill(self, job: int) -> None:
        """Only at the end, when it no longer matters."""

    def withdraw(self, job: int) -> bool:
        """What is submitted is done."""
        return False

    def capacity(self) -> Capacity:
        """All workers."""
        return Capacity(self.workers, len(self._where), free=max(0, self.workers - len(self._where)))

    def nodes(self) -> list[NodeUse]:
        """None that are counted."""
        return []

    def close(self) -> None:
        """End the actors."""
        for seat in self._seats:
            self.ray.kill(seat.actor)


def past(trials: int) -> Any:
    """Puts so many trials on the board, as if they had been."""

    def put(planner: Planner, board: Board) -> None:
        rng = np.random.default_rng(1)
        families = planner.field.contenders()
        for number in range(trials):
            family = families[number % len(families)]
            params = {knob: float(rng.random()) for knob in KNOBS}
            trial = board.add(family, Candidate(family.name, params), "search")
            assert trial is not None
            truth = np.zeros(400)
            outcome = answer(Job(number, trial.candidate, 0, family.reference), truth, 1.0)
            assert outcome.predictions is not None
            trial.score = -float(np.sqrt(np.mean(outcome.predictions.as_array() ** 2)))
            trial.results[0] = FoldResult(trial.score, outcome.predictions, outcome.info, 1.0, 1.0, 0.0, 0.001)
            trial.submitted.add(0)
            board.noted(trial, 0)
            trial.state, trial.told = "ok", True
            planner.learn(trial)

    return put


@dataclass(frozen=True)
class Found:
    """Shares: of the workers' time that they were busy; of a core that driver, suggestions and actors took."""

    workers: int
    busy: float
    driver: float
    suggestions: float
    actors: float
    rate: float


def measure(ray: Any, workers: int, trial: float, history: int, warm: float, seconds: float) -> Found:
    """One search."""
    executor = SleepingWorkers(ray, workers, trial)
    started = time.monotonic()
    marks: list[tuple[float, float, float, float, float, int]] = []

    def mark() -> None:
        slept, actors = executor.slept()
        mine = time.process_time()
        children = [p.cpu_times() for p in psutil.Process().children() if _suggests(p)]
        marks.append((time.monotonic(), slept, mine, sum(t.user + t.system for t in children), actors, executor.done))

    def stopped() -> bool:
        now = time.monotonic() - started
        if len(marks) == 0 and now >= warm:
            mark()
        if len(marks) == 1 and now >= warm + seconds:
            mark()
        return len(marks) == 2

    try:
        with unbounded():
            search(executor, workers, 1e6, started, stopped, past(history))
    finally:
        executor.close()
    wall, slept, mine, children, actors, done = (b - a for a, b in zip(*marks, strict=True))
    return Found(workers, slept / (workers * wall), mine / wall, children / wall, actors / wall, done / wall)


def _suggests(process: psutil.Process) -> bool:
    try:
        return "automl.search.suggestions" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line for each number of workers; 1 when one of the shares asked for is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[64, 256, 512], metavar="N")
    parser.add_argument("--trial", type=float, default=1.0, help="seconds of a trial")
    parser.add_argument("--history", type=int, default=1000, help="trials before the first")
    parser.add_argument("--warm-up", type=float, default=10.0, help="seconds before the measured part")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured")
    given = parser.parse_args(argv)
    import ray

    local: dict[str, Any] = {
        "num_cpus": 2,
        "include_dashboard": False,
        "log_to_driver": False,
        "_node_ip_address": "127.0.0.1",
    }
    ray.init("local", **local)
    missed = False
    try:
        print("workers    busy  asked  trials/s  driver's core  suggestions'  actors'")
        for workers in given.workers:
            found = measure(ray, workers, given.trial, given.history, given.warm_up, given.seconds)
            asked = WANTED.get(workers, 0.0) if given.trial == 1.0 else 0.0
            core = MOST_CORE.get(workers, 1.0)
            missed |= found.busy < asked or found.driver > core
            print(
                f"{workers:7} {found.busy:7.1%} {asked:6.0%} {found.rate:9.1f} {found.driver:14.1%} "
                f"{found.suggestions:13.1%} {found.actors:8.1%}",
                flush=True,
            )
    finally:
        ray.shutdown()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
