"""The task of choosing one of several classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.contract import AnyArray, Example, FloatArray, Metric, Problem, Table

from . import scores
from .classes import MAX_CLASSES, ClassTask, distinct
from .samples import many_class_examples


class Multiclass(ClassTask):
    """K classes, one of which is right."""

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

        def labelled(name: str, of: Any) -> Metric:
            def figure(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
                return float(of(scores.confusion(y, p.argmax(axis=1), w, n)))

            return scores.ArrayMetric(name, figure, decides="labels")

        metrics = [
            scores.mean_metric("log_loss", scores.log_loss_units),
            labelled("accuracy", lambda t: np.trace(t) / t.sum()),
            labelled("balanced_accuracy", lambda t: scores.recalls(t).mean()),
            labelled("f1_macro", lambda t: scores.f1_scores(t).mean()),
            labelled("f1_weighted", lambda t: np.average(scores.f1_scores(t), weights=t.sum(axis=1))),
            scores.mean_metric("brier", scores.brier_units),
            scores.ArrayMetric("roc_auc_ovr", one_versus_rest),
        ]
        return {metric.name: metric for metric in metrics}

    def examples(self) -> Sequence[Example]:
        return many_class_examples()


def one_versus_rest(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
    """Mean ROC AUC of each class against the others, over the classes that occur."""
    found = [scores.roc_auc(y == k, p[:, k], w) for k in range(p.shape[1])]
    return float(np.nanmean(found)) if not np.isnan(found).all() else float("nan")
