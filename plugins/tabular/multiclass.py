"""The task of choosing one of several classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contract import AnyArray, Example, FloatArray, IntArray, Metric, Predictions, Problem, Table, Truth

from . import scores
from .classes import MAX_CLASSES, ClassTask, distinct
from .samples import many_class_examples

_TILT_ROWS, _MOST_ROWS, _RESAMPLES = 50, 20_000, 20
_TILTS = np.linspace(0.0, 1.5, 16)
_TILT = {"balanced_accuracy": 1.0, "f1_macro": 0.3}  # before one is learnt

# What is made of the (K, K) weights by truth (rows) and decision (columns).
_LABELLED: Mapping[str, Callable[[FloatArray], Any]] = {
    "accuracy": lambda t: np.trace(t) / t.sum(),
    "balanced_accuracy": lambda t: scores.recalls(t).mean(),
    "f1_macro": scores.f1_macro,
    "f1_weighted": lambda t: np.average(scores.f1_scores(t), weights=t.sum(axis=1)),
}


class Multiclass(ClassTask):
    """K classes, one of which is right.

    Decided for is the class with the largest p / share^tilt. The tilt is 0, the most probable class, but for metrics
    that weigh rare classes like common ones (``balanced_accuracy``, ``f1_macro``): these learn it from out-of-fold
    predictions.
    """

    name = "multiclass"
    aliases = {"neg_log_loss": "log_loss", "roc_auc": "roc_auc_ovr"}

    def claims(self, table: Table, roles: Mapping[str, Any]) -> float:
        if "target" not in roles or table[roles["target"]].kind not in ("category", "numeric"):
            return 0.0
        column = table[roles["target"]]
        found = distinct(column, np.arange(len(table)))
        if len(found) < 3:
            return 0.0
        if column.kind == "category":
            return 0.9 if len(found) <= min(MAX_CLASSES, len(table) // 2) else 0.3
        if any(value != int(value) for value in found):
            return 0.0
        return 0.7 if len(found) <= 20 and len(found) <= len(table) / 10 else 0.1

    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        n = problem.n_outputs

        shares = problem.facts["shares"]

        def labelled(name: str) -> Metric:
            tilt = problem.facts.get("tilt", _TILT.get(name, 0.0))

            def figure(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
                return float(_LABELLED[name](scores.confusion(y, decided(p, shares, tilt), w, n)))

            return scores.ArrayMetric(name, figure, decides="labels")

        metrics = [
            scores.mean_metric("log_loss", scores.log_loss_units),
            *(labelled(name) for name in _LABELLED),
            scores.mean_metric("brier", scores.brier_units),
            scores.ArrayMetric("roc_auc_ovr", one_versus_rest),
        ]
        return {metric.name: metric for metric in metrics}

    def decide(self, problem: Problem, values: FloatArray) -> IntArray:
        tilt = problem.facts.get("tilt", _TILT.get(problem.metric, 0.0))
        return decided(values, problem.facts["shares"], tilt)

    def refine(
        self, problem: Problem, predictions: Sequence[Predictions], truths: Sequence[Truth | None], metric: Metric
    ) -> Problem:
        truth = Truth.concat([t for t in truths if t is not None])
        if metric.name not in _TILT or len(truth) < _TILT_ROWS:
            return problem
        values = np.concatenate([p.as_array() for p in predictions])
        return replace(problem, facts={**problem.facts, "tilt": best_tilt(problem, metric.name, truth, values)})

    def examples(self) -> Sequence[Example]:
        return many_class_examples()


def decided(p: FloatArray, shares: FloatArray, tilt: float) -> IntArray:
    """(u,) codes of the classes decided for, given (u, K) probabilities and the (K,) shares of the classes."""
    tilted = p if tilt == 0.0 else p / np.maximum(shares, 1e-12) ** tilt
    return np.asarray(tilted.argmax(axis=1), dtype=np.int64)


def best_tilt(problem: Problem, name: str, truth: Truth, values: FloatArray) -> float:
    """The tilt that does best for a metric on resampled rows: the median of 20 optima."""
    rng = np.random.default_rng(0)
    n, k, shares = len(truth), problem.n_outputs, problem.facts["shares"]
    kept = np.arange(n) if n <= _MOST_ROWS else rng.choice(n, _MOST_ROWS, replace=False)
    y, weight = truth.y[kept], np.ones(len(kept)) if truth.weight is None else truth.weight[kept]
    choices = [decided(values[kept], shares, tilt) for tilt in _TILTS]
    best = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(0, len(kept), len(kept))
        if weight[rows].any():
            found = [_LABELLED[name](scores.confusion(y[rows], c[rows], weight[rows], k)) for c in choices]
            best.append(_TILTS[int(np.argmax(found))])
    return float(np.median(best)) if best else _TILT[name]


def one_versus_rest(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
    """Mean ROC AUC of each class against the others, over the classes that occur."""
    found = [scores.roc_auc(y == k, p[:, k], w) for k in range(p.shape[1])]
    return float(np.nanmean(found)) if not np.isnan(found).all() else float("nan")
