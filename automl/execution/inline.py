"""Runs jobs in the driver's own process, one after the other: for tests and debugging, never for strangers' code."""

from __future__ import annotations

import platform
import time
from collections import deque

from automl.execution.fold_views import forget_views
from automl.execution.job import Dataset, Event, Job
from automl.execution.limits import available_cpus, gpu_devices, total_memory
from automl.execution.protocol import Capacity, NodeUse
from automl.execution.running import UNIT, Runner, find_runner, run_safely
from automl.execution.seats import Place, Seating
from automl.execution.tally import Tally


class InlineExecutor:
    """Each `wait` runs one job, in the order of submission, for as long as that takes.

    A crash or hang of a plugin is one of the whole program; `hard_seconds` and `memory` are not enforced, and `kill`
    reaches only jobs that wait.
    """

    isolates = False

    def __init__(self, runner: str | Runner = UNIT) -> None:
        self._runner = runner
        self._dataset: Dataset | None = None
        self._queue: deque[Job] = deque()
        self._ended: list[Event] = []
        self._tally = Tally()
        self._tally.seen(platform.node(), 1)

    def start(self) -> None:
        """Nothing to warm up."""

    def open(self, dataset: Dataset) -> None:
        """Keep the data."""
        self._dataset = dataset

    def submit(self, job: Job) -> None:
        """Queue a job. Raises ExecutionError when this machine lacks the cores, devices or memory."""
        Seating((Place(slots=available_cpus(), devices=gpu_devices(), memory=total_memory()),)).check(job)
        self._queue.append(job)

    def wait(self, timeout: float) -> list[Event]:
        """Run the next job here; its progress reports and its end. Empty when there is none."""
        if self._ended:
            ended, self._ended = self._ended, []
            return ended
        if not self._queue:
            return []
        job = self._queue.popleft()
        events: list[Event] = []

        def progress(step: int, value: float) -> None:
            events.append(Event(job.id, "progress", step=step, value=value))

        began = time.monotonic()
        events.append(run_safely(find_runner(self._runner), job, self._dataset, progress))
        self._tally.ended(platform.node(), events[-1], time.monotonic() - began, 1)
        return events

    def kill(self, job: int) -> None:
        """Take a waiting job off the queue."""
        if self.withdraw(job):
            self._ended.append(Event(job, "timeout", message="ended on request before it began"))

    def withdraw(self, job: int) -> bool:
        """Take a waiting job off the queue, without an event."""
        waiting = next((waiting for waiting in self._queue if waiting.id == job), None)
        if waiting is not None:
            self._queue.remove(waiting)
        return waiting is not None

    def capacity(self) -> Capacity:
        """One slot."""
        return Capacity(1, len(self._queue), float(len(gpu_devices())))

    def nodes(self) -> list[NodeUse]:
        """This machine."""
        return self._tally.all()

    def close(self) -> None:
        """Forget everything."""
        self._queue.clear()
        self._ended.clear()
        if self._dataset is not None:
            forget_views(self._dataset)
        self._dataset = None


def opened(dataset: Dataset) -> InlineExecutor:
    """One that has this data."""
    inline = InlineExecutor()
    inline.open(dataset)
    return inline
