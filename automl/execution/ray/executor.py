"""Jobs in Ray actors, on this machine or a cluster."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from automl.execution.environment import by_value
from automl.execution.job import Dataset, Event, Job
from automl.execution.limits import slots_for
from automl.execution.pool import PoolExecutor
from automl.execution.protocol import Capacity
from automl.execution.ray.cluster import Cluster
from automl.execution.ray.nodes import Growth, Watch
from automl.execution.ray.worker import RayWorker, SharePoint
from automl.execution.running import UNIT, Runner
from automl.execution.seats import Seat, Seating
from automl.execution.workers import Worker

_POLL_SECONDS = 0.5
_GUESSED_SLOTS = 1


class RayExecutor(PoolExecutor):
    """One actor per slot, each on a node that the driver chooses; the data lies once in each node's object store.

    Joins the cluster at `address` or RAY_ADDRESS, or the Ray that this program has initialised. Otherwise it starts a
    Ray of its own on this machine, which `close` shuts down (that takes a second or two). Memory caps are watched by
    the actors themselves. Children that a plugin started on another node are left to Ray.

    Nodes may come and go. Without `slots` all cores are used, and an autoscaler is asked for more when jobs wait.
    Actors that have nothing to do for a minute are let go, so that nodes may be taken away. Ray is told of cores and
    GPUs; the memory that jobs declare is counted by the driver alone: an actor serves many jobs, and Ray fixes what it
    holds for its life. A cluster whose head is lost is left after `silence_seconds`; Ray would end the program.
    """

    expects = True
    tick = 0.5
    start_seconds = 120.0
    start_failure = "node_lost"
    idle_seconds = 60.0
    brisk_seconds = 2.0
    silence_seconds = 25.0
    """A cluster that has not answered for so long is lost. Ray ends the whole program after 60."""
    deserted_seconds = 300.0
    """A cluster that has had no node with cores for so long is lost, too."""

    def __init__(
        self,
        slots: int | None = None,
        address: str | None = None,
        *,
        preload: Sequence[str] = (),
        runner: str | Runner = UNIT,
        plugins: Mapping[str, Collection[str]] | None = None,
        patience: float = math.inf,
    ) -> None:
        """Nothing is started yet.

        Args:
            slots: jobs at once; None takes all cores of the cluster, of nodes that come later too; negative counts back
                from all that it has when it is joined (-1 is None).
            address: of a cluster, as in ``ray.init``; ``"local"`` always starts a Ray of its own.
            preload: modules that workers import while they wait for the first job.
            runner: import path of the function that does a job, or the function.
            plugins: distributions that bring plugins -> their top-level modules; sent to nodes that lack them.
            patience: seconds that Ray may take to be there; at most 100.
        """
        self._most = None if slots == -1 else slots
        super().__init__(Seating((), self._most))
        self._cluster = Cluster(None if slots is None else slots_for(slots), address, plugins, patience)
        self._hello = (by_value(runner), tuple(preload))
        self._share_point: SharePoint | None = None
        self._watch: Watch | None = None
        self._growth: Growth | None = None
        self._peopled = time.monotonic()
        self._polled, self._poll = 0.0, None
        self._held.append(self._cluster)

    def start(self) -> None:
        """Begin to start Ray in the background; workers follow when the data is there."""
        self._check_open()
        self._cluster.begin()

    def open(self, dataset: Dataset) -> None:
        """Put the data into the object store, once Ray is there."""
        self._join()
        super().open(dataset)
        super().start()

    def submit(self, job: Job) -> None:
        """Queue a job. Raises ExecutionError when no node of the cluster could ever run it."""
        self._join()
        super().submit(replace(job, until=math.inf))

    def capacity(self) -> Capacity:
        """Slots, busy jobs and GPUs of the cluster; waits for Ray to be there."""
        self._join()
        shares = [place.memory // place.slots for place in self._seating.places]
        return replace(super().capacity(), memory=min(shares, default=0))

    def _join(self) -> SharePoint:
        self._check_open()
        if self._share_point is None:
            self._cluster.join()
            self._watch = Watch()
            self._held.append(self._watch)
            if self._most is not None and self._most < 0:
                there = self._watch.seating(None).slots
                self._most = None if self._cluster.own else max(1, there + 1 + self._most)
            self._seat(self._watch.seating(self._most))
            self._peopled = time.monotonic()
            self._share_point = SharePoint()
            self._held.append(self._share_point)
            if self._most is None and not self._cluster.own:
                self._growth = Growth()
                self._held.append(self._growth)
        return self._share_point

    def _look_around(self) -> None:
        """Follow the cluster as it grows and shrinks, and give up one that is lost."""
        if self._watch is None or self._gone:
            return
        seating, now = self._watch.seating(self._most), time.monotonic()
        if seating.places:
            self._peopled = now
        if self._watch.silence() > self.silence_seconds:
            self._bereave(f"the Ray cluster is lost: its head has not answered for {self.silence_seconds:.0f} s")
        elif now - self._peopled > self.deserted_seconds:
            self._bereave(f"the Ray cluster has had no node with a core for {self.deserted_seconds:.0f} s")
        elif seating != self._seating:
            self._seat(seating)
        if self._growth is not None and not self._gone:
            self._growth.want(self._seating.slots, len(self._queue) if not self._free else 0, now)

    def _bereave(self, reason: str) -> None:
        """Leave a cluster that is lost without asking it for anything more."""
        self._held[:] = [thing for thing in self._held if thing in (self._watch, self._cluster)]
        self._cluster.abandon()
        self._poll = None
        super()._bereave(reason)

    def _share(self, dataset: Dataset) -> None:
        self._join().put(dataset)

    def _hire(self, seat: Seat) -> Worker:
        return RayWorker(seat, (*self._hello, self._cluster.luggage()), self._join())

    def _collect(self) -> None:
        if self._gone:
            return
        with self._bearing():
            awaited = {ref: worker for worker in self._actors() for ref in worker.pending()}
            if awaited:
                import ray

                arrived, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
                for ref in arrived:
                    awaited[ref].arrived.add(ref)
            self._read_board()
            super()._collect()

    def _dispatch(self) -> None:
        with self._bearing():
            super()._dispatch()

    def _listen(self, seconds: float) -> None:
        import ray

        with self._bearing():
            awaited = [ref for worker in self._actors() for ref in worker.pending()]
            if awaited:
                ray.wait(awaited, num_returns=1, timeout=seconds)
            else:
                time.sleep(seconds)

    @contextlib.contextmanager
    def _bearing(self) -> Iterator[None]:
        """Without the Ray processes of this machine there is no way to the cluster any more."""
        from ray.exceptions import RaySystemError

        try:
            yield
        except (OSError, RaySystemError) as error:
            if not self._gone:
                self._bereave(f"the Ray cluster is lost: its processes on this machine are gone ({error})")

    def _actors(self) -> list[RayWorker]:
        return [worker for worker in self._workers if isinstance(worker, RayWorker)]

    def _read_board(self) -> None:
        """Ask for progress twice a second; pass on what is about jobs that still run."""
        import ray

        now = time.monotonic()
        if self._share_point is None or now - self._polled < _POLL_SECONDS:
            return
        self._polled = now
        if self._poll is not None and ray.wait([self._poll], timeout=0)[0]:
            with contextlib.suppress(ray.exceptions.RayError):
                running = {worker.job.id for worker in self._workers if worker.job is not None}
                for job, (step, value) in ray.get(self._poll).items():
                    if job in running:
                        self._events.append(Event(job, "progress", step=step, value=value))
            self._poll = None
        if self._poll is None and self._busy():
            self._poll = self._share_point.board.take.remote()
