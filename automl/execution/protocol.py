"""The one interface behind which inline, local processes and Ray hide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from automl.execution.job import Dataset, Event, Job


@dataclass(frozen=True)
class Capacity:
    """How much can run.

    Attributes:
        slots: jobs that can run at once. May change while a cluster grows and shrinks.
        busy: jobs submitted and not ended.
        gpus: devices in all.
        free, free_gpus: slots and devices that no submitted job has, nor waits for.
        lost: why nothing will ever run here again, or "": the cluster is gone.
        memory: bytes for one slot on the machine of a cluster that has least; 0 where that is not known.
    """

    slots: int
    busy: int
    gpus: float = 0.0
    free: int = 0
    free_gpus: float = 0.0
    lost: str = ""
    memory: int = 0


@dataclass(frozen=True)
class NodeUse:
    """What one machine did for an executor, from its start to now.

    Attributes:
        name: of the machine, as people know it.
        slots: jobs that can run there at once.
        jobs: jobs that ended there, whatever their end.
        busy_seconds: seconds of its slots in which they had a job; a job of k slots counts k times.
        cpu_seconds: of the jobs that came back with an outcome.
    """

    name: str
    slots: int
    jobs: int
    busy_seconds: float
    cpu_seconds: float


class Executor(Protocol):
    """Runs jobs somewhere. Not thread-safe: one driver thread owns it.

    `isolates` says whether a job's crash, hang or memory hunger can be survived; only then are ``hard_seconds``,
    ``memory`` and `kill` honoured.
    """

    isolates: bool

    def start(self) -> None:
        """Begin to warm up workers; returns at once. Calling it is optional."""

    def open(self, dataset: Dataset) -> None:
        """Share the data with all workers, once, before the first job. Returns without waiting for workers."""

    def submit(self, job: Job) -> None:
        """Queue a job. Raises ExecutionError when its resources can never be had here."""

    def wait(self, timeout: float) -> list[Event]:
        """Events since the last call, after at most `timeout` seconds; sooner when there is one. May be empty."""

    def kill(self, job: int) -> None:
        """End a job hard; its event is ``timeout``. Unknown or ended jobs are ignored."""

    def withdraw(self, job: int) -> bool:
        """Call off a job that has not begun, without an event. False for one that runs or has ended."""

    def capacity(self) -> Capacity:
        """How much can run."""

    def nodes(self) -> list[NodeUse]:
        """What each machine did, those that are gone too; nothing where nobody counts."""
        return []

    def close(self) -> None:
        """End all workers, hard, within a second; no process, file or shared memory is left. May be called twice."""
