"""Jobs in Ray actors, on this machine or a cluster: the only module that imports Ray."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from automl.contract import ExecutionError
from automl.execution.actor import Board, RemoteWorker
from automl.execution.environment import by_value, module_paths, thread_variables
from automl.execution.job import Dataset, Event, Job
from automl.execution.limits import available_cpus
from automl.execution.memory import tree
from automl.execution.pool import PoolExecutor
from automl.execution.protocol import Capacity
from automl.execution.running import UNIT, Runner, decode
from automl.execution.seats import Seat, Seating
from automl.execution.shared import pack
from automl.execution.workers import Ended, Ready, Worker

_POLL_SECONDS = 0.5
_OBJECT_STORE = 1_000_000_000
_REACH_SECONDS = 30.0


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
    ) -> None:
        super().__init__(Seating(slots or available_cpus()))
        self._cluster = Cluster(slots, address)
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
        return RayWorker(seat, self._hello, self._join())

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


class Cluster:
    """The Ray that jobs run on: joined, or started here and then also shut down here."""

    def __init__(self, slots: int | None, address: str | None) -> None:
        self._slots = slots
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._started_here = False
        self._keeper: threading.Thread | None = None
        self._there, self._over = threading.Event(), threading.Event()
        self._failure: BaseException | None = None

    def begin(self) -> None:
        """Connect in the background, in a thread that stays: Ray's daemons die with the thread that started them."""
        if self._keeper is None:
            _check_installed()
            self._keeper = threading.Thread(target=self._keep, name="automl-ray", daemon=True)
            self._keeper.start()

    def join(self) -> Seating:
        """Wait until it is there. Raises ExecutionError when it cannot be reached or started."""
        self.begin()
        if not self._there.wait(_REACH_SECONDS):
            raise ExecutionError(f"Ray at {self._address!r} did not answer within {_REACH_SECONDS:g} s; is it running?")
        if self._failure is not None:
            raise ExecutionError(f"Ray at {self._address!r} cannot be used: {self._failure}") from self._failure
        import ray

        there = ray.cluster_resources()  # type: ignore[no-untyped-call, unused-ignore]
        slots = self._slots or max(1, int(there.get("CPU", 1)))
        return Seating(slots, tuple(f"GPU {index}" for index in range(int(there.get("GPU", 0)))))

    def check(self, job: Job) -> None:
        """Raises ExecutionError when no single node has the cores and devices."""
        nodes = [node["Resources"] for node in _nodes() if node["Alive"]]
        need = job.resources
        if not any(node.get("CPU", 0) >= need.cpus and node.get("GPU", 0) >= need.gpus for node in nodes):
            largest = {kind: max((node.get(kind, 0) for node in nodes), default=0) for kind in ("CPU", "GPU")}
            raise ExecutionError(
                f"job {job.id} ({job.model.name}) needs {need.cpus} cores and {need.gpus:g} GPUs on one node; the "
                f"largest of {len(nodes)} nodes have {largest['CPU']:g} and {largest['GPU']:g}. Ask for less."
            )

    def close(self) -> None:
        """Shut down what was started here."""
        if self._keeper is None:
            return
        self._there.wait(_REACH_SECONDS)
        if self._started_here:
            import ray

            self._started_here = False
            ray.shutdown()
        self._over.set()

    def _keep(self) -> None:
        try:
            self._connect()
        except Exception as error:
            self._failure = error
        self._there.set()
        self._over.wait()

    def _connect(self) -> None:
        import ray

        if not ray.is_initialized():
            with warnings.catch_warnings(), _variables(_EMBEDDED if self._address == "local" else {}):
                warnings.simplefilter("ignore", FutureWarning)
                if self._address == "local":
                    ray.init("local", num_cpus=self._slots or available_cpus(), **_embedded_options())
                else:
                    ray.init(self._address, log_to_driver=False, configure_logging=False)
            self._started_here = True


class SharePoint:
    """What all actors of an executor share: the data in the object store, and the board."""

    def __init__(self) -> None:
        import ray

        self.board: Any = ray.remote(Board).options(num_cpus=0, max_restarts=0).remote()
        self.block: Any = None
        self.generation = 0

    def put(self, dataset: Dataset) -> None:
        """Publish other data."""
        import ray

        self.block = ray.put(np.frombuffer(b"".join(pack(dataset)), dtype=np.uint8))
        self.generation += 1

    def close(self) -> None:
        """End the board."""
        import ray

        if ray.is_initialized():
            ray.kill(self.board)

    def last_word(self, job: int) -> str:
        """Why the worker of this job ended itself, if it did."""
        import ray

        try:
            return str(ray.get(self.board.last_word.remote(job), timeout=2.0))
        except ray.exceptions.RayError:
            return ""


