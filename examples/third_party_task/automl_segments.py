"""Segmentation as a plugin: rows without any target, sorted into groups. Nothing in the engine knows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from automl.contract import (
    AnyArray,
    Batch,
    DataError,
    Example,
    FitContext,
    FloatArray,
    Fold,
    FoldPlan,
    Int,
    IntArray,
    Metric,
    ModelPlugin,
    Predictions,
    Problem,
    Request,
    SearchSpace,
    Table,
    TaskPlugin,
    Truth,
)


class Labels(Predictions):
    """The segment of each row: int64 (u,)."""

    kind = "segments"

    def __init__(self, labels: IntArray) -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: AnyArray) -> Labels:
        return Labels(self.labels[positions])

    @classmethod
    def concat(cls, parts: Sequence[Labels]) -> Labels:
        return cls(np.concatenate([part.labels for part in parts]))

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(state["labels"])

    def distance(self, other: Labels) -> float:
        return float(np.any(self.labels != other.labels))


class Silhouette(Metric):
    """How much nearer a row is to its own segment than to the next one, -1 to 1; 0 for a single segment."""

    name = "silhouette"

    def __call__(self, truth: Truth | None, predictions: Any, request: Request) -> float:
        points, labels = request.X, predictions.labels
        found = np.unique(labels)
        if len(found) < 2:
            return 0.0
        gaps = np.linalg.norm(points[:, None, :] - points, axis=2)
        to_each = np.array([(gaps @ (labels == s)) / np.maximum((labels == s).sum() - (labels == s), 1) for s in found])
        mine = labels == found[:, None]
        own, other = to_each[mine.argmax(axis=0), np.arange(len(labels))], np.where(mine, np.inf, to_each).min(axis=0)
        alone = mine.sum(axis=1)[mine.argmax(axis=0)] == 1
        return float(np.where(alone, 0.0, (other - own) / np.maximum(np.maximum(own, other), 1e-12)).mean())


class Segments(TaskPlugin):
    """Sort rows into groups of similar ones. There is no target, so it is chosen by name."""

    name = "segments"
    produces = "segments"
    family = "segments"
    views = ("points",)
    container = Labels

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        taken = set(roles.values())
        features = tuple(column.name for column in table.of_kind(["numeric"]) if column.name not in taken)
        if not features:
            raise DataError("features-none", "no column holds numbers", fix="Segments are made of numeric columns.")
        points = table.select(features).matrix()[rows].astype(np.float64)
        facts = {"middle": np.nanmean(points, axis=0), "spread": np.nanstd(points, axis=0) + 1e-9}
        return Problem(self.name, self.produces, dict(roles), features, 1, facts, "silhouette")

    def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Sequence[Fold]:
        return plan.shuffled(len(table))

    def batch(self, problem: Problem, table: Table, rows: IntArray, view: str) -> Batch:
        return Batch(self._points(problem, table, rows))

    def request(
        self,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
        view: str = "",
    ) -> Request:
        rows = np.arange(len(table)) if rows is None else rows
        return Request(rows, self._points(problem, table, rows))

    def truth(self, problem: Problem, table: Table, rows: IntArray) -> Truth | None:
        return None

    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        return {"silhouette": Silhouette()}

    def answer(self, problem: Problem, predictions: Any, request: Request) -> Any:
        return predictions.labels

    def examples(self) -> Sequence[Example]:
        """Customers of three kinds."""
        rng = np.random.default_rng(0)
        kind = rng.integers(0, 3, 90)
        visits, spend = np.array([2.0, 10.0, 25.0])[kind], np.array([50.0, 400.0, 90.0])[kind]
        data = {"visits": visits + rng.normal(0, 1.5, 90), "spend": spend + rng.normal(0, 20.0, 90)}
        return [Example("customers", data)]

    def _points(self, problem: Problem, table: Table, rows: IntArray) -> FloatArray:
        points = table.select(problem.features).matrix()[rows].astype(np.float64)
        return np.asarray(np.nan_to_num((points - problem.facts["middle"]) / problem.facts["spread"]))


class OneSegment(ModelPlugin):
    """Everybody is alike."""

    name = "one-segment"
    produces = "segments"
    view = "points"
    baseline = True

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        """Nothing to learn."""

    def predict(self, request: Request) -> Labels:
        return Labels(np.zeros(len(request), dtype=np.int64))


class KMeans(ModelPlugin):
    """The nearest of k centres, found by Lloyd's steps from centres far apart."""

    name = "k-means"
    produces = "segments"
    view = "points"
    space = SearchSpace(knobs={"segments": Int(2, 8)}, default={"segments": 4})

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        rng = np.random.default_rng(ctx.seed)
        self.centres = train.X[rng.integers(len(train.X), size=1)]
        while len(self.centres) < min(self.params["segments"], len(train.X)):
            self.centres = np.vstack([self.centres, train.X[self._gaps(train.X).min(axis=1).argmax()]])
        for _ in range(30):
            nearest = self._gaps(train.X).argmin(axis=1)
            own = [train.X[nearest == s] for s in range(len(self.centres))]
            self.centres = np.array([p.mean(axis=0) if len(p) else c for p, c in zip(own, self.centres, strict=True)])

    def _gaps(self, points: FloatArray) -> FloatArray:
        return np.asarray(np.linalg.norm(points[:, None, :] - self.centres, axis=2))

    def predict(self, request: Request) -> Labels:
        return Labels(self._gaps(request.X).argmin(axis=1))
