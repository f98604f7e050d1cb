"""A Ray actor as the pool's worker, and what all actors of an executor share."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.execution.environment import module_paths, thread_variables
from automl.execution.job import Dataset, Event, Job
from automl.execution.memory import tree
from automl.execution.ray.actor import Board, RemoteWorker
from automl.execution.running import decode
from automl.execution.seats import Seat
from automl.execution.shared import pack
from automl.execution.workers import Ended, Ready, Worker


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

    def __init__(self, seat: Seat, hello: tuple[bytes, tuple[str, ...], Any], share_point: SharePoint) -> None:
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


def _first_line(error: Exception) -> str:
    words = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {words[-1] if words else ''}"[:500]
