"""Which slots, memory and devices of which machine a job takes: admission, and the plan of one round of handing out.

Jobs that need a GPU and jobs that need none never wait for each other. A GPU job needs a free device; the slots that it
takes are taken from the CPU jobs still to come, of which one per machine may always run. So no more threads share the
cores of a machine than it has slots and GPU jobs. Only where there is one slot in all, everything takes turns.

Within its kind no job can be overtaken for ever: one that does not fit claims the machine where it comes nearest to
fitting, and nothing that was submitted later takes anything there until it runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.contract import ExecutionError, Resources
from automl.execution.job import Job

if TYPE_CHECKING:
    from automl.execution.workers import Worker

_ENOUGH = 1e-9


@dataclass(frozen=True)
class Seat:
    """What a worker is started with: threads (that many slots), GPU devices, the share of each it takes, a machine.

    place: the machine's key; "" on this one.
    """

    threads: int = 1
    devices: tuple[str, ...] = ()
    share: float = 0.0
    place: str = ""


@dataclass(frozen=True)
class Place:
    """A machine.

    Attributes:
        key: tells it from the others.
        name: as people know it.
        slots: jobs of one thread that run there at once.
        devices: as CUDA_VISIBLE_DEVICES would name them, or any names where Ray chooses.
        memory: bytes for the memory that jobs declare; 0 where that is not counted.
    """

    key: str = ""
    name: str = ""
    slots: int = 1
    devices: tuple[str, ...] = ()
    memory: int = 0

    def holds(self, need: Resources) -> bool:
        """Could it ever run there, alone?"""
        fits = need.cpus <= self.slots and need.gpus <= len(self.devices)
        return fits and (not self.memory or need.memory <= self.memory)


@dataclass(frozen=True)
class Seating:
    """All machines there are now, and how many slots may be used in all; None: those that the machines have."""

    places: tuple[Place, ...]
    most: int | None = None

    def without(self, keys: Collection[str]) -> Seating:
        """The same without these machines."""
        if not keys:
            return self
        return Seating(tuple(place for place in self.places if place.key not in keys), self.most)

    @property
    def slots(self) -> int:
        """Jobs of one thread at once."""
        there = sum(place.slots for place in self.places)
        return there if self.most is None else min(self.most, there)

    @property
    def gpus(self) -> float:
        """Devices in all."""
        return float(sum(len(place.devices) for place in self.places))

    def check(self, job: Job) -> None:
        """Raises ExecutionError when the job could never run here, with what the largest machine has."""
        need = job.resources
        check_sound(job)
        if not self.holds(need):
            raise ExecutionError(
                f"job {job.id} ({job.model.name}) needs {_amounts(need.cpus, need.gpus, need.memory)} on one machine; "
                f"{self._largest()}. Ask for less, or give it more."
            )

    def holds(self, need: Resources) -> bool:
        """Is there a machine that could ever run this?"""
        within = self.most is None or need.cpus <= self.most
        return within and any(place.holds(need) for place in self.places)

    def home(self, workers: Sequence[Worker], seat: Seat) -> Seat | None:
        """The seat on the machine with most room for one more worker; None when there is no room."""
        taken = _taken(workers)
        if self.most is not None and sum(taken.values()) + seat.threads > self.most:
            return None
        rooms = {place.key: place.slots - taken.get(place.key, 0) for place in self.places}
        if not rooms or max(rooms.values()) < seat.threads:
            return None
        return Seat(seat.threads, place=max(rooms, key=rooms.__getitem__))

    def room(self, workers: Sequence[Worker], seat: Seat) -> bool:
        """Could one more worker of this kind live on its machine?"""
        taken = _taken(workers)
        within = self.most is None or sum(taken.values()) + seat.threads <= self.most
        return within and any(
            place.key == seat.place and taken.get(place.key, 0) + seat.threads <= place.slots for place in self.places
        )

    def plan(self, workers: Sequence[Worker]) -> Plan:
        """A round of handing out jobs."""
        return Plan(self, workers)

    def _largest(self) -> str:
        if not self.places:
            return "there is no machine now"
        cpus, gpus = max(place.slots for place in self.places), max(len(place.devices) for place in self.places)
        if self.most is not None:
            cpus = min(cpus, self.most)
        memory = max(place.memory for place in self.places)
        whose = "this one has" if len(self.places) == 1 else f"the largest of {len(self.places)} have"
        return f"{whose} {_amounts(cpus, gpus, memory)}"


def check_sound(job: Job) -> None:
    """Raises ExecutionError when no machine whatever could run the job."""
    need = job.resources
    if (need.gpus > 1 and need.gpus != int(need.gpus)) or need.gpus < 0 or need.cpus < 1 or need.memory < 0:
        raise ExecutionError(
            f"job {job.id} ({job.model.name}) asks for {need.cpus} cpus, {need.gpus:g} GPUs and {need.memory} "
            "bytes; cpus start at 1, GPUs are a fraction up to 1 or a whole number, and memory is not negative"
        )


@dataclass(frozen=True)
class Offer:
    """What one job gets in a round: a seat, and an idle worker that has it already, or None when one must be hired."""

    seat: Seat
    worker: Worker | None
    leaving: tuple[Worker, ...] = ()


class Plan:
    """One round: each step takes slots, devices and workers away from the steps after it."""

    def __init__(self, seating: Seating, workers: Sequence[Worker]) -> None:
        self._seating = seating
        self._alternating = seating.slots == 1
        self._capped = seating.slots < sum(place.slots for place in seating.places)
        self._rooms = {place.key: _Room(place) for place in seating.places}
        self._claimed: dict[bool, set[str]] = {True: set(), False: set()}
        self._waiting = {True: False, False: False}
        for worker in workers:
            if (room := self._rooms.get(worker.seat.place)) is not None:
                room.spare -= 0 if worker.seat.devices else worker.seat.threads
                if worker.job is None:
                    room.idle.append(worker)
                else:
                    room.occupy(worker.seat, worker.job.resources)

    def offer(self, job: Job, shunned: Collection[str] = ()) -> Offer | None:
        """What the job may have now; None when it waits.

        shunned: machines to keep away from when another one will do.
        """
        need, kind = job.resources, self.kind(job)
        unclaimed = self._unclaimed(kind)
        fitting = [room for room in unclaimed if self._fits(room, need)]
        if not fitting or (self._alternating and self._waiting[kind]):
            self._wait(kind, need, unclaimed)
            return None
        room = min(fitting, key=lambda room: room.distance(job, shunned))
        seat = Seat(need.cpus, room.choose(need) or (), min(1.0, need.gpus), room.place.key)
        room.occupy(seat, need)
        worker = room.seated(seat, job.model.name)
        return Offer(seat, worker, () if worker else room.make_way(seat))

    def kind(self, job: Job) -> bool:
        """Which of the two queues it is in: that of GPU jobs?"""
        return bool(job.resources.gpus) and not self._alternating

    def full(self, kind: bool) -> bool:
        """Is there nothing left for further jobs of this kind?"""
        if self._alternating and self._waiting[kind]:
            return True
        return (self.free_devices() if kind else float(self.free())) <= 0.0

    def free(self) -> int:
        """Slots that no job has got and none waits for."""
        rooms = sum(max(0, room.free) for room in self._unclaimed(False))
        return max(0, min(rooms, self._left()))

    def free_devices(self) -> float:
        """Devices that no job has got and none waits for."""
        return float(sum(sum(room.devices.values()) for room in self._unclaimed(True)))

    def _unclaimed(self, kind: bool) -> list[_Room]:
        return [room for key, room in self._rooms.items() if key not in self._claimed[kind]]

    def _left(self) -> int:
        """Slots that CPU jobs may still use in all."""
        most = self._seating.slots
        used = sum(room.cpu_threads for room in self._rooms.values())
        held = sum(room.gpu_threads for room in self._rooms.values())
        return max(most - used - held, min(1, most) - used)

    def _fits(self, room: _Room, need: Resources) -> bool:
        if not room.place.holds(need) or room.memory_left(need) < 0 or room.choose(need) is None:
            return False
        if self._alternating:
            return not any(each.cpu_threads + each.gpu_threads for each in self._rooms.values())
        if need.gpus:
            return True
        alone = not any(each.cpu_threads for each in self._rooms.values())
        return need.cpus <= room.free_for(need.cpus) and (need.cpus <= self._left() or alone)

    def _wait(self, kind: bool, need: Resources, rooms: Iterable[_Room]) -> None:
        """It claims the machine where least is missing; where all are claimed, it comes after who claimed them."""
        self._waiting[kind] = True
        able = [room for room in rooms if room.place.holds(need)]
        if not kind and self._capped and self._left() < need.cpus:
            self._claimed[kind] |= set(self._rooms)
        elif able:
            nearest = max(able, key=lambda room: (sum(room.devices.values()) if kind else 0.0, room.free))
            self._claimed[kind].add(nearest.place.key)


class _Room:
    """What is left of a machine. `spare`: slots for which there is no worker, idle or busy."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.cpu_threads = self.gpu_threads = self.memory = 0
        self.devices = dict.fromkeys(place.devices, 1.0)
        self.idle: list[Worker] = []
        self.spare = place.slots

    @property
    def free(self) -> int:
        """Slots for further CPU jobs: one at least as long as none runs."""
        return self.free_for(1)

    def free_for(self, cpus: int) -> int:
        """Slots for a CPU job of this width; one that is alone need not wait for GPU jobs."""
        left = self.place.slots - self.cpu_threads - self.gpu_threads
        return left if self.cpu_threads else max(left, min(cpus, self.place.slots))

    def memory_left(self, need: Resources) -> int:
        """Bytes left after this need; what is not counted is enough."""
        return self.place.memory - self.memory - need.memory if self.place.memory and need.memory else 0

    def choose(self, need: Resources) -> tuple[str, ...] | None:
        """Whole devices that are free, or the fullest device that still has the fraction; None when there is none."""
        if not need.gpus:
            return ()
        if need.gpus < 1:
            fitting = [name for name, free in self.devices.items() if free >= need.gpus - _ENOUGH]
            return (min(fitting, key=self.devices.__getitem__),) if fitting else None
        free = tuple(name for name, left in self.devices.items() if left > 1 - _ENOUGH)
        count = int(need.gpus)
        return free[:count] if len(free) >= count else None

    def distance(self, job: Job, shunned: Collection[str]) -> tuple[bool, bool, bool, bool, float, int]:
        """Order of preference: not shunned, a worker that knows the model, one that is ready, any, fullest device, most
        room."""
        need, chosen = job.resources, self.choose(job.resources)
        alike = [w for w in self.idle if w.seat.threads == need.cpus and bool(w.seat.devices) == bool(need.gpus)]
        knows = any(w.ready and job.model.name in w.models for w in alike)
        left = self.devices[chosen[0]] - need.gpus if chosen and need.gpus < 1 else 0.0
        ready = any(w.ready for w in alike)
        return self.place.key in shunned, not knows, not ready, not alike, left, -self.free

    def seated(self, seat: Seat, model: str) -> Worker | None:
        """An idle worker with that seat: ready before starting, and one that ran this model before others."""
        fitting = [worker for worker in self.idle if worker.seat == seat]
        if not fitting:
            return None
        best = max(fitting, key=lambda worker: (worker.ready, model in worker.models))
        self.idle.remove(best)
        return best

    def make_way(self, seat: Seat) -> tuple[Worker, ...]:
        """Idle workers that must go before one with this seat can start."""
        leaving = [worker for worker in self.idle if set(worker.seat.devices) & set(seat.devices)]
        if not seat.devices:
            others = [worker for worker in self.idle if not worker.seat.devices]
            while self.spare < seat.threads and others:
                worker = others.pop()
                self.spare += worker.seat.threads
                leaving.append(worker)
            self.spare -= seat.threads
        self.idle = [worker for worker in self.idle if worker not in leaving]
        return tuple(leaving)

    def occupy(self, seat: Seat, need: Resources) -> None:
        """A job runs there."""
        self.memory += need.memory
        if seat.devices:
            self.gpu_threads += seat.threads
        else:
            self.cpu_threads += seat.threads
        for device in seat.devices:
            self.devices[device] -= seat.share


def _taken(workers: Sequence[Worker]) -> dict[str, int]:
    """Machine -> slots of the workers that live there, without those on GPUs, which are held by devices."""
    taken: dict[str, int] = {}
    for worker in workers:
        if not worker.seat.devices:
            taken[worker.seat.place] = taken.get(worker.seat.place, 0) + worker.seat.threads
    return taken


def _amounts(cpus: int, gpus: float, memory: int) -> str:
    extra = f" and {memory / 1e9:.3g} GB" if memory else ""
    return f"{cpus} slots, {gpus:g} GPUs{extra}"
