"""Jobs in Ray actors, on this machine or a cluster."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence

from automl.execution.environment import by_value
from automl.execution.job import Dataset, Event, Job
from automl.execution.limits import available_cpus
from automl.execution.pool import PoolExecutor
from automl.execution.protocol import Capacity
from automl.execution.ray.cluster import Cluster
from automl.execution.ray.worker import RayWorker, SharePoint
from automl.execution.running import UNIT, Runner
from automl.execution.seats import Seat, Seating
from automl.execution.workers import Worker

_POLL_SECONDS = 0.5


class RayExecutor(PoolExecutor):
    """One actor per slot, created when first needed; the data lies once in each node's object store.

    Joins the cluster at `address` or RAY_ADDRESS, or the Ray that this program has initialised. Otherwise it starts a
    Ray of its own on this machine, which `close` shuts down (that takes a second or two). Memory caps are watched by
    the actors themselves. Children that a plugin started on another node are left to Ray.

    Args:
        slots: jobs at once; None takes all cores of the cluster.
        address: of a cluster, as in ``ray.init``; ``"local"`` always starts a Ray of its own.
        preload: modules that workers import while they wait for the first job.
        runner: import path of the function that does a job, or the function.
        plugins: distributions that bring plugins -> their top-level modules; sent to nodes that lack them.
    """

    tick = 0.5
    start_seconds = float("inf")

    def __init__(
        self,
        slots: int | None = None,
        address: str | None = None,
        *,
        preload: Sequence[str] = (),
        runner: str | Runner = UNIT,
        plugins: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        super().__init__(Seating(slots or available_cpus()))
        self._cluster = Cluster(slots, address, plugins)
        self._hello = (by_value(runner), tuple(preload))
        self._share_point: SharePoint | None = None
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
        if job.resources.cpus > 1 or job.resources.gpus:
            self._cluster.check(job)
        super().submit(job)

    def capacity(self) -> Capacity:
        """Slots, busy jobs and GPUs of the cluster; waits for Ray to be there."""
        self._join()
        return super().capacity()

    def _join(self) -> SharePoint:
        self._check_open()
        if self._share_point is None:
            self._seating = self._cluster.join()
            self._share_point = SharePoint()
            self._held.append(self._share_point)
        return self._share_point

    def _share(self, dataset: Dataset) -> None:
        self._join().put(dataset)

    def _hire(self, seat: Seat) -> Worker:
        return RayWorker(seat, (*self._hello, self._cluster.luggage()), self._join())

    def _collect(self) -> None:
        workers = [worker for worker in self._workers if isinstance(worker, RayWorker)]
        awaited = {ref: worker for worker in workers for ref in worker.awaited}
        if awaited:
            import ray

            arrived, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
            for ref in arrived:
                awaited[ref].arrived.append(ref)
        self._read_board()
        super()._collect()

    def _listen(self, seconds: float) -> None:
        import ray

        awaited = [ref for worker in self._workers if isinstance(worker, RayWorker) for ref in worker.awaited]
        if awaited:
            ray.wait(awaited, num_returns=1, timeout=seconds)
        else:
            time.sleep(seconds)

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
