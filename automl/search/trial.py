"""A candidate on its way through the folds, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from automl.contract import FitInfo, Predictions
from automl.execution.job import Candidate
from automl.search.families import Family


@dataclass(frozen=True)
class FoldResult:
    """One fold of a trial.

    Attributes:
        score: higher is better.
        source: the predictions, or what reads them from disk when they are first asked for.
        wall, cpu, predict_s, row_s: seconds as in `Outcome`.
        size: bytes of the saved model.
    """

    score: float
    source: Predictions | Callable[[], Predictions]
    info: FitInfo
    wall: float
    cpu: float
    predict_s: float
    row_s: float
    size: int = 0

    @cached_property
    def predictions(self) -> Predictions:
        """For the fold's validation units."""
        return self.source if isinstance(self.source, Predictions) else self.source()


def _unknown() -> float:
    return math.nan


def _let_go() -> Predictions:
    raise LookupError("the predictions of a trial that was given up are not kept")


@dataclass
class Trial:
    """A candidate and its results so far.

    Attributes:
        name: on the leaderboard: the model's name, numbered from its second candidate on.
        state: ``running``, ``ok``, ``pruned``, ``skipped`` or ``failed``.
        kind: of a failure: ``error``, ``timeout``, ``oom``, ``crashed``, ``node_lost``, ``invalid``.
        results: fold position -> result; a thread that blends looks at it while folds are added.
        attempts: how often a fold of it was begun again after a loss.
        lost_nodes, lost_workers: how many nodes, and how many workers by themselves, were lost with it.
        closed: no further repeat is wanted.
        told: its end has been reported.
        detail: the traceback of a failure.
        added: what it adds to the best trial when mixed in.
        weighed: (folds, number of the best trial) that `added` is about.
        watch: called with the trial when it ends, so that a board need not look at all of its trials.
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
    closed: bool = False
    told: bool = False
    attempts: int = 0
    lost_nodes: int = 0
    lost_workers: int = 0
    score: float = math.nan
    weighed: tuple[int, int] = (0, -1)
    added: float = 0.0
    watch: Callable[[Trial], None] | None = None
    _judging: Callable[[], list[Predictions]] = list
    _judged: list[Predictions] | None = None
    _doubting: Callable[[], float] = _unknown
    _noise: float | None = None

    def end(self, state: str, kind: str = "", reason: str = "", detail: str = "") -> None:
        """It is done or given up: ok, pruned or failed, and why."""
        self.state, self.kind, self.reason, self.detail = state, kind, reason, detail
        if not self.kept:  # of thousands of trials, most are given up, and nobody needs their predictions again
            self.results = {fold: replace(result, source=_let_go) for fold, result in self.results.items()}
        if self.watch is not None:
            self.watch(self)

    def judge_by(self, judging: Callable[[], list[Predictions]], doubting: Callable[[], float]) -> None:
        """Have these say what `judged` and `noise` are, once either is wanted: they may read predictions from disk."""
        self._judging, self._doubting = judging, doubting
        self._judged = self._noise = None

    @property
    def judged(self) -> list[Predictions]:
        """Once complete, predictions on the folds of the first repeat, averaged over finished repeats."""
        if self._judged is None:
            self._judged = self._judging()
        return self._judged

    @property
    def noise(self) -> float:
        """Standard error of its score on a single fold, as far as the fold's units tell; NaN with more folds."""
        if self._noise is None:
            self._noise = self._doubting()
        return self._noise

    @property
    def running(self) -> bool:
        """Is it neither done nor given up?"""
        return self.state == "running"

    @property
    def kept(self) -> bool:
        """Are its predictions still there? Those of what was given up or failed are let go."""
        return self.state in ("running", "ok")

    @property
    def baseline(self) -> bool:
        """Is it a simple model as it comes, to be beaten? A tuned one of the same family is not."""
        return self.phase == "baseline"

    @property
    def scout(self) -> bool:
        """Is it a try on one fold and a part of the rows?"""
        return self.candidate.fidelity < 1.0

    @property
    def in_flight(self) -> int:
        """Jobs submitted whose event has not come."""
        return len(self.submitted) - len(self.results)

    def repeats(self, judged: int) -> int:
        """Finished repeats of `judged` folds each."""
        done = 0
        while all(fold in self.results for fold in range(done * judged, (done + 1) * judged)):
            done += 1
        return done

    def folds(self, judged: int, at_most: int) -> list[int]:
        """Folds of finished repeats, `at_most` of them."""
        return list(range(min(self.repeats(judged) * judged, at_most)))

    def mean(self, folds: list[int] | None = None) -> float:
        """Plain mean of the fold scores that are numbers, over all finished folds or some; NaN where none is."""
        found = [r.score for f, r in list(self.results.items()) if folds is None or f in folds]
        known = [score for score in found if not math.isnan(score)]
        return sum(known) / len(known) if known else math.nan

    def spread(self, folds: int) -> float:
        """Standard error of the mean score of so many folds, as many as judge each unit once; of a single one `noise`.

        Further folds judge the same units again: they make the estimate steadier, not smaller.
        """
        scores = [r.score for r in list(self.results.values()) if not math.isnan(r.score)]
        if len(scores) < 2:
            return self.noise
        return float(np.std(scores, ddof=1) / math.sqrt(min(folds, len(scores))))

    def seconds(self) -> float:
        """Wall seconds of all its folds."""
        return sum(result.wall for result in self.results.values())

    def row_seconds(self, folds: list[int]) -> float:
        """Seconds of a one-row prediction by the models of these folds; NaN when none of the trial's was measured."""
        known = [r.row_s for r in list(self.results.values()) if not math.isnan(r.row_s)]
        usual = float(np.mean(known)) if known else math.nan
        times = [self.results[fold].row_s for fold in folds]
        return float(sum(usual if math.isnan(seconds) else seconds for seconds in times))

    def size(self, folds: list[int]) -> int:
        """Bytes of the saved models of these folds."""
        return sum(self.results[fold].size for fold in folds)
