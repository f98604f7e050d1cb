"""Nearest neighbours: the training rows themselves are the model.

symbol    meaning
n         rows kept, at most 50 000
u, k      rows to predict; neighbours asked
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import AnyArray, Batch, Estimate, Facts, FitContext, FitInfo, FloatArray, Matrix, write_state

from .base import RowModel

_MOST_ROWS = 50_000
_TREE_COLUMNS = 15
_JITTER = 0.01
_PRIOR_VOTES = 0.5
_CHUNK = 2000


class Nearest(RowModel):
    """Weighted votes of the closest training rows, and half a vote for the average answer.

    A small random coordinate breaks ties between equally far rows, so that a row has the same neighbours alone as in a
    batch.
    """

    name = "k-nearest"
    view = "matrix"
    requires = ("sklearn",)
    handles_weight = True

    rows: Matrix
    answers: FloatArray
    votes: FloatArray
    average: FloatArray
    _index: Any = None

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Keep the rows, or a random part of very many."""
        rng = np.random.default_rng(ctx.seed)
        n = len(train.X)
        kept = np.arange(n) if n <= _MOST_ROWS else np.sort(rng.choice(n, _MOST_ROWS, replace=False))
        jitter = (rng.random((len(kept), 1)) * _JITTER).astype(np.float32)
        self.rows = np.concatenate([train.X[kept], jitter], axis=1)
        y = np.asarray(train.y)[kept]
        self.answers = np.eye(len(self.seen))[y] if self.classifies else y[:, None]
        self.votes = np.ones(len(kept)) if train.weight is None else train.weight[kept]
        self.average = np.average(self.answers, axis=0, weights=self.votes if self.votes.sum() > 0 else None)
        return None

    def raw(self, X: Any) -> AnyArray:
        """Votes of the neighbours."""
        parts = [self._vote(X[start : start + _CHUNK]) for start in range(0, len(X), _CHUNK)]
        out = np.concatenate(parts) if parts else np.zeros((0, len(self.average)))
        return out if self.classifies else out[:, 0]

    def _vote(self, X: Matrix) -> FloatArray:
        """(u, S) mean answers."""
        query = np.concatenate([X, np.zeros((len(X), 1), dtype=np.float32)], axis=1)
        k = min(self.params["n_neighbors"], len(self.rows))
        near = self._nearest().kneighbors(query, k, return_distance=False)
        weight = self.votes[near]
        if self.params["weights"] == "distance":
            far = np.sqrt(np.square(self.rows[near].astype(np.float64) - query[:, None, :]).sum(axis=2))
            weight = weight * (far.max(axis=1, keepdims=True) + _JITTER) / (far + _JITTER)
            weight = weight * k / np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
        total = np.einsum("uk,uks->us", weight, self.answers[near]) + _PRIOR_VOTES * self.average
        return np.asarray(total / (weight.sum(axis=1, keepdims=True) + _PRIOR_VOTES))

    def _nearest(self) -> Any:
        """The search structure, built when first needed."""
        if self._index is None:
            from sklearn.neighbors import NearestNeighbors

            method = "kd_tree" if self.rows.shape[1] <= _TREE_COLUMNS else "brute"
            self._index = NearestNeighbors(algorithm=method).fit(self.rows)
        return self._index

    def save(self, folder: Path) -> None:
        """The rows without the search structure."""
        write_state(folder, {name: value for name, value in vars(self).items() if name != "_index"})

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Learning is free; a quarter as many rows as were learnt from are searched for."""
        kept = min(facts.n_rows, _MOST_ROWS)
        width = facts.n_features + 4 * facts.n_categories + 1
        search = facts.n_rows / 4 * kept * (3e-10 * width + 1e-9)
        return Estimate(seconds=0.02 + search, memory=16 * kept * (width + facts.n_outputs))
