"""The simplest model: the same answer for every row, the class frequencies or the mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.contract import KINDS, AnyArray, Batch, Estimate, Facts, Feature, FitContext, FitInfo, Tree

from .base import RowModel


class Prior(RowModel):
    """Weighted class frequencies, or the weighted mean. It reads no columns, so it can always be fitted."""

    name = "prior-baseline"
    view = "columns"
    kinds = KINDS
    handles_missing = True
    handles_weight = True
    seeded = False
    baseline = True
    readable = True

    frequencies: AnyArray

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Count."""
        if self.classifies:
            counts = np.bincount(np.asarray(train.y), weights=train.weight, minlength=len(self.seen))
            self.frequencies = counts / counts.sum()
        return None

    def raw(self, X: Any) -> AnyArray:
        """The same for all rows."""
        return np.tile(self.frequencies, (len(X), 1)) if self.classifies else np.zeros(len(X))

    def told(self, features: Sequence[Feature]) -> Tree:
        """A tree that asks nothing."""
        return (
            Tree.leaf(self.frequencies, self.seen.tolist()) if self.classifies else Tree.leaf(np.array([self.center]))
        )

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Counting is free."""
        return Estimate(seconds=0.001 + 1e-8 * facts.n_rows, memory=8 * facts.n_rows)
