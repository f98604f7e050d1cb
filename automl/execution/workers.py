"""What the pool knows of one worker, local or remote, what a worker can say, and how all are ended."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from automl.execution.job import Event, Job
from automl.execution.seats import Seat


@dataclass(frozen=True)
class Ready:
    """It has the current data and can take a job."""


@dataclass(frozen=True)
class Ended:
    """It is gone, with the job it had. `kind` and `own` are those of that job's event."""

    kind: Literal["crashed", "oom", "node_lost"]
    message: str
    detail: str = ""
    own: bool = True


class Worker(ABC):
    """One worker process, which runs one job at a time.

    Class attribute `depth`: jobs that it may hold; with 2, it begins the next without waiting for the driver.
    Class attribute `orderly`: what it has said before its end is always heard, so that its end is that of `job`.

    Attributes:
        seat: what it was started with.
        job: what it runs now.
        following: what it has been given already and runs next.
        void: `following` or `job` is not wanted any more; what it answers is dropped.
        ready: it can take a job when it has none.
        since: monotonic time at which it was started, or given the job it runs.
        models: names of the models it has run, whose libraries it therefore has in memory.
    """

    depth: ClassVar[int] = 1
    orderly: ClassVar[bool] = True

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.job: Job | None = None
        self.following: Job | None = None
        self.void: set[int] = set()
        self.ready = False
        self.since = time.monotonic()
        self.models: set[str] = set()

    def begin(self, job: Job) -> None:
        """Run a job, or run it next."""
        if self.job is None:
            self.job, self.since = job, time.monotonic()
        else:
            self.following = job
        self.models.add(job.model.name)
        self.send(job)

    def rest(self) -> None:
        """The job is over; the next one, if it has one, runs."""
        self.job, self.following, self.since = self.following, None, time.monotonic()

    @abstractmethod
    def share(self) -> None:
        """Make the data now published known to it; it says `Ready` when it has it."""

    @abstractmethod
    def send(self, job: Job) -> None:
        """Hand over the job. A worker that is gone says so in `collect`."""

    @abstractmethod
    def collect(self) -> Sequence[Ready | Ended | Event]:
        """What it has said since the last call, `Ended` last. Never blocks."""

    @abstractmethod
    def kill(self) -> None:
        """End it and its children, hard, without waiting."""

    @abstractmethod
    def reap(self) -> None:
        """After `kill`: wait a moment for it to be gone, and free what was kept for it."""

    def recall(self) -> bool:
        """Take the following job away from it, if that can be done: nothing is heard of that call any more."""
        return False

    def pass_over(self, job: int) -> None:  # noqa: B027 - some cannot be told, and run it
        """Tell it not to begin the following job; it answers for it all the same."""

    def talking(self) -> bool:
        """Is its result on the way right now?"""
        return False

    def memory(self) -> int:
        """Bytes it and its children hold, without the shared data; 0 when it watches that itself."""
        return 0

    def swollen(self) -> bool:
        """Has it kept so much memory that a fresh one is better?"""
        return False


class Closable(Protocol):
    """What the pool gives back at the end, after its workers: shared data, a cluster."""

    def close(self) -> None: ...


def end_all(workers: list[Worker], held: list[Closable], owner: int) -> None:
    """End the workers, then what they shared, latest first. A forked child of the driver must not do that."""
    if os.getpid() != owner:
        return
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.reap()
    workers.clear()
    for thing in reversed(held):
        thing.close()
    held.clear()
