"""Many rows: start points are first tried on a few of them, and only the best go on to more.

symbol    meaning
rung      a share of the training rows; each is four times the one before, and the last is at most half of them
scout     a trial of one fold on a rung; it is never a member of an ensemble

Promotion is asynchronous, as in ASHA (Li et al., 2020): no slot waits for a rung to be complete.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from automl.search.families import Family
from automl.search.trial import Trial

_FEWEST_ROWS = 10_000
_GROWTH = 4
_LARGEST_RUNG = 0.5
_POINTS = 2
_KEPT_SHARE = 0.5
_ENOUGH_TO_RANK = 4
_FAMILIES = 4


def rungs(n_rows: int) -> list[float]:
    """Shares of `n_rows` training rows, growing; none when there are fewer than 40,000."""
    out, rows = [], _FEWEST_ROWS
    while n_rows >= _GROWTH * _FEWEST_ROWS and rows / n_rows <= _LARGEST_RUNG:
        out.append(rows / n_rows)
        rows *= _GROWTH
    return out


@dataclass
class _Climber:
    """A start point and its scouts, one per rung it has reached."""

    family: Family
    point: int
    trials: list[Trial] = field(default_factory=list)

    def score(self, rung: int) -> float:
        """Of its scout on a rung; minus infinity when that failed or has not ended."""
        score = self.trials[rung].mean() if rung < len(self.trials) else math.nan
        return score if math.isfinite(score) else -math.inf

    @property
    def standing(self) -> tuple[int, float]:
        """The highest rung with a score, and the score: larger is better; (-1, -inf) when it has none."""
        known = [rung for rung in range(len(self.trials)) if self.score(rung) > -math.inf]
        return (known[-1], self.score(known[-1])) if known else (-1, -math.inf)


class Ladder:
    """Which start point to scout next, and how scouts order the families and their points.

    Args:
        families: those to scout, two points of each.
        n_rows: training rows of one fold.
    """

    def __init__(self, families: Sequence[Family], n_rows: int) -> None:
        self._rungs = rungs(n_rows)
        points = [(f, p) for p in range(_POINTS) for f in families if p < len(f.points)]
        self._climbers = [_Climber(f, p) for f, p in points] if self._rungs else []
        self._open = bool(self._rungs)

    def next(self) -> _Climber | None:
        """The start point whose next scout should run: a promotion from the highest rung that has one, else a new one.

        None when there is nothing to start.
        """
        if not self._open:
            return None
        for rung in reversed(range(len(self._rungs) - 1)):
            if promoted := self._promoted(rung):
                return promoted
        return next((climber for climber in self._climbers if not climber.trials), None)

    def share(self, climber: _Climber) -> float:
        """The share of the rows that its next scout learns from."""
        return self._rungs[len(climber.trials)]

    def took_over(self, trial: Trial) -> None:
        """A scout of an earlier process."""
        for climber in self._climbers:
            same = climber.family is trial.family and climber.family.points[climber.point] == trial.candidate.params
            if same and len(climber.trials) < len(self._rungs):
                climber.trials.append(trial)
                return

    @property
    def awaited(self) -> bool:
        """Do too few families have a score yet, while scouts are still running?"""
        wanted = min(_FAMILIES, len({climber.family.name for climber in self._climbers}))
        running = any(trial.running for climber in self._climbers for trial in climber.trials)
        return self._open and running and len(self.families()) < wanted

    def close(self) -> None:
        """No further scouts."""
        self._open = False

    @property
    def used(self) -> bool:
        """Has any scout run?"""
        return any(climber.trials for climber in self._climbers)

    def families(self) -> list[str]:
        """Names of the best four families, by the best of their scouts."""
        best: dict[str, tuple[int, float]] = {}
        for climber in self._climbers:
            best[climber.family.name] = max(climber.standing, best.get(climber.family.name, (-1, -math.inf)))
        known = [name for name, standing in best.items() if standing[0] >= 0]
        return sorted(known, key=lambda name: best[name], reverse=True)[:_FAMILIES]

    def points(self, family: Family) -> list[int]:
        """Numbers of the family's start points, the best scouted ones first."""
        standing = {c.point: c.standing for c in self._climbers if c.family.name == family.name}
        return sorted(range(len(family.points)), key=lambda p: standing.get(p, (-1, -math.inf)), reverse=True)

    def _promoted(self, rung: int) -> _Climber | None:
        """The best climber on this rung that belongs to its better half and has not gone on."""
        ended = [c for c in self._climbers if c.score(rung) > -math.inf]
        fresh = any(not climber.trials for climber in self._climbers)
        if len(ended) < _ENOUGH_TO_RANK and fresh:
            return None
        ended.sort(key=lambda c: c.score(rung), reverse=True)
        better = ended[: math.ceil(_KEPT_SHARE * len(ended))]
        return next((c for c in better if len(c.trials) == rung + 1), None)
