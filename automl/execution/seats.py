"""Which slots and devices a job takes: admission, and the plan of one round of handing out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.contract import ExecutionError, Resources
from automl.execution.job import Job

if TYPE_CHECKING:
    from automl.execution.workers import Worker


@dataclass(frozen=True)
class Seat:
    """What a worker is started with: threads (that many slots), GPU devices, and the share of each that it takes."""

    threads: int = 1
    devices: tuple[str, ...] = ()
    share: float = 0.0


@dataclass(frozen=True)
class Seating:
    """All there is: `slots`, and `devices` as CUDA_VISIBLE_DEVICES would name them."""

    slots: int
    devices: tuple[str, ...] = ()

    @property
    def gpus(self) -> float:
        """Devices in all."""
        return float(len(self.devices))

    def check(self, job: Job) -> None:
        """Raises ExecutionError when the job could never run here."""
        need = job.resources
        if need.cpus > self.slots or need.gpus > len(self.devices):
            raise ExecutionError(
                f"job {job.id} ({job.model.name}) needs {need.cpus} slots and {need.gpus:g} GPUs; this executor has "
                f"{self.slots} slots and {len(self.devices)} GPUs in all. Ask for less, or give it more."
            )
        if (need.gpus > 1 and need.gpus != int(need.gpus)) or need.gpus < 0 or need.cpus < 1:
            raise ExecutionError(
                f"job {job.id} ({job.model.name}) asks for {need.cpus} cpus and {need.gpus:g} GPUs; cpus start at 1, "
                "and GPUs are a fraction up to 1 or a whole number"
            )

    def room(self, workers: Sequence[Worker], seat: Seat) -> bool:
        """Could one more worker of this kind live beside these?"""
        return sum(worker.seat.threads for worker in workers) + seat.threads <= self.slots

    def plan(self, workers: Sequence[Worker]) -> Plan:
        """A round of handing out jobs."""
        return Plan(self, workers)


class Plan:
    """One round: each step takes slots, devices and workers away from the steps after it."""

    def __init__(self, seating: Seating, workers: Sequence[Worker]) -> None:
        busy = [worker for worker in workers if worker.job is not None]
        self._idle = [worker for worker in workers if worker.job is None]
        self._free = seating.slots - sum(worker.seat.threads for worker in busy)
        self._spare = seating.slots - sum(worker.seat.threads for worker in workers)
        self._devices = dict.fromkeys(seating.devices, 1.0)
        self._gpus_awaited = False
        for worker in busy:
            self._occupy(worker.seat)

    def full(self, job: Job) -> bool:
        """Must this job, and all behind it, wait for slots?"""
        return job.resources.cpus > self._free

    def seat(self, job: Job) -> Seat | None:
        """The job's seat, its slots and devices now taken; None when it waits for a device, as do later GPU jobs."""
        need = job.resources
        if need.gpus and self._gpus_awaited:
            return None
        devices = self._choose(need)
        if devices is None:
            self._gpus_awaited = True
            return None
        seat = Seat(need.cpus, devices, min(1.0, need.gpus))
        self._free -= need.cpus
        self._occupy(seat)
        return seat

    def take(self, seat: Seat, model: str) -> Worker | None:
        """An idle worker of that kind: ready before starting, and one that ran this model before others."""
        fitting = [worker for worker in self._idle if worker.seat == seat]
        if not fitting:
            return None
        best = max(fitting, key=lambda worker: (worker.ready, model in worker.models))
        self._idle.remove(best)
        return best

    def make_room(self, seat: Seat) -> list[Worker]:
        """Idle workers that must go before one of this kind can start."""
        leaving = [worker for worker in self._idle if set(worker.seat.devices) & set(seat.devices)]
        self._spare += sum(worker.seat.threads for worker in leaving)
        self._idle = [worker for worker in self._idle if worker not in leaving]
        while self._spare < seat.threads and self._idle:
            worker = self._idle.pop()
            self._spare += worker.seat.threads
            leaving.append(worker)
        self._spare -= seat.threads
        return leaving

    def _choose(self, need: Resources) -> tuple[str, ...] | None:
        """Whole devices that are free, or the fullest device that still has the fraction."""
        if not need.gpus:
            return ()
        if need.gpus < 1:
            fitting = [name for name, free in self._devices.items() if free >= need.gpus - 1e-9]
            return (min(fitting, key=self._devices.__getitem__),) if fitting else None
        free = tuple(name for name, left in self._devices.items() if left > 1 - 1e-9)
        count = int(need.gpus)
        return free[:count] if len(free) >= count else None

    def _occupy(self, seat: Seat) -> None:
        for device in seat.devices:
            self._devices[device] -= seat.share
