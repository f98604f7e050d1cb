"""Where does one driver saturate? The real scheduler, planner and proposers drive simulated workers in simulated time.

A worker does nothing but take its time: a job of a trial lasts as long as is asked for, give or take a fifth. What the
driver does is done for real, and the CPU seconds that it takes are added to the simulated clock, with those of a call
to a worker and back on top (`--call-ms`, as `checks/overhead.py` measures it). So workers idle exactly as long as a
driver of this machine would let them. Families have eight knobs each; the search begins with `--history` trials.

    python simulate.py --workers 64 256 512 1000 10000 --trial 1 60
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from simulated import answer, search, unbounded

from automl.execution.job import Dataset, Event, Job
from automl.execution.protocol import Capacity, NodeUse
from automl.search import suggestions as suggesting
from automl.search.proposer import Proposer

SPREAD = 0.2


class Time:
    """Simulated seconds: those that passed, and the CPU seconds of this thread."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return self.skipped + time.thread_time()

    def skip_to(self, moment: float) -> None:
        """Nothing happens until then."""
        self.skipped += max(0.0, moment - self())


class SimulatedWorkers:
    """An executor of so many workers, each of which holds one job beside the one it does."""

    isolates = True

    def __init__(self, now: Time, workers: int, seconds: float, call: float) -> None:
        self.now, self.workers, self.seconds, self.call = now, workers, seconds, call
        self.busy_seconds, self.done = 0.0, 0
        self.spans: list[tuple[float, float]] = []
        self._random = random.Random(0)
        self._idle = deque(range(workers))
        self._running: list[tuple[float, int, Job]] = []
        self._next: deque[Job] = deque()
        self._ended: list[Job] = []
        self._truth: Any = None

    def start(self) -> None:
        """Nothing."""

    def open(self, dataset: Dataset) -> None:
        """Remember what is to be predicted."""
        self._truth = dataset.table["f1"].values[dataset.folds[0].valid]

    def submit(self, job: Job) -> None:
        """To an idle worker, else to wait at the one that is first free."""
        self.now.skipped += 0.5 * self.call
        self._catch_up()
        if self._idle:
            self._begin(self._idle.popleft(), job, self.now())
        else:
            self._next.append(job)

    def _begin(self, worker: int, job: Job, moment: float) -> None:
        seconds = self.seconds * (1.0 + SPREAD * (2.0 * self._random.random() - 1.0))
        self.spans.append((moment, moment + seconds))
        heapq.heappush(self._running, (moment + seconds, worker, job))

    def _catch_up(self) -> None:
        """Workers that have ended went on by themselves with what waited for them."""
        while self._running and self._running[0][0] <= self.now():
            moment, worker, job = heapq.heappop(self._running)
            self._ended.append(job)
            if self._next:
                self._begin(worker, self._next.popleft(), moment)
            else:
                self._idle.append(worker)

    def wait(self, timeout: float) -> list[Event]:
        """What has ended; the clock moves on to the next end when nothing has."""
        self._catch_up()
        if not self._ended and self._running:
            self.now.skip_to(min(self._running[0][0], self.now() + timeout))
            self._catch_up()
        ended, self._ended = self._ended, []
        self.done += len(ended)
        self.now.skipped += 0.5 * self.call * len(ended)
        return [Event(job.id, "done", answer(job, self._truth, self.seconds)) for job in ended]

    def kill(self, job: int) -> None:
        """Only at the end, when it no longer matters."""

    def withdraw(self, job: int) -> bool:
        """What is submitted is done."""
        return False

    def capacity(self) -> Capacity:
        """All workers, all the time."""
        return Capacity(self.workers, self.workers - len(self._idle), free=len(self._idle))

    def nodes(self) -> list[NodeUse]:
        """None that are counted."""
        return []

    def close(self) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Found:
    """One simulated run.

    Attributes:
        workers: there were.
        trial: seconds of one.
        trials: that ended in the measured part.
        busy: share of the workers' seconds in which they had a trial, in the measured part.
        core: share of a core that the driver took, calls not counted.
        driver_ms, suggest_ms: CPU milliseconds a trial of the driver, calls not counted, and of its suggestions.
    """

    workers: int
    trial: float
    trials: int
    busy: float
    core: float
    driver_ms: float
    suggest_ms: float


