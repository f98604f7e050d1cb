"""What the driver's pool of workers costs, without Ray: who gets which job, as real machines and workers would be told.

The workers do nothing and answer at once when they are told to; what is measured is the CPU time that the pool itself
takes for a trial: while it fills, and then with one job ending and one submitted at a time.

    python pool.py --workers 64 256 1000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from automl.execution.job import Dataset, Event, Job
from automl.execution.pool import PoolExecutor
from automl.execution.seats import Place, Seat, Seating
from automl.execution.workers import Worker
from automl.testing.scripted import script

SLOTS_OF_A_MACHINE = 16


class Silent(Worker):
    """Holds a job until it is told to answer."""

    depth = 2

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.ready, self.said = True, []  # type: ignore[var-annotated]

    def share(self) -> None:
        """It needs no data."""

    def send(self, job: Job) -> None:
        """It has it."""

    def collect(self) -> Sequence[Any]:
        """What it was told to say."""
        said, self.said = self.said, []
        return said

    def kill(self) -> None:
        """There is nothing to end."""

    def reap(self) -> None:
        """There is nothing to free."""


class Silence(PoolExecutor):
    """A pool of them."""

    brisk_seconds = 0.0  # as with trials of some seconds: none is given its next job ahead

    def _hire(self, seat: Seat) -> Worker:
        return Silent(seat)

    def _share(self, dataset: Dataset) -> None:
        """Nobody needs it."""

    def _listen(self, seconds: float) -> None:
        """Nobody has anything to say."""


def cost(workers: int, trials: int) -> tuple[float, float]:
    """CPU milliseconds a trial: while the pool fills, and then."""
    machines = range(max(1, workers // SLOTS_OF_A_MACHINE))
    slots = min(workers, SLOTS_OF_A_MACHINE)
    pool = Silence(Seating(tuple(Place(str(n), f"node {n}", slots) for n in machines)))
    try:
        pool.start()
        began = time.process_time()
        for number in range(2 * workers):
            pool.submit(script(number))
        pool.wait(0.0)
        filled, began = time.process_time() - began, time.process_time()
        for number in range(2 * workers, 2 * workers + trials):
            busy = next(worker for worker in pool._workers if isinstance(worker, Silent) and worker.job is not None)
            assert busy.job is not None
            busy.said.append(Event(busy.job.id, "done"))
            ended = pool.wait(0.0)
            if [event.kind for event in ended] != ["done"]:
                raise SystemExit(f"expected the end of one job, not {ended}")
            pool.submit(script(number))
        return 1000 * filled / (2 * workers), 1000 * (time.process_time() - began) / trials
    finally:
        pool.close()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[64, 256, 1000])
    parser.add_argument("--trials", type=int, default=300)
    told = parser.parse_args()
    for workers in told.workers:
        filling, steady = cost(workers, told.trials)
        print(f"{workers:>6} workers: {filling:.3f} ms of CPU a job while it fills, {steady:.3f} ms a trial then")
    return 0


if __name__ == "__main__":
    sys.exit(main())
