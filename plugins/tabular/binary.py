"""The task of telling two classes apart; churn, scoring and fraud are this with roles and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contract import (
    AnyArray,
    ArrayPredictions,
    Column,
    DataError,
    Example,
    FloatArray,
    IntArray,
    Metric,
    Predictions,
    Problem,
    Request,
    Table,
    Truth,
)

from . import scores
from .classes import ClassTask, distinct
from .samples import two_class_examples

_THRESHOLD_ROWS = 50
_ACCURACY_ROWS = 10_000
_BALANCED = ("balanced_accuracy", "f1")


class Binary(ClassTask):
    """Two classes. ``roles={"positive": label}`` says which one counts as positive; the later one in order if not.

    Metrics that look at labels (accuracy, f1 …) get a decision threshold tuned on out-of-fold predictions.
    """

    name = "binary"
    settings = {"positive": "the label that counts as positive"}
    aliases = {"neg_log_loss": "log_loss", "neg_brier_score": "brier", "brier_score_loss": "brier"}

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
        if metric.decides != "labels":
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

    def labelled(name: str, of: Any) -> Metric:
        cut = threshold if threshold is not None else plain_threshold(name, share)

        def figure(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
            decided = (p[:, positive] >= cut).astype(np.int64)
            return float(of(scores.confusion((y == positive).astype(np.int64), decided, w, 2)))

        return scores.ArrayMetric(name, figure, decides="labels")

    metrics = [
        scores.ArrayMetric("roc_auc", auc),
        scores.mean_metric("log_loss", scores.log_loss_units),
        scores.mean_metric("brier", scores.brier_units),
        scores.ArrayMetric("average_precision", precision_area),
        labelled("accuracy", lambda t: np.trace(t) / t.sum()),
        labelled("balanced_accuracy", lambda t: scores.recalls(t).mean()),
        labelled("f1", lambda t: scores.f1_scores(t)[1]),
        labelled("precision", lambda t: scores.ratio(t[1, 1], t[:, 1].sum())),
        labelled("recall", lambda t: scores.ratio(t[1, 1], t[1].sum())),
    ]
    return {metric.name: metric for metric in metrics}


def best_threshold(problem: Problem, metric: Metric, truth: Truth, values: FloatArray) -> float:
    """The threshold that does best on resampled rows: the median of 20 optima."""
    positive = problem.facts.get("positive", 1)
    share = float(problem.facts["shares"][positive])
    grid = np.unique(np.quantile(values[:, positive], np.linspace(0.02, 0.98, 49)))
    candidates = [binary_metrics(positive, float(cut), share)[metric.name] for cut in grid]
    rng = np.random.default_rng(0)
    best = []
    for _ in range(20):
        rows = rng.integers(0, len(truth), len(truth))
        part = ArrayPredictions("class_proba", values[rows])
        found = [m.score(truth.take(rows), part, Request(rows)) for m in candidates]
        best.append(grid[int(np.nanargmax(found))])
    return float(np.median(best))
