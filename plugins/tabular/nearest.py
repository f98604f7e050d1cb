"""Nearest neighbours: the training rows themselves are the model.

symbol    meaning
n         rows kept, at most 50 000
u, k      rows to predict; neighbours asked
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import (
    AnyArray,
    Batch,
    Estimate,
    Facts,
    FitContext,
    FitInfo,
    FloatArray,
    IntArray,
    Matrix,
    write_state,
)

from .base import RowModel

_MOST_ROWS = 50_000
_TREE_COLUMNS = 15
_JITTER = 0.01
_PRIOR_VOTES = 0.5
_CHUNK, _CHUNK_CELLS, _FEW_QUERIES = 2000, 4_000_000, 16
_MADE = ("_answers", "_tree", "_pairs", "_exact")


class Nearest(RowModel):
    """Weighted votes of the closest training rows, and half a vote for the average answer.

    A small random coordinate breaks ties between equally far rows, so that a row has the same neighbours alone as in a
    batch.
    """

    name = "k-nearest"
    view = "matrix"
    requires = ("sklearn",)
    handles_weight = True
    seeded = False

    rows: Matrix
    target: AnyArray
    votes: FloatArray | None
    average: FloatArray

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Keep the rows, or a random part of very many."""
        rng = np.random.default_rng(ctx.seed)
        n = len(train.X)
        kept = np.arange(n) if n <= _MOST_ROWS else np.sort(rng.choice(n, _MOST_ROWS, replace=False))
        jitter = (rng.random((len(kept), 1)) * _JITTER).astype(np.float32)
        self.rows = np.concatenate([train.X[kept], jitter], axis=1)
        smallest = np.min_scalar_type(len(self.seen)) if self.classifies else np.float32
        self.target = np.asarray(train.y)[kept].astype(smallest)
        self.votes = None if train.weight is None else train.weight[kept]
        usable = self.votes is not None and self.votes.sum() > 0
        self.average = np.average(self._answers, axis=0, weights=self.votes if usable else None)
        return None

    def raw(self, X: Any) -> AnyArray:
        """Votes of the neighbours."""
        cells = self.params["n_neighbors"] * max(self.rows.shape[1], len(self.average))
        step = max(1, min(_CHUNK, _CHUNK_CELLS // cells))
        parts = [self._vote(X[start : start + step]) for start in range(0, len(X), step)]
        out = np.concatenate(parts) if parts else np.zeros((0, len(self.average)))
        return out if self.classifies else out[:, 0]

    def _vote(self, X: Matrix) -> FloatArray:
        """(u, S) mean answers."""
        query = np.concatenate([X, np.zeros((len(X), 1), dtype=np.float32)], axis=1)
        k = min(self.params["n_neighbors"], len(self.rows))
        near = self._near(query, k)
        weight = np.ones(near.shape) if self.votes is None else self.votes[near]
        if self.params["weights"] == "distance":
            far = np.sqrt(np.square(self.rows[near].astype(np.float64) - query[:, None, :]).sum(axis=2))
            weight = weight * (far.max(axis=1, keepdims=True) + _JITTER) / (far + _JITTER)
            weight = weight * k / np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
        total = np.einsum("uk,uks->us", weight, self._answers[near]) + _PRIOR_VOTES * self.average
        return np.asarray(total / (weight.sum(axis=1, keepdims=True) + _PRIOR_VOTES))

    def _near(self, query: Matrix, k: int) -> IntArray:
        """(u, k) rows nearest to each query, nearest first."""
        if self._by_tree:
            return np.asarray(self._tree.query(query, k, return_distance=False), dtype=np.int64)
        if len(query) > _FEW_QUERIES:
            return np.asarray(self._pairs.kneighbors(query, k, return_distance=False), dtype=np.int64)
        rows, squares = self._exact
        far = squares - 2.0 * (query.astype(np.float64) @ rows.T)
        near = np.argpartition(far, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(far, near, axis=1), axis=1, kind="stable")
        return np.take_along_axis(near, order, axis=1)

    @cached_property
    def _answers(self) -> FloatArray:
        """(n, S) what each row votes for."""
        votes = np.eye(len(self.seen))[self.target] if self.classifies else self.target[:, None]
        return np.asarray(votes, dtype=np.float64)

    @property
    def _by_tree(self) -> bool:
        return int(self.rows.shape[1]) <= _TREE_COLUMNS

    @cached_property
    def _tree(self) -> Any:
        from sklearn.neighbors import KDTree

        return KDTree(self.rows)

    @cached_property
    def _pairs(self) -> Any:
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(algorithm="brute").fit(self.rows)

    @cached_property
    def _exact(self) -> tuple[FloatArray, FloatArray]:
        """The rows in float64 and their squared lengths: float32 does not tell near ones apart by the jitter."""
        rows = self.rows.astype(np.float64)
        return rows, np.square(rows).sum(axis=1)

    def save(self, folder: Path) -> None:
        """The rows without what is made from them."""
        write_state(folder, {name: value for name, value in vars(self).items() if name not in _MADE})

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Learning is free; a quarter as many rows as were learnt from are searched for."""
        kept = min(facts.n_rows, _MOST_ROWS)
        width = facts.n_features + 4 * facts.n_categories + 1
        search = facts.n_rows / 4 * kept * (3e-10 * width + 1e-9)
        return Estimate(seconds=0.02 + search, memory=16 * kept * (width + facts.n_outputs))
