"""Random forests and extra trees: grown by scikit-learn against the clock, kept and predicted as flat arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract import (
    AnyArray,
    Batch,
    Estimate,
    Facts,
    FitContext,
    FitInfo,
    FloatArray,
    read_state,
    write_state,
)

from .base import RowModel, numbers
from .flat_trees import flatten, joined, predict_each
from .packed_trees import pack, unpack
from .watch import Watch

_TREES = 100
_CHUNK_SECONDS, _LARGEST_CHUNK = 0.25, 25
_MOST_LEAVES = 15_000
_HALF_TREE = 0.5
_FEW_ROWS = 1000


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

    forest: dict[str, AnyArray]

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
        self.forest = flatten(forest.estimators_, self.classifies)
        return FitInfo(trees, notes={"truncated": trees < wanted})

    def raw(self, X: Any) -> AnyArray:
        """Mean of the trees."""
        trees = np.array([len(self.forest["root"])])
        return self._smoothed(predict_each(self.forest, trees, numbers(X))[0], trees[0])

    @classmethod
    def raws(cls, models: Sequence[Self], threads: int) -> Callable[[Any], AnyArray | Sequence[AnyArray]]:
        """All forests walked through together, where they give equally many answers."""
        if len({model.forest["value"].shape[1] for model in models}) > 1:
            return super().raws(models, threads)
        whole, trees = joined([model.forest for model in models])

        def found(X: Any) -> AnyArray:
            answers = predict_each(whole, trees, numbers(X), 1 if len(X) < _FEW_ROWS else threads)
            return models[0]._smoothed(answers, trees[:, None, None] if models[0].classifies else trees)

        return found

    def _smoothed(self, answers: FloatArray, trees: AnyArray) -> FloatArray:
        """(…, u, K) means of so many trees, with half a tree more for all classes alike; (…, u) for numbers."""
        if not self.classifies:
            return np.asarray(answers[..., 0])
        return np.asarray((answers * trees + _HALF_TREE / answers.shape[-1]) / (trees + _HALF_TREE))

    def save(self, folder: Path) -> None:
        """The forest packed."""
        state = dict(vars(self))
        write_state(folder, {**state, "forest": pack(state["forest"])} if self.flat is None else state)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        self = cls.restore(read_state(folder))
        if self.flat is None:
            self.forest = unpack(self.forest)
        return self

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
        """Trees x rows x log2 rows x columns tried at a split; every split looks at all classes."""
        share = params.get("max_features", "sqrt")
        d = max(1, facts.n_features)
        tried = d**0.5 if share == "sqrt" else d * float(share)
        leaf = max(params.get("min_samples_leaf", 1), facts.n_rows // _MOST_LEAVES)
        leaves = facts.n_rows / (1.5 * leaf)
        steps = facts.n_rows * np.log2(facts.n_rows / leaf + 2) * tried
        classes = facts.n_outputs if facts.kind == "class_proba" else 1
        seconds = 0.1 + cls.second_per_step * steps * (1 + classes / 12)
        return Estimate(float(seconds), memory=int(2 * _TREES * leaves * (64 + 8 * classes)))


class ExtraTrees(RandomForest):
    """As random forests, with split points drawn at random: cheaper, smoother, and different enough to help."""

    name = "extra-trees"
    grows = "ExtraTrees"
    second_per_step = 1e-6
