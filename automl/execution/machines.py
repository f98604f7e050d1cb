"""The machines of a pool: which are there, which were, and which do not get workers up."""

from __future__ import annotations

import time
from collections.abc import Iterable

from automl.execution.job import Job
from automl.execution.seats import Place, Seating, check_sound

_ATTEMPTS = 3
_REST_SECONDS = 60.0


class Machines:
    """They come and go. One on which workers failed to start three times in a row is left alone for a minute.

    Args:
        expects: may machines still come when none has been seen?

    Attributes:
        there: those that are there now.
    """

    def __init__(self, expects: bool) -> None:
        self.there = Seating(())
        self._expects = expects
        self._names: dict[str, str] = {}
        self._seen: set[Place] = set()
        self._homeless: dict[int, float] = {}
        self._waited_for = False
        self._failed: dict[str, int] = {}
        self._resting: dict[str, float] = {}

    def move(self, seating: Seating) -> None:
        """From now on these are there."""
        keys = {place.key for place in seating.places}
        self._waited_for = self._waited_for or any(place.key not in keys for place in self.there.places)
        self.there = seating
        self._names |= {place.key: place.name for place in seating.places}
        self._seen |= {Place(slots=p.slots, devices=p.devices, memory=p.memory) for p in seating.places}

    def name(self, key: str) -> str:
        """As people know it."""
        return self._names.get(key, key)

    def check(self, job: Job) -> None:
        """Raises ExecutionError when none that is or was there could run it; one that was may come back."""
        check_sound(job)
        if self.there.holds(job.resources):
            return
        may_come = Seating(tuple(self._seen), self.there.most).holds(job.resources) if self._seen else self._expects
        if not may_come:
            self.there.check(job)
        self._waited_for = True

    def homeless(self, queue: Iterable[Job], now: float, patience: float) -> list[Job]:
        """Jobs that none that is there could run for so many seconds. While there is none at all, all wait."""
        if not self.there.places:
            self._homeless.clear()
            return []
        given_up = []
        for job in queue if self._waited_for else ():
            if self.there.holds(job.resources):
                self._homeless.pop(job.id, None)
            elif now - self._homeless.setdefault(job.id, now) > patience:
                del self._homeless[job.id]
                given_up.append(job)
        return given_up

    def usable(self) -> Seating:
        """Those on which workers come up. One whose minute is over gets one more try."""
        now = time.monotonic()
        for place in [place for place, until in self._resting.items() if until <= now]:
            del self._resting[place]
            self._failed[place] = _ATTEMPTS - 1
        return self.there.without(self._resting)

    def came_up(self, place: str) -> None:
        """A worker did there."""
        self._failed.pop(place, None)
        self._resting.pop(place, None)

    def did_not_come_up(self, place: str) -> bool:
        """A worker did not. Is the machine left alone from now on?"""
        self._failed[place] = self._failed.get(place, 0) + 1
        if self._failed[place] < _ATTEMPTS:
            return False
        self._resting[place] = time.monotonic() + _REST_SECONDS
        return True

    def try_again(self) -> None:
        """When none gets workers up, all are tried again."""
        if not self.usable().places:
            for place in self.there.places:
                self.came_up(place.key)