class Suggesting:
    """Adds up what suggestions take; where they are made apart, the simulated clock does not count it."""

    def __init__(self, now: Time, apart: bool) -> None:
        self.now, self.apart, self.seconds = now, apart, 0.0
        self.ask = Proposer.ask

    def __call__(self, proposer: Proposer, turn: int | None = None) -> Any:
        """`Proposer.ask`."""
        started = time.thread_time()
        params = proposer.anything() if self.apart else self.ask(proposer, turn)
        took = time.thread_time() - started
        if self.apart:
            self.now.skipped -= took
        self.seconds += 0.0 if self.apart else took
        return params


@contextlib.contextmanager
def simulated_time(now: Time, asked: Suggesting) -> Iterator[None]:
    """The engine's clock shows `now`, and suggestions are made in the driver, through `asked`."""
    monotonic, many = time.monotonic, suggesting._MANY_SLOTS
    time.monotonic = now
    suggesting._MANY_SLOTS = 10**9
    Proposer.ask = lambda self, turn=None: asked(self, turn)  # type: ignore[method-assign]
    try:
        yield
    finally:
        time.monotonic, suggesting._MANY_SLOTS = monotonic, many
        Proposer.ask = asked.ask  # type: ignore[method-assign]


def simulate(workers: int, trial: float, call: float, history: int, measured: int, apart: bool = False) -> Found:
    """A run that ends after `measured` trials beyond its history and the first trials of all workers.

    apart: suggestions are made by another process, always in time.
    """
    now = Time()
    asked, executor = Suggesting(now, apart), SimulatedWorkers(now, workers, trial, call)
    begun, measured = max(history, 2 * workers), max(measured, 4 * workers)
    marks: list[tuple[float, float, float, int]] = []

    def stopped() -> bool:
        if not marks and executor.done >= begun:
            marks.append((now(), time.thread_time(), asked.seconds, executor.done))
        return executor.done >= begun + measured

    with simulated_time(now, asked), unbounded():
        search(executor, workers, 1e6 * trial, now(), stopped)
        end = now()
    start, cpu, suggested, done = marks[0]
    suggestions = asked.seconds - suggested
    worked = time.thread_time() - cpu - suggestions
    trials, wall = executor.done - done, end - start
    busy = sum(max(0.0, min(e, end) - max(s, start)) for s, e in executor.spans) / (workers * wall)
    core = (worked + (0.0 if apart else suggestions)) / wall
    return Found(workers, trial, trials, busy, core, 1000 * worked / trials, 1000 * suggestions / trials)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line for every number of workers and length of trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[64, 256, 512, 1000, 10000], metavar="N")
    parser.add_argument("--trial", type=float, nargs="+", default=[1.0, 60.0], help="seconds of a trial")
    parser.add_argument("--call-ms", type=float, default=1.0, help="driver's CPU for a call to a worker and back")
    parser.add_argument("--apart", action="store_true", help="suggestions are made by another process, always in time")
    parser.add_argument("--history", type=int, default=1000, help="trials before the measured part")
    parser.add_argument("--measured", type=int, default=2000, help="trials in it; at least four a worker")
    given = parser.parse_args(argv)
    print("workers  trial s    busy  driver's core  driver ms/trial  suggestion ms/trial  trials")
    for trial in given.trial:
        for workers in given.workers:
            found = simulate(workers, trial, given.call_ms / 1000, given.history, given.measured, given.apart)
            print(
                f"{workers:7} {trial:8g} {found.busy:7.1%} {found.core:14.1%} {found.driver_ms:16.2f} "
                f"{found.suggest_ms:20.2f} {found.trials:7}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
