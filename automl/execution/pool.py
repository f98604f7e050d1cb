"""Queue, slots, deadlines and losses of a pool of workers: what local processes and Ray actors have in common."""

from __future__ import annotations

import os
import platform
import time
import weakref
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Protocol

from automl.contract import ExecutionError
from automl.execution.job import Dataset, Event, Job
from automl.execution.protocol import Capacity, NodeUse
from automl.execution.seats import Seat, Seating
from automl.execution.tally import Tally
from automl.execution.workers import Ended, Ready, Worker

_START_ATTEMPTS = 3


class Closable(Protocol):
    """What the pool gives back at the end, after its workers: shared data, a cluster."""

    def close(self) -> None: ...


class PoolExecutor(ABC):
    """Gives queued jobs to workers first come, first served, and turns every way a worker can end into one event.

    A job with ``cpus=k`` takes k slots and a worker started with k threads. A worker that has run a model before is
    preferred for it. `wait` returns at once when no job is queued or running.
    """

    isolates = True
    tick = 0.1
    """Seconds between looks at the memory and the pulse of busy workers."""
    start_seconds = 300.0
    """A worker that is not ready by then counts as lost."""

    def __init__(self, seating: Seating, memory: int = 0) -> None:
        self._seating = seating
        self._memory = memory
        self._queue: deque[Job] = deque()
        self._workers: list[Worker] = []
        self._events: list[Event] = []
        self._held: list[Closable] = []
        self._tally = Tally()
        self._failed_starts = 0
        self._closed = False
        self._finalizer = weakref.finalize(self, end_all, self._workers, self._held, os.getpid())

    # -- what a kind of worker brings -------------------------------------------------------------------------------

    @abstractmethod
    def _hire(self, seat: Seat) -> Worker:
        """Begin to start a worker and return without waiting for it. It gets the data when there is some."""

    @abstractmethod
    def _share(self, dataset: Dataset) -> None:
        """Publish the data; the pool then calls `Worker.share` on the workers that live."""

    @abstractmethod
    def _listen(self, seconds: float) -> None:
        """Sleep until a worker has something to say, at most so long."""

    # -- the interface ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to warm up one worker per slot."""
        self._check_open()
        seat = Seat()
        while self._seating.room(self._workers, seat):
            self._workers.append(self._hire(seat))

    def open(self, dataset: Dataset) -> None:
        """Share the data with the workers that live and those to come."""
        self._check_open()
        self._share(dataset)
        for worker in self._workers:
            worker.share()

    def submit(self, job: Job) -> None:
        """Queue a job, and hand it out when a worker is ready."""
        self._check_open()
        self._seating.check(job)
        self._queue.append(job)
        self._collect()
        self._dispatch()

    def wait(self, timeout: float) -> list[Event]:
        """What happened, after at most `timeout` seconds. Nothing, once closed."""
        if self._closed:
            return []
        until = time.monotonic() + timeout
        while True:
            self._collect()
            self._police()
            self._dispatch()
            left = until - time.monotonic()
            if self._events or left <= 0 or not (self._queue or self._busy()):
                break
            self._listen(min(left, max(0.005, self._next_look())))
        events, self._events = self._events, []
        return events

    def kill(self, job: int) -> None:
        """End a job hard, unless it has just ended by itself."""
        if self._closed:
            return
        self._collect()
        for waiting in self._queue:
            if waiting.id == job:
                self._queue.remove(waiting)
                self._events.append(Event(job, "timeout", message="ended on request before it began"))
                return
        for worker in self._busy():
            if worker.following is not None and worker.following.id == job:
                worker.void.add(job)
                self._events.append(Event(job, "timeout", message="ended on request before it began"))
                return
            if worker.job is not None and worker.job.id == job and job not in worker.void:
                self._stop(worker, Event(job, "timeout", message="ended on request"))
                return

    def capacity(self) -> Capacity:
        """Slots, busy jobs and devices."""
        held = sum(job is not None for worker in self._workers for job in (worker.job, worker.following))
        return Capacity(self._seating.slots, len(self._queue) + held, self._seating.gpus)

    def nodes(self) -> list[NodeUse]:
        """What each machine did; those that are there now come with the slots that they have."""
        self._tally.seen(platform.node(), self._seating.slots)
        return self._tally.all()

    def close(self) -> None:
        """End all workers and free the shared data."""
        self._closed = True
        self._queue.clear()
        self._events.clear()
        self._finalizer()

    # -- one round ---------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Take in what the workers have said since the last look."""
        for worker in tuple(self._workers):
            for message in worker.collect():
                if isinstance(message, Ready):
                    worker.ready = True
                    self._failed_starts = 0
                elif isinstance(message, Ended):
                    self._lost(worker, message)
                    break
                elif message.kind == "progress":
                    self._events.append(message)
                else:
                    self._finished(worker, message)

    def _finished(self, worker: Worker, event: Event) -> None:
        self._report(worker, event)
        worker.rest()
        if worker.swollen():
            self._discard(worker)
            self._replace(worker.seat)

    def _lost(self, worker: Worker, end: Ended) -> None:
        job = worker.job
        self._discard(worker)
        if job is not None:
            self._report(worker, Event(job.id, end.kind, message=end.message, detail=end.detail))
        elif not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _START_ATTEMPTS:
                self._give_up(end)
        self._replace(worker.seat)

    def _give_up(self, end: Ended) -> None:
        """Workers do not even start: fail what waits, so that the caller hears of it."""
        self._failed_starts = 0 if self._queue else self._failed_starts
        for job in self._queue:
            message = f"workers do not start: {end.message}"
            self._events.append(Event(job.id, "crashed", message=message, detail=end.detail))
        self._queue.clear()

    def _police(self) -> None:
        """End jobs past their hard limit or memory cap, and workers that never get ready."""
        now = time.monotonic()
        for worker in tuple(self._workers):
            job = worker.job
            if job is None:
                if not worker.ready and now - worker.since > self.start_seconds:
                    self._lost(worker, Ended("crashed", f"not ready {self.start_seconds:.0f} s after its start"))
            elif now - worker.since > job.hard_seconds and not worker.talking():
                message = f"ended at its hard limit of {job.hard_seconds:.1f} s"
                self._stop(worker, Event(job.id, "timeout", message=message))
            elif job.memory and (held := worker.memory()) > job.memory:
                message = f"held {held / 1e9:.2f} GB of memory, over its cap of {job.memory / 1e9:.2f} GB"
                self._stop(worker, Event(job.id, "oom", message=message))
        if self._memory:
            self._police_total()

    def _police_total(self) -> None:
        held = {worker: worker.memory() for worker in self._workers}
        busy = [worker for worker in self._busy() if worker.job is not None]
        if sum(held.values()) > self._memory and busy:
            worst = max(busy, key=held.__getitem__)
            message = (
                f"workers held {sum(held.values()) / 1e9:.2f} GB in all, over the cap of {self._memory / 1e9:.2f} GB, "
                f"and this one the most ({held[worst] / 1e9:.2f} GB)"
            )
            self._stop(worst, Event(worst.job.id if worst.job else -1, "oom", message=message))

    def _dispatch(self) -> None:
        """Give the queue to workers in order; nothing overtakes a job that waits for slots."""
        plan = self._seating.plan(self._workers)
        for job in tuple(self._queue):
            if plan.full(job):
                self._give_ahead(job)
                break
            seat = plan.seat(job)
            if seat is None:
                continue
            worker = plan.take(seat, job.model.name)
            if worker is None:
                for idle in plan.make_room(seat):
                    self._discard(idle)
                self._workers.append(self._hire(seat))
            elif worker.ready:
                self._queue.remove(job)
                worker.begin(job)

    def _give_ahead(self, job: Job) -> None:
        """Let a busy worker have the head of the queue already, so that it need not wait for the driver in between."""
        seat = Seat(job.resources.cpus)
        if job.resources.gpus:
            return
        free = [w for w in self._busy() if w.seat == seat and w.following is None and w.depth > 1]
        if free:
            self._queue.remove(job)
            max(free, key=lambda worker: (job.model.name in worker.models, -worker.since)).begin(job)

    def _report(self, worker: Worker, event: Event) -> None:
        """Pass on how a job ended, unless it was called off before."""
        if worker.job is not None and event.job == worker.job.id:
            self._tally.ended(platform.node(), event, time.monotonic() - worker.since, worker.seat.threads)
        if event.job not in worker.void:
            self._events.append(event)

    # -- workers come and go -----------------------------------------------------------------------------------------

    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def _stop(self, worker: Worker, event: Event) -> None:
        self._report(worker, event)
        self._discard(worker)
        self._replace(worker.seat)

    def _discard(self, worker: Worker) -> None:
        self._workers.remove(worker)
        if worker.following is not None and worker.following.id not in worker.void:
            self._queue.appendleft(worker.following)
        worker.kill()
        worker.reap()

    def _replace(self, seat: Seat) -> None:
        """Have a fresh worker warm before the next job needs it."""
        if self._failed_starts < _START_ATTEMPTS and not seat.devices and self._seating.room(self._workers, seat):
            self._workers.append(self._hire(seat))

    def _next_look(self) -> float:
        now = time.monotonic()
        limits = [worker.since + worker.job.hard_seconds - now for worker in self._workers if worker.job is not None]
        return min([self.tick, *(limit + 0.001 for limit in limits)])

    def _check_open(self) -> None:
        if self._closed:
            raise ExecutionError("this executor has been closed; make a new one")


def end_all(workers: list[Worker], held: list[Any], owner: int) -> None:
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