class RayWorker(Worker):
    """An actor. `awaited` are its calls under way; the executor puts those that have ended into `arrived`."""

    def __init__(self, seat: Seat, hello: tuple[bytes, tuple[str, ...]], share_point: SharePoint) -> None:
        import ray

        super().__init__(seat)
        self._share_point = share_point
        self._pid = 0
        self.awaited: list[Any] = []
        self.arrived: list[Any] = []
        variables = thread_variables(seat.threads)
        if not seat.devices:
            variables["CUDA_VISIBLE_DEVICES"] = ""
        options: dict[str, Any] = {
            "num_cpus": seat.threads,
            "num_gpus": len(seat.devices) * seat.share,
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        said = (variables, *hello, module_paths(), share_point.board)
        self._actor: Any = ray.remote(RemoteWorker).options(**options).remote(*said)
        self.share()

    def share(self) -> None:
        """Let it fetch the data."""
        self.ready = False
        self.awaited.append(self._actor.open.remote(self._share_point.block, self._share_point.generation))

    def send(self, job: Job) -> None:
        """Call it with the job."""
        import cloudpickle

        self.awaited.append(self._actor.run.remote(cloudpickle.dumps(job, protocol=5)))

    def collect(self) -> Sequence[Ready | Ended | Event]:
        """What its finished calls returned."""
        import ray

        said: list[Ready | Ended | Event] = []
        arrived, self.arrived = self.arrived, []
        for ref in arrived:
            self.awaited.remove(ref)
            try:
                answer = ray.get(ref)
            except Exception as error:
                said.append(self._obituary(error))
                break
            if isinstance(answer, tuple):
                self._pid = answer[1]
                if answer[0] == self._share_point.generation and answer[0]:
                    said.append(Ready())
            elif self.job is not None:
                said.append(decode(self.job.id, answer))
        return said

    def kill(self) -> None:
        """Kill the actor, and the children that its process has on this machine."""
        import ray

        if not ray.is_initialized():
            return
        for pid in self._children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(Exception):
            ray.kill(self._actor)

    def reap(self) -> None:
        """Ray buries its own."""
        self.awaited.clear()

    def _obituary(self, error: Exception) -> Ended:
        if self.job is not None and self.job.memory and (word := self._share_point.last_word(self.job.id)):
            return Ended("oom", word)
        return Ended(how_it_ended(error), f"the Ray worker ended: {_first_line(error)}", str(error)[-4000:])

    def _children(self) -> list[int]:
        """Descendants, if the actor lives on this machine; it is asked for by process id and program name."""
        with contextlib.suppress(OSError), open(f"/proc/{self._pid}/cmdline", "rb") as file:
            if file.read().startswith(b"ray::"):
                return tree(self._pid)[1:]
        return []


def how_it_ended(error: Exception) -> Any:
    """The event kind for what Ray raised: ``oom``, ``node_lost`` or ``crashed``."""
    from ray import exceptions

    if isinstance(error, exceptions.OutOfMemoryError):
        return "oom"
    lost = (exceptions.ActorUnavailableError, exceptions.NodeDiedError, exceptions.ObjectLostError)
    if isinstance(error, lost) or "node has died" in str(error) or "node was terminated" in str(error):
        return "node_lost"
    return "crashed"


_EMBEDDED = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_enable_metrics_collection": "0"}


def _embedded_options() -> dict[str, Any]:
    """For a Ray that only this program uses, reachable from this machine only."""
    return {
        "include_dashboard": False,
        "log_to_driver": False,
        "configure_logging": False,
        "object_store_memory": _OBJECT_STORE,
        "_node_ip_address": "127.0.0.1",
    }


def _nodes() -> list[dict[str, Any]]:
    import ray

    return list(ray.nodes())  # type: ignore[no-untyped-call, unused-ignore]


def _check_installed() -> None:
    """Raises ExecutionError when there is no Ray. Does not import it: that takes most of a second."""
    try:
        found = importlib.util.find_spec("ray") is not None
    except ValueError:
        found = False
    if not found:
        raise ExecutionError('executor "ray" needs Ray: pip install "cairn-automl[ray]"')


@contextlib.contextmanager
def _variables(wanted: dict[str, str]) -> Iterator[None]:
    """Set environment variables that are not set, for the while."""
    fresh = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(fresh)
    try:
        yield
    finally:
        for name in fresh:
            os.environ.pop(name, None)


def _first_line(error: Exception) -> str:
    words = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {words[-1] if words else ''}"[:500]
