"""Random forests and extra trees: grown by scikit-learn against the clock, kept and predicted as flat arrays."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from automl.contract import AnyArray, Batch, Estimate, Facts, FitContext, FitInfo

from .base import RowModel, numbers
from .flat_trees import flatten, predict
from .watch import Watch

_TREES = 100
_CHUNK_SECONDS, _LARGEST_CHUNK = 0.25, 25
_MOST_LEAVES = 15_000
_HALF_TREE = 0.5


class RandomForest(RowModel):
    """Bagged trees; categories are asked about by their codes, missing values go where they were best in training.

    Half a tree votes for all classes alike, so that no class ever has probability 0.
    """

    name = "random-forest"
    grows: ClassVar[str] = "RandomForest"
    second_per_step: ClassVar[float] = 2e-6
    view = "columns"
    requires = ("sklearn",)
    handles_missing = True
    handles_weight = True
    truncatable = True

    flat_trees: dict[str, AnyArray]

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Grow trees in chunks until there are enough or time runs out."""
        forest = self._empty(len(train.X), ctx)
        X = numbers(train.X)
        watch = Watch(ctx)
        trees, wanted, chunk = 0, self.params.get("n_estimators", _TREES), ctx.threads
        while trees < wanted:
            trees = min(wanted, trees + chunk)
            start = time.monotonic()
            forest.set_params(n_estimators=trees).fit(X, train.y, train.weight)
            if watch.ends(trees):
                break
            each = (time.monotonic() - start) / chunk
            chunk = int(np.clip(_CHUNK_SECONDS / max(each, 1e-6), ctx.threads, _LARGEST_CHUNK))
        self.flat_trees = flatten(forest.estimators_, self.classifies)
        return FitInfo(trees, notes={"truncated": trees < wanted})

    def raw(self, X: Any) -> AnyArray:
        """Mean of the trees."""
        answers = predict(self.flat_trees, numbers(X))
        if not self.classifies:
            return answers[:, 0]
        trees = len(self.flat_trees["root"])
        return np.asarray((answers * trees + _HALF_TREE / answers.shape[1]) / (trees + _HALF_TREE))

    def _empty(self, n_rows: int, ctx: FitContext) -> Any:
        from sklearn import ensemble

        grower = getattr(ensemble, self.grows + ("Classifier" if self.classifies else "Regressor"))
        leaf = max(self.params["min_samples_leaf"], n_rows // _MOST_LEAVES)
        return grower(
            max_features=self.params["max_features"],
            min_samples_leaf=min(leaf, max(1, n_rows // 4)),
            bootstrap=self.params["bootstrap"],
            n_jobs=ctx.threads,
            random_state=ctx.seed,
            warm_start=True,
        )

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Trees x rows x log2 rows x columns tried at a split."""
        share = params.get("max_features", "sqrt")
        d = max(1, facts.n_features)
        tried = d**0.5 if share == "sqrt" else d * float(share)
        leaf = max(params.get("min_samples_leaf", 1), facts.n_rows // _MOST_LEAVES)
        leaves = facts.n_rows / (1.5 * leaf)
        steps = facts.n_rows * np.log2(facts.n_rows / leaf + 2) * tried
        per_node = 20 + 4 * (facts.n_outputs if facts.kind == "class_proba" else 1)
        return Estimate(float(0.1 + cls.second_per_step * steps), memory=int(2 * _TREES * leaves * per_node))


class ExtraTrees(RandomForest):
    """As random forests, with split points drawn at random: cheaper, smoother, and different enough to help."""

    name = "extra-trees"
    grows = "ExtraTrees"
    second_per_step = 1e-6
