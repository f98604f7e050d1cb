"""Scores of predictions on the run's folds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from automl.contract import Fold, Metric, Predictions, Problem, Request, Table, TaskPlugin, Truth


class Scorer:
    """The truth and the request of every fold, and the metric that compares predictions with them."""

    def __init__(self, task: TaskPlugin, problem: Problem, table: Table, folds: Sequence[Fold], metric: Metric) -> None:
        self.task, self.problem, self.table, self.folds, self.metric = task, problem, table, folds, metric

    @cached_property
    def truths(self) -> list[Truth | None]:
        """Per fold, what its validation units are scored on."""
        return [self.task.truth(self.problem, self.table, fold.valid) for fold in self.folds]

    @cached_property
    def requests(self) -> list[Request]:
        """Per fold, the request for its validation units, without a tabular X."""
        own = next((view for view in self.task.views if view not in ("matrix", "columns")), "")
        return [self.task.request(self.problem, self.table, fold.valid, fold.train, own) for fold in self.folds]

    def fold_score(self, fold: int, predictions: Predictions) -> float:
        """Higher is better; NaN where the metric is undefined."""
        return float(self.metric.score(self.truths[fold], predictions, self.requests[fold]))

    def aggregate(self, scores: Sequence[float]) -> float:
        """One score for all folds."""
        values = [self.metric.signed(score) for score in scores]
        sizes = [len(request) for request in self.requests]
        return float(np.float64(self.metric.signed(self.metric.aggregate(values, sizes))))
