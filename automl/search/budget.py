"""What the model that is kept may take: time to predict one row, space on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from automl.contract import Finding
from automl.search.answering import AnswerTimes
from automl.search.deploy import Deployment
from automl.search.settings import Settings
from automl.search.trial import Trial

_AROUND_S, _MEMBERS_SHARE = 0.0006, 0.4
_CALLED = 1.2  # a caller meets rows one after the other, a cache that others used; what is measured is the least
_LEAST_ROOM = 0.25
_SAFETY, _MOST_TRIES = 1.1, 6
_MB = 1e6


@dataclass(frozen=True)
class Footprint:
    """What a committed model was measured to take.

    Attributes:
        row_ms: milliseconds to predict one row, as the caller gives it; NaN when its task has no predictions of rows.
        size_mb: megabytes, of 10^6 bytes, of the files that `save` writes.
    """

    row_ms: float
    size_mb: float


class Scales(Protocol):
    """What measures a model as its caller meets it."""

    def committed(self) -> Footprint:
        """Of the model in the run's folder."""
        ...

    def around(self) -> float:
        """Seconds that one row takes beside the members' answers: to be read, and to be given back."""
        ...


class Budget:
    """The limits that the user gave and those of the preset, and what the members of an ensemble take of them.

    What members share on disk counts for each of them: an ensemble may end up smaller than it had to be.

    Args:
        beside: bytes that are saved beside the members.
        times: what trials take to answer; None takes the workers' own figures.
        scales: None reckons with what a row of a few columns takes beside the members.
    """

    def __init__(
        self,
        settings: Settings,
        beside: float = 0.0,
        times: AnswerTimes | None = None,
        scales: Scales | None = None,
    ) -> None:
        self._times, self._scales = times, scales
        self.latency_ms, self.size_mb = settings.max_latency_ms, settings.max_size_mb
        self.asked = self.latency_ms is not None or self.size_mb is not None
        row_ms = settings.preset.row_ms if self.latency_ms is None and settings.clocked else self.latency_ms
        self._row = math.inf if row_ms is None else row_ms / 1000
        self._seconds = self._for_members(_AROUND_S)
        room = math.inf if self.size_mb is None else self.size_mb * _MB
        self._bytes = room if math.isinf(room) else max(room - beside, _LEAST_ROOM * room)
        self._tightened = 1.0

    def _for_members(self, around: float) -> float:
        """Seconds of a row that are the members', by the clock that measures them."""
        return max(self._row / _CALLED - around, _MEMBERS_SHARE * self._row / _CALLED)

    def share(self, trial: Trial, folds: Sequence[int]) -> float:
        """What the models of these folds take, 1 being all there is; NaN when it is not known.

        The larger of the shares of time and space: members whose shares sum to 1 keep to both.
        """
        size = trial.size(list(folds)) / self._bytes
        if math.isinf(self._seconds):
            return size * self._tightened
        asked = trial.row_seconds(list(folds)) if self._times is None else self._times.seconds(trial, folds)
        seconds = asked / self._seconds
        return math.nan if math.isnan(seconds) else max(seconds, size) * self._tightened

    def costs(
        self, trials: Sequence[Trial], folds_of: Callable[[Trial], Sequence[int]], measure: bool = True
    ) -> list[float] | None:
        """The share of each trial, if there is time measured as it will answer; None when nothing is limited."""
        if math.isinf(self._seconds) and math.isinf(self._bytes):
            return None
        if measure and math.isfinite(self._seconds):
            self._measure(trials, folds_of)
        return [self.share(trial, folds_of(trial)) for trial in trials]

    def _measure(self, trials: Sequence[Trial], folds_of: Callable[[Trial], Sequence[int]]) -> None:
        """Take the time of these trials, and of what is around them the first time."""
        if self._scales is not None:
            around = self._scales.around()
            self._scales = None
            if not math.isnan(around):
                self._seconds = self._for_members(around)
        if self._times is not None:
            self._times.measure(trials, folds_of)

    def room(self, trials: Sequence[Trial], costs: Sequence[float], folds: int) -> float:
        """What members may take together: 1, or what the best takes, where nobody asked for less and all that are
        cheaper are worse by more than chance.

        trials: best first; costs: of each, as `costs` gives them; folds: as many as judge each unit once.
        """
        within = [trial for trial, cost in zip(trials, costs, strict=True) if not cost > 1.0]
        if self.asked or (within and within[0] is trials[0]):
            return 1.0
        spread = trials[0].spread(folds)
        near = bool(within) and trials[0].score - within[0].score <= (0.0 if math.isnan(spread) else spread)
        return 1.0 if near else costs[0]

    def holds(self, trial: Trial, folds: Sequence[int]) -> bool:
        """May it answer alone? What is not known may."""
        return not self.share(trial, folds) > 1.0

    def excess(self, found: Footprint) -> float:
        """How many times what the user allows was measured; at most 1 when it is kept to."""
        parts = [(found.row_ms, self.latency_ms), (found.size_mb, self.size_mb)]
        return max(
            [measured / limit for measured, limit in parts if limit is not None and measured == measured] or [0.0]
        )

    def tighten(self, excess: float) -> None:
        """Count the members as so much larger than they were measured to be."""
        self._tightened *= _SAFETY * excess

    def missed(self, found: Footprint) -> list[Finding]:
        """Limits that the smallest model does not keep to, with what was measured."""
        out = []
        if self.latency_ms is not None and found.row_ms > self.latency_ms:
            what = f"predicting one row takes {found.row_ms:.2g} ms, more than max_latency_ms={self.latency_ms:g}"
            out.append(Finding("latency-over", what, done="kept: no model that was fitted is faster"))
        if self.size_mb is not None and found.size_mb > self.size_mb:
            what = f"the model takes {found.size_mb:.2g} MB, more than max_size_mb={self.size_mb:g}"
            out.append(Finding("size-over", what, done="kept: no model that was fitted is smaller"))
        return out

    def beside(
        self, chosen: Sequence[Trial], others: Sequence[Trial], folds_of: Callable[[Trial], Sequence[int]]
    ) -> list[Trial]:
        """Of other trials worth keeping, those that there is space for beside the chosen ones: the smallest first."""
        room = self._bytes - self._tightened * sum(trial.size(list(folds_of(trial))) for trial in chosen)
        kept = []
        for trial in sorted(others, key=lambda trial: trial.size(list(folds_of(trial)))):
            size = 0 if trial in chosen else trial.size(list(folds_of(trial)))
            if size <= room:
                kept.append(trial)
                room -= size
        return [trial for trial in others if trial in kept]


def kept_to(
    budget: Budget,
    plan: Deployment,
    measure: Callable[[], Footprint],
    again: Callable[[], Deployment],
    seconds_left: Callable[[], float],
) -> tuple[Deployment, list[Finding]]:
    """The plan, made again with less until what is committed keeps to the user's limits; and the limits missed."""
    found = measure()
    for _ in range(_MOST_TRIES):
        excess = budget.excess(found)
        if excess <= 1.0 or seconds_left() <= 0.0:
            break
        budget.tighten(excess)
        before, plan = plan, again()
        if before.members == plan.members and len(plan.chosen) == 1:
            break
        found = measure()
    return plan, budget.missed(found)
