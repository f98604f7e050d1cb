"""Forests as flat arrays: what scikit-learn grew, saved without it and predicted fast in numpy.

symbol     meaning
N          nodes of all trees
L          leaves of all trees
T          trees
root       (T,) node where a tree begins
feature    (N,) column asked about; 0 in leaves
threshold  (N,) float32: rows with x > threshold go right; infinite in leaves, so that rows stay there
child      (N,) left child; the right one is next to it; a leaf is its own child
leaf       (N,) row of `value`, or -1
strays     (N,) True where a missing value goes right
value      (L, K) float32 answers of the leaves
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.contract import AnyArray, FloatArray

_LANES = 1 << 16
_COMPACT_EVERY = 4


def flatten(trees: Sequence[Any], classifies: bool, smoothing: float = 0.0) -> dict[str, AnyArray]:
    """scikit-learn's fitted tree estimators as the arrays of this module's table, plus ``depth`` (1,).

    `smoothing` draws the answer of each leaf to that of the whole tree with the weight of so many rows.
    """
    parts = [_flatten_one(tree.tree_, classifies, smoothing) for tree in trees]
    sizes = np.array([len(part["child"]) for part in parts])
    leaves = np.array([len(part["value"]) for part in parts])
    root = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    first_leaf = np.concatenate([[0], np.cumsum(leaves)[:-1]])
    for part, start, leaf in zip(parts, root, first_leaf, strict=True):
        part["child"] = (part["child"] + start).astype(np.int32)
        part["leaf"] = np.where(part["leaf"] >= 0, part["leaf"] + leaf, -1).astype(np.int32)
    flat = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    depth = max(int(tree.tree_.max_depth) for tree in trees)
    return {**flat, "root": root.astype(np.int32), "depth": np.array([depth])}


def _flatten_one(tree: Any, classifies: bool, smoothing: float) -> dict[str, AnyArray]:
    """One tree with siblings side by side."""
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    inner = np.flatnonzero(left >= 0)
    new = np.zeros(len(left), dtype=np.int64)
    new[left[inner]] = 1 + 2 * np.arange(len(inner))
    new[right[inner]] = 2 + 2 * np.arange(len(inner))
    old = np.argsort(new)
    is_leaf = (left < 0)[old]
    child = np.where(is_leaf, np.arange(len(old)), new[left[old]])
    values = np.asarray(tree.value)[:, 0, :]
    if classifies:
        values = values / values.sum(axis=1, keepdims=True)
    rows = np.asarray(tree.weighted_n_node_samples)[:, None]
    values = (rows * values + smoothing * values[0]) / (rows + smoothing)
    return {
        "feature": np.where(is_leaf, 0, np.asarray(tree.feature)[old]).astype(np.int32),
        "threshold": np.where(is_leaf, np.inf, _floor32(np.asarray(tree.threshold)[old])).astype(np.float32),
        "child": child,
        "leaf": np.where(is_leaf, np.cumsum(is_leaf) - 1, -1),
        "strays": ~is_leaf & ~np.asarray(tree.missing_go_to_left)[old].astype(bool),
        "value": values[old][is_leaf].astype(np.float32),
    }


def _floor32(threshold: FloatArray) -> AnyArray:
    """The largest float32 not above a float64: a float32 x is above one exactly when it is above the other."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)


def predict(flat: dict[str, AnyArray], X: AnyArray) -> FloatArray:
    """(u, K) means over the trees for a C-contiguous float32 (u, d) matrix that may hold NaN."""
    trees = len(flat["root"])
    step = max(1, _LANES // trees)
    missing = bool(np.isnan(X).any())
    parts = [_predict_chunk(flat, X[start : start + step], missing) for start in range(0, len(X), step)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.zeros((0, flat["value"].shape[1]))


def _predict_chunk(flat: dict[str, AnyArray], X: AnyArray, missing: bool) -> FloatArray:
    """Walk all (row, tree) lanes down together; lanes that have reached a leaf are put aside now and then."""
    rows, trees = len(X), len(flat["root"])
    node = np.tile(flat["root"], rows)
    base = np.repeat(np.arange(rows) * X.shape[1], trees)
    final, lanes = node, None
    cells = X.ravel()
    for level in range(1, int(flat["depth"][0]) + 1):
        x = cells.take(base + flat["feature"].take(node))
        right = x > flat["threshold"].take(node)
        if missing:
            right |= np.isnan(x) & flat["strays"].take(node)
        node = flat["child"].take(node) + right
        if level % _COMPACT_EVERY == 0 and len(node) > 1000:
            active = np.flatnonzero(flat["leaf"].take(node) < 0)
            if lanes is None:
                final, lanes = node, np.arange(len(node))
            else:
                final[lanes] = node
            node, base, lanes = node[active], base[active], lanes[active]
    if lanes is None:
        final = node
    else:
        final[lanes] = node
    answers = flat["value"].take(flat["leaf"].take(final), axis=0)
    return np.asarray(answers.reshape(rows, trees, -1).mean(axis=1, dtype=np.float64))
