"""Scores predictions over folds with a metric that belongs to someone else: it may raise, be slow, or give NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from automl.contract import AnyArray, FloatArray, Metric, Predictions, Request, Truth, size_of


class Scorer:
    """A metric over folds, with a bound on how often it is called.

    Attributes:
        sizes: units of each fold.
        counts: how much each fold counts beside the others, see `size_of`.
        usable: folds on which the metric can be computed at all; learnt by `table`, all until then.
        used: metric calls made.
    """

    def __init__(
        self,
        truths: Sequence[Truth | None],
        requests: Sequence[Request],
        metric: Metric,
        calls: float = math.inf,
        deadline: float = math.inf,
    ) -> None:
        self.truths, self.requests, self.metric = tuple(truths), tuple(requests), metric
        self.calls, self.deadline = calls, deadline
        self.sizes = tuple(len(request) for request in requests)
        self.counts = tuple(map(size_of, truths, requests))
        self.usable = tuple(range(len(self.requests)))
        self.used = 0

    def value(self, fold: int, predictions: Predictions) -> float:
        """The metric on one fold, in its own direction; NaN when it cannot be computed."""
        self.used += 1
        try:
            return float(self.metric(self.truths[fold], predictions, self.requests[fold]))
        except Exception:
            return math.nan

    def table(self, members: Sequence[Sequence[Predictions]]) -> FloatArray:
        """(n_members, n_folds) values in the metric's own direction; folds where all are NaN become unusable."""
        rows = [[self.value(f, fold) for f, fold in enumerate(member)] for member in members]
        return self.learn(np.array(rows, dtype=np.float64).reshape(len(members), len(self.requests)))

    def learn(self, values: FloatArray) -> FloatArray:
        """The same values, noted as if `table` had found them."""
        self.usable = tuple(int(f) for f in np.flatnonzero(np.isfinite(values).any(axis=0)))
        return values

    def total(self, values: Sequence[float] | FloatArray, folds: Sequence[int] | None = None) -> float:
        """One score, higher is better, from the values of all folds or of `folds`; minus infinity if there is none."""
        wanted = [f for f in self.usable if folds is None or f in folds]
        return total(self.metric, [values[f] for f in wanted], [self.counts[f] for f in wanted])

    def score(self, predictions: Sequence[Predictions]) -> float:
        """One score over the usable folds, higher is better; minus infinity when the metric fails on one of them."""
        values = [self.value(f, predictions[f]) for f in self.usable]
        return total(self.metric, values, [self.counts[f] for f in self.usable])

    @property
    def spent(self) -> bool:
        """No further calls should be made."""
        return self.used >= self.calls or time.monotonic() >= self.deadline


def total(metric: Metric, values: Sequence[float], sizes: Sequence[float]) -> float:
    """Values of several sets of units as one score, higher is better; minus infinity when one is not finite."""
    if not values or not np.all(np.isfinite(values)):
        return -math.inf
    try:
        score = metric.signed(float(metric.aggregate(list(values), list(sizes))))
    except Exception:
        return -math.inf
    return score if math.isfinite(score) else -math.inf


def take(
    positions: AnyArray, predictions: Predictions, truth: Truth | None, request: Request
) -> tuple[Predictions, Truth | None, Request]:
    """Predictions, truth and request of some units."""
    return predictions.take(positions), None if truth is None else truth.take(positions), request.take(positions)


def best_of(scores: Sequence[float] | FloatArray, costs: FloatArray) -> int:
    """Position of the highest score; among equals the cheapest, then the first."""
    scores = np.asarray(scores, dtype=np.float64)
    ties = np.flatnonzero(scores >= scores.max())
    return int(ties[np.argmin(costs[ties])])
