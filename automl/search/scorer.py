"""Scores of predictions on the run's folds.

With repeated folds, a unit is predicted once in every repeat. Its predictions are averaged and judged on the folds of
the first repeat, so that no unit counts twice; the deployed ensemble averages over models in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np

from automl.contract import (
    ADDITIVE,
    AnyArray,
    ArrayPredictions,
    Metric,
    Predictions,
    Problem,
    Request,
    Table,
    TaskPlugin,
    Truth,
    size_of,
)
from automl.ensemble.scoring import take
from automl.search.folding import Folding
from automl.search.trial import Trial

_SHARES = (0.15, 0.3)
_PARTS = 8
_STRETCHES = 5


class Scorer:
    """The truth and the request of every fold, and the metric that compares predictions with them."""

    def __init__(self, task: TaskPlugin, problem: Problem, table: Table, folding: Folding, metric: Metric) -> None:
        self.task, self.problem, self.table, self.metric = task, problem, table, metric
        self.folds, self.judged = folding.folds, folding.judged
        self.in_time = folding.in_time

    def narrow(self, folds: int) -> None:
        """Only the first so many folds count from now on, once each."""
        self.judged = folds

    def again(self, trials: Sequence[Trial]) -> None:
        """Score complete trials anew, on the folds that count now."""
        for trial in trials:
            self.judge(trial)

    def judge(self, trial: Trial) -> None:
        """Score a complete trial by the repeats that are done."""
        self.attend(trial)
        trial.score = self.score(trial.judged)

    def attend(self, trial: Trial) -> None:
        """Have the trial look up here what it predicts and how sure its score is."""
        trial.judge_by(partial(self.predictions, trial), partial(self.noise, trial))

    @cached_property
    def truths(self) -> list[Truth | None]:
        """Per fold, what its validation units are scored on."""
        return [self.task.truth(self.problem, self.table, fold.valid) for fold in self.folds]

    @cached_property
    def requests(self) -> list[Request]:
        """Per fold, the request for its validation units, without a tabular X."""
        own = next((view for view in self.task.views if view not in ("matrix", "columns")), "")
        return [self.task.request(self.problem, self.table, fold.valid, fold.train, own) for fold in self.folds]

    @property
    def groups(self) -> tuple[AnyArray, ...] | None:
        """Per fold that counts, numbers of the groups that its units belong to; None where rows have none."""
        name = self.problem.roles.get("groups")
        if not isinstance(name, str) or "groups" in self.task.roles or self.problem.kind not in ADDITIVE:
            return None
        values = self.table[name].values
        known = np.array([str(value) for value in values]) if values.dtype == object else values
        codes = np.unique(known, return_inverse=True)[1]
        return tuple(codes[request.units] for request in self.requests[: self.judged])

    @property
    def kin(self) -> tuple[AnyArray, ...] | None:
        """Per fold that counts, numbers of what its units belong to and are alike in: a group, or a stretch of time."""
        if self.groups is not None or not self.in_time or self.problem.kind not in ADDITIVE:
            return self.groups
        name = self.problem.roles.get("time")
        when = self.table[name].values if isinstance(name, str) else np.arange(len(self.table))
        ranks = [np.argsort(np.argsort(when[r.units], kind="stable")) for r in self.requests[: self.judged]]
        return tuple(rank * _STRETCHES // max(1, len(rank)) for rank in ranks)

    def fold_score(self, fold: int, predictions: Predictions) -> float:
        """Higher is better; NaN where the metric is undefined."""
        return float(self.metric.score(self.truths[fold], predictions, self.requests[fold]))

    def score(self, judged: Sequence[Predictions]) -> float:
        """One score for predictions on the folds of the first repeat; NaN when the metric is undefined or fails."""
        sizes = list(map(size_of, self.truths[: self.judged], self.requests[: self.judged]))
        try:
            values = [self.metric(self.truths[f], p, self.requests[f]) for f, p in enumerate(judged)]
            return float(self.metric.signed(self.metric.aggregate(values, sizes)))
        except Exception:  # a stranger's metric costs a trial, not the run
            return math.nan

    def adds(self, trial: Trial, best: Trial) -> float:
        """How much the mean score of the folds that both have rises when a little of `trial` is mixed into `best`.

        0 where predictions cannot be mixed, or nothing helps.
        """
        folds = [fold for fold in _scored(trial) if fold in _scored(best)]
        if self.problem.kind not in ADDITIVE or not folds:
            return 0.0
        gains = [0.0]
        try:
            for share in _SHARES:
                scores = [self._mixed(f, trial, best, share) for f in folds]
                gains.append(float(np.mean(scores)) - best.mean(folds))
        except Exception:  # a stranger's metric, which does not like this mixture
            return 0.0
        return float(np.nanmax(gains))

    def gains(self, trial: Trial, base: Trial) -> list[float]:
        """How much higher `trial` scores than `base` on each fold of one repeat that both have; empty where none is.

        With one fold, as many figures as it is cut into parts: their mean is the gain on the fold, and they differ as
        the gains on the parts do; a single figure once the predictions of either have been let go.
        """
        folds = [fold for fold in _scored(trial) if fold < self.judged and fold in _scored(base)]
        whole = [trial.results[f].score - base.results[f].score for f in folds]
        if len(folds) != 1 or not (trial.kept and base.kept):
            return whole
        truth, request = self.truths[folds[0]], self.requests[folds[0]]
        sides = [t.results[folds[0]].predictions for t in (trial, base)]
        parts = _parts(len(request))
        try:
            one, other = (np.array([self._part_score(r, side, truth, request) for r in parts]) for side in sides)
        except Exception:  # a stranger's metric, or predictions that cannot be cut
            return whole
        known = (one - other)[np.isfinite(one - other)]
        return [float(d) for d in known - known.mean() + whole[0]] if len(known) > 1 else whole

    def noise(self, trial: Trial) -> float:
        """Standard error of the score of a trial with a single fold, by the scores of its parts; NaN for any other."""
        if list(trial.results) != [0]:
            return math.nan
        truth, request, said = self.truths[0], self.requests[0], trial.results[0].predictions
        try:
            scores = [self._part_score(rows, said, truth, request) for rows in _parts(len(request))]
        except Exception:  # a stranger's metric, or predictions that cannot be cut
            return math.nan
        known = [score for score in scores if math.isfinite(score)]
        return float(np.std(known, ddof=1) / math.sqrt(len(known))) if len(known) > 1 else math.nan

    def _part_score(self, rows: AnyArray, said: Predictions, truth: Truth | None, request: Request) -> float:
        part, known, asked = take(rows, said, truth, request)
        return float(self.metric.score(known, part, asked))

    def _mixed(self, fold: int, trial: Trial, best: Trial, share: float) -> float:
        one, other = (t.results[fold].predictions.as_array() for t in (trial, best))
        return self.fold_score(fold, ArrayPredictions(self.problem.kind, share * one + (1 - share) * other))

    def predictions(self, trial: Trial) -> list[Predictions]:
        """A complete trial's predictions on the folds of the first repeat, averaged over its finished repeats."""
        repeats = trial.repeats(self.judged)
        if repeats == 1:
            return [trial.results[fold].predictions for fold in range(self.judged)]
        folds = range(repeats * self.judged)
        size = 1 + max(int(self.requests[fold].units.max()) for fold in folds)
        total = np.zeros((size, self.problem.n_outputs))
        counts = np.zeros((size, 1))
        for fold in folds:
            total[self.requests[fold].units] += trial.results[fold].predictions.as_array()
            counts[self.requests[fold].units] += 1
        means = total / np.maximum(counts, 1)
        return [ArrayPredictions(self.problem.kind, means[r.units]) for r in self.requests[: self.judged]]


def _scored(trial: Trial) -> list[int]:
    """Folds on which the metric is defined, in their order."""
    return sorted(fold for fold, result in trial.results.items() if not math.isnan(result.score))


def _parts(n_units: int) -> list[AnyArray]:
    """Positions of the units, in random parts of about the same size."""
    return np.array_split(np.random.default_rng(0).permutation(n_units), _PARTS)
