"""The tree baseline: one shallow decision tree that a person can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contract import AnyArray, Batch, Estimate, Facts, Feature, FitContext, FitInfo, FloatArray, Table, Tree

from .base import RowModel, numbers, take
from .flat_trees import flatten, predict, visited
from .shapes import neighbours, roundest

_MIN_LEAF_SHARE, _MIN_LEAF = 0.005, 5
_SMOOTHING = 5.0
_MOST_ROWS = 200_000


class ShallowTree(RowModel):
    """A decision tree of a few levels; categories are asked about by their codes, missing values as they are."""

    name = "tree-baseline"
    view = "columns"
    requires = ("sklearn",)
    handles_missing = True
    handles_weight = True
    baseline = True
    readable = True

    flat_trees: dict[str, AnyArray]
    share: FloatArray
    offsets: FloatArray

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Grow one tree, on 200,000 rows at most: a few levels need no more."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        train = _thinned(train, ctx.seed, self.classifies)
        kind = DecisionTreeClassifier if self.classifies else DecisionTreeRegressor
        leaf = int(min(max(_MIN_LEAF, _MIN_LEAF_SHARE * len(train.X)), max(1, len(train.X) // 4)))
        tree = kind(max_depth=self.params["max_depth"], min_samples_leaf=leaf, random_state=ctx.seed)
        tree.fit(numbers(train.X), train.y, train.weight)
        self.flat_trees = flatten([tree], self.classifies, _SMOOTHING)
        _round(self.flat_trees, train.X)
        self.offsets = np.array([column.offset for column in train.X.columns])
        self.share = visited(self.flat_trees, numbers(train.X), train.weight)
        return None

    def raw(self, X: Any) -> AnyArray:
        """Walk down."""
        answers = predict(self.flat_trees, numbers(X))
        return answers if self.classifies else answers[:, 0]

    def told(self, features: Sequence[Feature]) -> Tree:
        """The tree as it grew."""
        flat = self.flat_trees
        inner = flat["leaf"] < 0
        answers = flat["value"][np.maximum(flat["leaf"], 0)].astype(np.float64)
        return Tree(
            tuple(features),
            np.where(inner, flat["feature"], -1),
            np.where(inner, flat["threshold"] + self.offsets[np.maximum(flat["feature"], 0)], flat["threshold"]),
            np.where(inner, flat["child"], -1),
            np.where(inner, flat["child"] + 1, -1),
            flat["strays"],
            answers if self.classifies else answers * self.scale + self.center,
            self.share,
            tuple(self.seen.tolist()) if self.classifies else (),
        )

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """A sort per column and level."""
        cells = facts.n_rows * max(1, facts.n_features)
        return Estimate(seconds=0.01 + 4e-7 * cells, memory=12 * cells)


def _thinned(train: Batch, seed: int, classifies: bool) -> Batch:
    """The batch, or rows drawn from it at random, a row of every class among them."""
    if len(train.X) <= _MOST_ROWS:
        return train
    rows = np.random.default_rng(seed).choice(len(train.X), _MOST_ROWS, replace=False)
    rows = np.union1d(rows, np.unique(np.asarray(train.y), return_index=True)[1]) if classifies else np.sort(rows)
    weight = None if train.weight is None else train.weight[rows]
    return replace(train, X=take(train.X, rows), y=np.asarray(train.y)[rows], weight=weight, groups=None)


def _round(flat: dict[str, AnyArray], X: Table) -> None:
    """Make the thresholds of the caller's numbers as round as the training rows, of which X has the columns, allow."""
    for node in np.flatnonzero(flat["leaf"] < 0):
        column = X.columns[flat["feature"][node]]
        if column.kind == "numeric" and column.origin:
            values = (column.values - column.offset).astype(np.float32)
            ((low, high),) = neighbours(flat["threshold"][node : node + 1], values).tolist()
            rounded = np.float32(roundest(low, high))
            if low <= rounded < high:
                flat["threshold"][node] = rounded
