"""The task of telling two classes apart; churn, scoring and fraud are this with roles and metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contract import (
    AnyArray,
    Column,
    DataError,
    Example,
    FloatArray,
    IntArray,
    Metric,
    Predictions,
    Problem,
    Table,
    Truth,
)

from . import scores
from .classes import ClassTask, distinct
from .samples import two_class_examples

_THRESHOLD_ROWS = 50
_ACCURACY_ROWS = 10_000
_BALANCED = ("balanced_accuracy", "f1")
_ONE_SIDED = ("precision", "recall")  # best where almost nothing or everything counts as positive
_MOST_ROWS, _RESAMPLES = 100_000, 20

# What is made of the (2, 2) weights by truth (rows) and decision (columns), the positive class second.
_LABELLED: Mapping[str, Callable[[FloatArray], Any]] = {
    "accuracy": lambda t: np.trace(t) / t.sum(),
    "balanced_accuracy": lambda t: scores.recalls(t).mean(),
    "f1": lambda t: scores.f1_scores(t)[1],
    "matthews_corrcoef": lambda t: scores.correlation(t),
    "precision": lambda t: scores.ratio(t[1, 1], t[:, 1].sum()),
    "recall": lambda t: scores.ratio(t[1, 1], t[1].sum()),
}


class Binary(ClassTask):
    """Two classes. ``roles={"positive": label}`` says which one counts as positive; the later one in order if not.

    Metrics that look at labels (accuracy, f1 …) get a decision threshold tuned on out-of-fold predictions, but for
    precision and recall.
    """

    name = "binary"
    settings = {"positive": "the label that counts as positive"}
    aliases = {
        "neg_log_loss": "log_loss",
        "neg_brier_score": "brier",
        "brier_score_loss": "brier",
        "mcc": "matthews_corrcoef",
    }

    def claims(self, table: Table, roles: Mapping[str, Any]) -> float:
        if "target" not in roles or table[roles["target"]].kind not in ("category", "numeric"):
            return 0.0
        found = len(distinct(table[roles["target"]], np.arange(len(table))))
        return {1: 0.1, 2: 0.95}.get(found, 0.0)

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        problem = super().load(table, {k: v for k, v in roles.items() if k != "positive"}, rows)
        positive = 1
        if "positive" in roles:
            if roles["positive"] not in problem.facts["classes"]:
                raise DataError(
                    "positive-unknown",
                    f"{roles['positive']!r} is none of the classes {problem.facts['classes']}",
                    'roles["positive"]',
                )
            positive = problem.facts["classes"].index(roles["positive"])
        return replace(problem, facts={**problem.facts, "positive": positive})

    def check_classes(self, labels: Sequence[Any], column: Column) -> None:
        super().check_classes(labels, column)
        if len(labels) != 2:
            raise DataError(
                "target-not-binary",
                f"the target has {len(labels)} classes: {labels[:10]}",
                repr(column.label),
                'Use task="multiclass".',
            )

    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        positive = problem.facts.get("positive", 1)
        return binary_metrics(positive, problem.facts.get("threshold"), float(problem.facts["shares"][positive]))

    def decide(self, problem: Problem, values: FloatArray) -> IntArray:
        positive = problem.facts.get("positive", 1)
        plain = plain_threshold(problem.metric, float(problem.facts["shares"][positive]))
        chosen = values[:, positive] >= problem.facts.get("threshold", plain)
        return np.asarray(np.where(chosen, positive, 1 - positive), dtype=np.int64)

    def refine(
        self, problem: Problem, predictions: Sequence[Predictions], truths: Sequence[Truth | None], metric: Metric
    ) -> Problem:
        if metric.decides != "labels" or metric.name in _ONE_SIDED:
            return problem
        values = np.concatenate([p.as_array() for p in predictions])
        truth = Truth.concat([t for t in truths if t is not None])
        if len(truth) < (_ACCURACY_ROWS if metric.name == "accuracy" else _THRESHOLD_ROWS):
            return problem
        threshold = best_threshold(problem, metric, truth, values)
        return replace(problem, facts={**problem.facts, "threshold": threshold})

    def examples(self) -> Sequence[Example]:
        return two_class_examples()


def plain_threshold(metric: str, share: float) -> float:
    """The threshold before one is tuned: .5, or the positive share for metrics that weigh both classes alike."""
    return share if metric in _BALANCED else 0.5


def binary_metrics(positive: int, threshold: float | None, share: float) -> dict[str, Metric]:
    """Metrics by name, the default first.

    Args:
        positive: code of the positive class.
        threshold: probability from which the positive class is decided; None takes `plain_threshold`.
        share: of the positive class.
    """

    def auc(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
        return scores.roc_auc(y == positive, p[:, positive], w)

    def precision_area(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
        return scores.average_precision(y == positive, p[:, positive], w)

    def labelled(name: str) -> Metric:
        cut = threshold if threshold is not None else plain_threshold(name, share)

        def figure(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
            decided = (p[:, positive] >= cut).astype(np.int64)
            return float(_LABELLED[name](scores.confusion((y == positive).astype(np.int64), decided, w, 2)))

        least = -1.0 if name == "matthews_corrcoef" else 0.0
        return scores.ArrayMetric(name, figure, decides="labels", bounds=(least, 1.0))

    metrics = [
        scores.ArrayMetric("roc_auc", auc),
        scores.mean_metric("log_loss", scores.log_loss_units),
        scores.mean_metric("brier", scores.brier_units),
        scores.ArrayMetric("average_precision", precision_area),
        *(labelled(name) for name in _LABELLED),
    ]
    return {metric.name: metric for metric in metrics}


def best_threshold(problem: Problem, metric: Metric, truth: Truth, values: FloatArray) -> float:
    """The threshold that does best on resampled rows: the median of 20 optima.

    It is looked for among quantiles of all rows' chances and of the positive rows', which may be few and high.
    """
    positive = problem.facts.get("positive", 1)
    rng = np.random.default_rng(0)
    n = len(truth)
    kept = np.arange(n) if n <= _MOST_ROWS else rng.choice(n, _MOST_ROWS, replace=False)
    chance, hit = values[kept, positive], (truth.y[kept] == positive).astype(np.int64)
    weight = np.ones(len(kept)) if truth.weight is None else truth.weight[kept]
    levels = np.linspace(0.02, 0.98, 49)
    grid = np.unique(np.concatenate([np.quantile(c, levels) for c in (chance, chance[hit == 1]) if len(c)]))
    cell = 2 * np.searchsorted(grid, chance, side="right") + hit
    best = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(0, len(kept), len(kept))
        found = [_LABELLED[metric.name](table) for table in _tables(cell[rows], weight[rows], len(grid))]
        if not np.isnan(found).all():
            best.append(grid[int(np.nanargmax(found))])
    return float(np.median(best)) if best else plain_threshold(metric.name, float(problem.facts["shares"][positive]))


def _tables(cell: IntArray, weight: FloatArray, n_cuts: int) -> FloatArray:
    """(n_cuts, 2, 2) weights by truth and decision at each cut.

    Args:
        cell: (n,) twice the number of cuts that the row's chance reaches, plus 1 for a row of the positive class.
        weight: (n,) of the rows.
    """
    reached = np.bincount(cell, weights=weight, minlength=2 * n_cuts + 2).reshape(n_cuts + 1, 2)
    refused = np.cumsum(reached, axis=0)[:-1]
    return np.stack([refused, np.maximum(reached.sum(axis=0) - refused, 0.0)], axis=2)
