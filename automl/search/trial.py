"""A candidate on its way through the folds, and what became of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.contract import FitInfo, Predictions
from automl.execution.job import Candidate
from automl.search.families import Family


@dataclass(frozen=True)
class FoldResult:
    """One fold of a trial. `score`: higher is better; seconds as in `Outcome`."""

    score: float
    predictions: Predictions
    info: FitInfo
    wall: float
    cpu: float
    predict_s: float
    row_s: float


@dataclass
class Trial:
    """A candidate and its results so far.

    Attributes:
        name: on the leaderboard: the model's name, numbered from its second candidate on.
        state: ``running``, ``ok``, ``pruned``, ``skipped`` or ``failed``.
        kind: of a failure: ``error``, ``timeout``, ``oom``, ``crashed``, ``node_lost``, ``invalid``.
        results: fold position -> result.
        asked: token of the proposer that suggested it, or None.
    """

    number: int
    name: str
    family: Family
    candidate: Candidate
    phase: str
    state: str = "running"
    kind: str = ""
    reason: str = ""
    detail: str = ""
    results: dict[int, FoldResult] = field(default_factory=dict)
    submitted: set[int] = field(default_factory=set)
    attempts: int = 0
    score: float = math.nan
    asked: Any = None

    @property
    def running(self) -> bool:
        """Is it neither done nor given up?"""
        return self.state == "running"

    @property
    def in_flight(self) -> int:
        """Jobs submitted whose event has not come."""
        return len(self.submitted) - len(self.results)

    def mean(self, folds: list[int] | None = None) -> float:
        """Plain mean of the fold scores, over all finished folds or some."""
        chosen = [r.score for f, r in self.results.items() if folds is None or f in folds]
        return float(np.nanmean(chosen)) if chosen and not np.isnan(chosen).all() else math.nan

    def spread(self) -> float:
        """Standard error of the mean fold score; NaN with fewer than two folds."""
        scores = [r.score for r in self.results.values()]
        return float(np.nanstd(scores, ddof=1) / math.sqrt(len(scores))) if len(scores) > 1 else math.nan

    def seconds(self) -> float:
        """Wall seconds of all its folds."""
        return sum(result.wall for result in self.results.values())

    def row_seconds(self, deployed: int) -> float:
        """Seconds of a one-row prediction by the models of its first `deployed` folds; NaN when not measured."""
        return float(sum(result.row_s for fold, result in self.results.items() if fold < deployed))
