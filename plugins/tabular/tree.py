"""The tree baseline: one shallow decision tree that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.contract import AnyArray, Batch, Estimate, Facts, FitContext, FitInfo

from .base import RowModel, numbers
from .flat_trees import flatten, predict

_MIN_LEAF_SHARE, _MIN_LEAF = 0.005, 5
_SMOOTHING = 5.0


class ShallowTree(RowModel):
    """A decision tree of a few levels; categories are asked about by their codes, missing values as they are."""

    name = "tree-baseline"
    view = "columns"
    requires = ("sklearn",)
    handles_missing = True
    handles_weight = True
    baseline = True

    flat_trees: dict[str, AnyArray]

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Grow one tree."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        kind = DecisionTreeClassifier if self.classifies else DecisionTreeRegressor
        leaf = int(min(max(_MIN_LEAF, _MIN_LEAF_SHARE * len(train.X)), max(1, len(train.X) // 4)))
        tree = kind(max_depth=self.params["max_depth"], min_samples_leaf=leaf, random_state=ctx.seed)
        tree.fit(numbers(train.X), train.y, train.weight)
        self.flat_trees = flatten([tree], self.classifies, _SMOOTHING)
        return None

    def raw(self, X: Any) -> AnyArray:
        """Walk down."""
        answers = predict(self.flat_trees, numbers(X))
        return answers if self.classifies else answers[:, 0]

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """A sort per column and level."""
        cells = facts.n_rows * max(1, facts.n_features)
        return Estimate(seconds=0.01 + 4e-7 * cells, memory=12 * cells)
