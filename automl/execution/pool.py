"""Queue, slots, deadlines and losses of a pool of workers: what local processes and Ray actors have in common."""

from __future__ import annotations

import math
import os
import time
import warnings
import weakref
from abc import ABC, abstractmethod
from collections import deque
from typing import Literal

from automl.contract import ExecutionError
from automl.execution.job import Dataset, Event, Job
from automl.execution.machines import Machines
from automl.execution.protocol import Capacity, NodeUse
from automl.execution.seats import Offer, Seat, Seating
from automl.execution.tally import Tally
from automl.execution.workers import Closable, Ended, Ready, Worker, end_all

_DEVICE_SECONDS = 10.0
_LATEST = 0.1


class PoolExecutor(ABC):
    """Gives queued jobs to workers as `seats` plans it, and turns every way a worker can end into one event.

    A job with ``cpus=k`` takes k slots and a worker started with k threads. A worker that has run a model before is
    preferred for it, and one on another machine for a job that has lost a worker before. `wait` returns at once when no
    job is queued or running.
    """

    isolates = True
    tick = 0.1
    """Seconds between looks at the memory and the pulse of busy workers."""
    start_seconds = 300.0
    """A worker that is not ready by then counts as lost."""
    start_failure: Literal["crashed", "node_lost"] = "crashed"
    """What it then counts as. A machine whose workers crash at their start three times in a row is left alone for a
    minute; where that goes for all machines, the jobs that wait fail."""
    brisk_seconds = math.inf
    """Where jobs take less, a busy worker may be given its next job ahead; else that job could wait long for it."""
    expects = False
    """May machines still come when none has been seen? Jobs wait for them."""
    idle_seconds = math.inf
    """A worker that has had no job for so long is let go."""
    homeless_seconds = 60.0
    """A job that none of the machines that are there can run, though one could that has left, is given up after so
    long. While there is no machine at all it waits."""

    def __init__(self, seating: Seating, memory: int = 0) -> None:
        self._machines = Machines(self.expects)
        self._memory = memory
        self._queue: deque[Job] = deque()
        self._workers: list[Worker] = []
        self._events: list[Event] = []
        self._held: list[Closable] = []
        self._tally = Tally()
        self._mishaps: dict[tuple[str, int], set[str]] = {}
        self._shunned: dict[int, set[str]] = {}
        self._alone: set[int] = set()
        self._free, self._free_devices = seating.slots, seating.gpus
        self._gone = ""
        self._typical = math.inf
        self._closed = False
        self._seat(seating)
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
        while (seat := self._machines.usable().home(self._workers, Seat())) is not None:
            self._workers.append(self._hire(seat))

    def open(self, dataset: Dataset) -> None:
        """Share the data with the workers that live and those to come."""
        self._check_open()
        self._share(dataset)
        for worker in self._workers:
            worker.share()

    def submit(self, job: Job) -> None:
        """Queue a job; the next `wait` hands it out: a plan looks at all workers, so one is made for all new jobs."""
        self._check_open()
        if self._gone:
            raise ExecutionError(self._gone)
        self._machines.check(job)
        self._machines.try_again()
        if self._mishaps:
            self._shunned[job.id] = self._mishaps.get((job.candidate.key, job.fold), set())
        self._queue.append(job)
        if job.resources.gpus:
            self._free_devices = max(0.0, self._free_devices - job.resources.gpus)
        else:
            self._free = max(0, self._free - job.resources.cpus)

    def wait(self, timeout: float) -> list[Event]:
        """What happened, after at most `timeout` seconds. Nothing, once closed."""
        if self._closed:
            return []
        until = time.monotonic() + timeout
        while True:
            self._look_around()
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
        if self.withdraw(job):
            self._events.append(Event(job, "timeout", message="ended on request before it began"))
            return
        for worker in self._busy():
            if worker.job is not None and worker.job.id == job and job not in worker.void:
                self._stop(worker, Event(job, "timeout", message="ended on request"))
                return

    def withdraw(self, job: int) -> bool:
        """Take a job off the queue, or tell the worker that was to run it next; there is no event of it."""
        if self._closed:
            return False
        self._collect()
        for waiting in self._queue:
            if waiting.id == job:
                self._queue.remove(waiting)
                return True
        holder = next((w for w in self._busy() if w.following is not None and w.following.id == job), None)
        if holder is None or job in holder.void:
            return False
        holder.void.add(job)
        holder.pass_over(job)
        return True

    def capacity(self) -> Capacity:
        """Slots, busy jobs and devices."""
        held = sum(job is not None for worker in self._workers for job in (worker.job, worker.following))
        busy = len(self._queue) + held
        return Capacity(self._seating.slots, busy, self._seating.gpus, self._free, self._free_devices, self._gone)

    def nodes(self) -> list[NodeUse]:
        """What each machine did; one that has left comes with the slots that it had."""
        return self._tally.all()

    def close(self) -> None:
        """End all workers and free the shared data."""
        self._closed = True
        self._queue.clear()
        self._events.clear()
        self._finalizer()

    # -- machines come and go ----------------------------------------------------------------------------------------

    @property
    def _seating(self) -> Seating:
        """Those that are there."""
        return self._machines.there

    def _look_around(self) -> None:  # noqa: B027 - most pools have one machine, which stays
        """Take note of machines that have come or left, where that happens."""

    def _seat(self, seating: Seating) -> None:
        """From now on these machines are there; workers on others are lost."""
        self._machines.move(seating)
        for place in seating.places:
            self._tally.seen(place.name, place.slots)
        there = {place.key for place in seating.places}
        for worker in [worker for worker in self._workers if worker.seat.place not in there]:
            self._lost(worker, Ended("node_lost", f"node {self._machines.name(worker.seat.place)} was lost"))

    def _bereave(self, reason: str) -> None:
        """All machines are gone for good: every job ends now, and no other is taken."""
        self._gone = reason
        held = [job for worker in self._workers for job in (worker.job, worker.following) if job is not None]
        void = {job for worker in self._workers for job in worker.void}
        self._events += [
            Event(job.id, "node_lost", message=reason) for job in (*held, *self._queue) if job.id not in void
        ]
        self._workers.clear()
        self._queue.clear()
        self._machines.move(Seating(()))
        self._free, self._free_devices = 0, 0.0

    # -- one round ---------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Take in what the workers have said since the last look."""
        for worker in tuple(self._workers):
            for message in worker.collect():
                if isinstance(message, Ready):
                    worker.ready = True
                    self._machines.came_up(worker.seat.place)
                elif isinstance(message, Ended):
                    self._lost(worker, message)
                    break
                elif message.kind == "progress":
                    self._events.append(message)
                else:
                    self._finished(worker, message)

    def _finished(self, worker: Worker, event: Event) -> None:
        if worker.following is not None and event.job == worker.following.id:  # out of turn: the first still runs
            self._report(worker, event)
            worker.following = None
            return
        seconds = time.monotonic() - worker.since
        self._typical = seconds if math.isinf(self._typical) else self._typical + _LATEST * (seconds - self._typical)
        self._report(worker, event)
        worker.rest()
        if worker.swollen():
            self._discard(worker)
            self._replace(worker.seat)

    def _lost(self, worker: Worker, end: Ended) -> None:
        job = worker.job
        ahead = worker.following is not None and not worker.orderly
        self._discard(worker)
        if job is not None and ahead and job.id not in worker.void:  # which of the two it was is not known
            self._alone |= {each.id for each in (job, worker.following) if each is not None}
            self._queue.appendleft(job)
        elif job is not None:
            self._mishaps.setdefault((job.candidate.key, job.fold), set()).add(worker.seat.place)
            self._report(worker, Event(job.id, end.kind, message=end.message, detail=end.detail, own=end.own))
        elif not worker.ready and end.kind != "node_lost":
            self._not_started(worker.seat.place, end)
        self._replace(worker.seat)

    def _not_started(self, place: str, end: Ended) -> None:
        """Leave a machine alone whose workers do not start; where that goes for all, fail what waits."""
        if not self._machines.did_not_come_up(place):
            return
        if self._machines.usable().places:
            name = self._machines.name(place)
            warnings.warn(f"workers do not start on {name}, which gets no jobs for now: {end.message}", stacklevel=2)
        else:
            self._give_up(end)

    def _give_up(self, end: Ended) -> None:
        """Workers do not even start: fail what waits, so that the caller hears of it."""
        for job in self._queue:
            message = f"workers do not start: {end.message}"
            self._events.append(Event(job.id, "crashed", message=message, detail=end.detail))
        self._queue.clear()

    def _police(self) -> None:
        """End jobs past their hard limit or memory cap, and workers that never get ready or have nothing to do."""
        now = time.monotonic()
        for worker in tuple(self._workers):
            job = worker.job
            if job is None:
                self._police_idle(worker, now - worker.since)
            elif worker.following is not None and now - worker.since > self.brisk_seconds and worker.recall():
                self._queue.appendleft(worker.following)
                worker.following = None
            elif now - worker.since > job.hard_seconds and not worker.talking():
                message = f"ended at its hard limit of {job.hard_seconds:.1f} s"
                self._stop(worker, Event(job.id, "timeout", message=message))
            elif job.memory and (held := worker.memory()) > job.memory:
                message = f"held {held / 1e9:.2f} GB of memory, over its cap of {job.memory / 1e9:.2f} GB"
                self._stop(worker, Event(job.id, "oom", message=message))
        if self._memory:
            self._police_total()
        self._police_queue(now)

    def _police_idle(self, worker: Worker, seconds: float) -> None:
        if not worker.ready and seconds > self.start_seconds:
            self._lost(worker, Ended(self.start_failure, f"not ready {self.start_seconds:.0f} s after its start"))
        elif not worker.ready and worker.seat.devices and seconds > _DEVICE_SECONDS:
            for other in self._idle_beside(worker):
                self._discard(other)
        elif worker.ready and seconds > self.idle_seconds:
            self._discard(worker)

    def _idle_beside(self, worker: Worker) -> list[Worker]:
        """Idle workers that may hold the devices for which another one waits: who gets which, Ray decides."""
        beside = [other for other in self._workers if other.ready and other.job is None and other.seat.devices]
        return [other for other in beside if other.seat.place == worker.seat.place]

    def _police_queue(self, now: float) -> None:
        """Give up jobs that fit on no machine that is there, unless such a one comes soon."""
        for job in self._machines.homeless(tuple(self._queue), now, self.homeless_seconds):
            self._queue.remove(job)
            message = f"for {self.homeless_seconds:.0f} s there has been no machine that could run it"
            self._events.append(Event(job.id, "node_lost", message=message))

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
        """Give the queue to workers in the order of the plan."""
        plan, ahead = self._machines.usable().plan(self._workers), True
        full = {True: False, False: False}
        for job in tuple(self._queue):
            kind = plan.kind(job)
            offer = None if full[kind] else plan.offer(job, self._shunned.get(job.id, ()))
            if offer is not None:
                self._seat_job(job, offer)
                continue
            full[kind] = full[kind] or plan.full(kind)
            ahead = ahead and (bool(job.resources.gpus) or self._give_ahead(job))
            if all(full.values()) and not ahead:
                break
        self._free, self._free_devices = plan.free(), plan.free_devices()

    def _seat_job(self, job: Job, offer: Offer) -> None:
        if offer.worker is None:
            for idle in offer.leaving:
                self._discard(idle)
            self._workers.append(self._hire(offer.seat))
        elif offer.worker.ready:
            self._queue.remove(job)
            self._shunned.pop(job.id, None)
            offer.worker.begin(job)

    def _give_ahead(self, job: Job) -> bool:
        """Let a busy worker have a job already, so that it need not wait for the driver in between. Has one got it?"""
        if self._typical > self.brisk_seconds or self._shunned.get(job.id) or job.id in self._alone:
            return False
        free = [w for w in self._busy() if self._takes_ahead(w, job)]
        if free:
            self._queue.remove(job)
            max(free, key=lambda worker: (job.model.name in worker.models, -worker.since)).begin(job)
        return bool(free)

    def _takes_ahead(self, worker: Worker, job: Job) -> bool:
        """What is long at its job would have to give it back; and of one that has, Ray may wait for the call that was
        cancelled before it does the next."""
        seat = worker.seat
        if worker.following is not None or worker.depth < 2 or time.monotonic() - worker.since > self.brisk_seconds:
            return False
        return not seat.devices and seat.threads == job.resources.cpus

    def _report(self, worker: Worker, event: Event) -> None:
        """Pass on how a job ended, unless it was called off before."""
        if worker.job is not None and event.job == worker.job.id:
            name = self._machines.name(worker.seat.place)
            self._tally.ended(name, event, time.monotonic() - worker.since, worker.seat.threads)
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
        if not seat.devices and self._machines.usable().room(self._workers, seat):
            self._workers.append(self._hire(seat))

    def _next_look(self) -> float:
        now = time.monotonic()
        limits = [w.since + w.job.hard_seconds - now for w in self._workers if w.job is not None and w.job.bounded]
        return min([self.tick, *(limit + 0.001 for limit in limits)])

    def _check_open(self) -> None:
        if self._closed:
            raise ExecutionError("this executor has been closed; make a new one")
