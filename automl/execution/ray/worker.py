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

_MOST_REPAIRS = 5
_LAST_WORD_SECONDS = 1.0
_FETCH_SECONDS = 10.0


class SharePoint:
    """What all actors of an executor share: the data in the object store, and the board. `here`: the driver's node."""

    def __init__(self) -> None:
        import ray

        self.here = str(ray.get_runtime_context().get_node_id())
        self.board: Any = ray.remote(Board).options(num_cpus=0, scheduling_strategy=_at(self.here, soft=True)).remote()
        self.block: Any = None
        self.generation = 0
        self._dataset: Dataset | None = None
        self._repairs = 0

    def put(self, dataset: Dataset) -> None:
        """Publish other data."""
        self._dataset, self._repairs = dataset, 0
        self._publish()
        self.generation += 1

    def repair(self, lost: Any) -> bool:
        """This block of data is lost: publish it again, at most five times. Is there one that is not?"""
        if lost is self.block and self._dataset is not None and self._repairs < _MOST_REPAIRS:
            self._repairs += 1
            self._publish()
        return self.block is not lost

    def _publish(self) -> None:
        import ray

        self.block = ray.put(np.frombuffer(b"".join(pack(self._dataset)), dtype=np.uint8))

    def close(self) -> None:
        """End the board."""
        import ray

        if ray.is_initialized():
            ray.kill(self.board)

    def last_word(self, job: int) -> str:
        """Why the worker of this job ended itself, if it did."""
        import ray

        try:
            return str(ray.get(self.board.last_word.remote(job), timeout=_LAST_WORD_SECONDS))
        except ray.exceptions.RayError:
            return ""


class RayWorker(Worker):
    """An actor on the node of its seat. `awaited`: its calls under way, each with its job or the block it opens.

    The executor puts the calls that have ended into `arrived`. Ray may say so of a later one first, whose answer is
    smaller; it is heard in its turn.
    """

    depth = 2
    orderly = False

    def __init__(self, seat: Seat, hello: tuple[bytes, tuple[str, ...], Any], share_point: SharePoint) -> None:
        import ray

        super().__init__(seat)
        self._share_point = share_point
        self._pid = 0
        self.awaited: dict[Any, Any] = {}
        self.arrived: set[Any] = set()
        variables = thread_variables(seat.threads)
        if not seat.devices:
            variables["CUDA_VISIBLE_DEVICES"] = ""
        options: dict[str, Any] = {
            "num_cpus": 0 if seat.devices else seat.threads,
            "num_gpus": len(seat.devices) * seat.share,
            "max_restarts": 0,
            "max_task_retries": 0,
            "scheduling_strategy": _at(seat.place),
        }
        said = (variables, *hello, module_paths(), share_point.board)
        self._actor: Any = ray.remote(RemoteWorker).options(**options).remote(*said)
        self.share()

    def share(self) -> None:
        """Let it fetch the data."""
        self.ready = False
        block = self._share_point.block
        self.awaited[self._actor.open.remote(block, self._share_point.generation)] = block

    def send(self, job: Job) -> None:
        """Call it with the job."""
        import cloudpickle

        self.awaited[self._actor.run.remote(cloudpickle.dumps(job, protocol=5))] = job

    def collect(self) -> Sequence[Ready | Ended | Event]:
        """What its finished calls returned."""
        if not self.arrived:
            return ()
        import ray

        said: list[Ready | Ended | Event] = []
        for ref, call in list(self.awaited.items()):
            if ref not in self.arrived:
                break
            del self.awaited[ref]
            self.arrived.discard(ref)
            try:
                answer = ray.get(ref, timeout=_FETCH_SECONDS)
            except Exception as error:
                if not isinstance(call, Job) and _data_lost(error) and self._share_point.repair(call):
                    self.share()
                    continue
                said.append(self._obituary(error))
                break
            if isinstance(call, Job):
                said.append(decode(call.id, answer))
                continue
            self._pid = answer[1]
            if answer[0] == self._share_point.generation and answer[0]:
                said.append(Ready())
        return said

    def pending(self) -> list[Any]:
        """Calls of which it is not known that they have ended."""
        return [ref for ref in self.awaited if ref not in self.arrived]

    def recall(self) -> bool:
        """Cancel the call that waits in the actor, unless it has begun."""
        import ray

        for ref, call in list(self.awaited.items()):
            if call is self.following and ref not in self.arrived:
                with contextlib.suppress(Exception):
                    ray.cancel(ref)
                del self.awaited[ref]
                return True
        return False

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
        self.arrived.clear()

    def _obituary(self, error: Exception) -> Ended:
        if self.job is not None and self.job.memory and (word := self._share_point.last_word(self.job.id)):
            return Ended("oom", word)
        kind = how_it_ended(error)
        message = f"the Ray worker ended: {_first_line(error)}"
        return Ended(kind, message, str(error)[-4000:], own=kind == "crashed")

    def _children(self) -> list[int]:
        """Descendants, if the actor lives on this machine; it is asked for by process id and program name."""
        if self.seat.place != self._share_point.here:  # the number means another process here
            return []
        with contextlib.suppress(OSError), open(f"/proc/{self._pid}/cmdline", "rb") as file:
            if file.read().startswith(b"ray::"):
                return tree(self._pid)[1:]
        return []


def how_it_ended(error: Exception) -> Any:
    """The event kind for what Ray raised: ``oom``, ``node_lost`` or ``crashed``."""
    from ray import exceptions

    if isinstance(error, exceptions.OutOfMemoryError):
        return "oom"
    lost = (
        exceptions.ActorUnavailableError,
        exceptions.ActorUnschedulableError,
        exceptions.NodeDiedError,
        exceptions.ObjectLostError,
        exceptions.GetTimeoutError,
    )
    if isinstance(error, lost) or "node has died" in str(error) or "node was terminated" in str(error):
        return "node_lost"
    return "crashed"


def _data_lost(error: Exception) -> bool:
    """Is the block that an actor was to open gone from the object store?"""
    from ray import exceptions

    return isinstance(error, exceptions.ObjectLostError)


def _at(node: str, soft: bool = False) -> Any:
    """On this node, or when `soft` and it is gone, on another one."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft)


def _first_line(error: Exception) -> str:
    words = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {words[-1] if words else ''}"[:500]
