"""Forests as flat arrays: what scikit-learn grew, saved without it and predicted fast in numpy.

symbol     meaning
N          nodes of all trees; in a tree they are numbered level by level, from the root down
L          leaves of all trees
T, F       trees; forests that were joined
root       (T,) node where a tree begins
feature    (N,) column asked about; 0 in leaves
threshold  (N,) float32: rows with x > threshold go right; infinite in leaves, so that rows stay there
child      (N,) left child; the right one is next to it; a leaf is its own child
leaf       (N,) row of `value`, or -1
strays     (N,) True where a missing value goes right
value      (L, K) float32 answers of the leaves
u          rows to predict
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from automl.contract import AnyArray, FloatArray, IntArray

from .tree_text import floor32

_LANES, _MOST_ROWS = 1 << 16, 1 << 14
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
    """One tree, level by level, with siblings side by side."""
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    old = _by_level(left, right)
    is_leaf = (left < 0)[old]
    child = np.where(is_leaf, np.arange(len(old)), 2 * np.cumsum(~is_leaf) - 1)
    values = np.asarray(tree.value)[:, 0, :]
    if classifies:
        values = values / values.sum(axis=1, keepdims=True)
    rows = np.asarray(tree.weighted_n_node_samples)[:, None]
    values = (rows * values + smoothing * values[0]) / (rows + smoothing)
    return {
        "feature": np.where(is_leaf, 0, np.asarray(tree.feature)[old]).astype(np.int32),
        "threshold": np.where(is_leaf, np.inf, floor32(np.asarray(tree.threshold)[old])).astype(np.float32),
        "child": child,
        "leaf": np.where(is_leaf, np.cumsum(is_leaf) - 1, -1),
        "strays": ~is_leaf & ~np.asarray(tree.missing_go_to_left)[old].astype(bool),
        "value": values[old][is_leaf].astype(np.float32),
    }


def _by_level(left: AnyArray, right: AnyArray) -> IntArray:
    """(N,) the nodes of a tree, level by level."""
    levels = [np.zeros(1, dtype=np.int64)]
    while len(levels[-1]):
        inner = levels[-1][left[levels[-1]] >= 0]
        levels.append(np.stack([left[inner], right[inner]], axis=1).ravel())
    return np.concatenate(levels)


def joined(forests: Sequence[dict[str, AnyArray]]) -> tuple[dict[str, AnyArray], IntArray]:
    """Several forests with equally many answers as one, and (F,) how many trees are each one's."""
    nodes = np.cumsum([0, *(len(flat["child"]) for flat in forests)])
    leaves = np.cumsum([0, *(len(flat["value"]) for flat in forests)])
    whole = {name: np.concatenate([flat[name] for flat in forests]) for name in forests[0] if name != "depth"}
    moved = zip(forests, nodes.tolist(), leaves.tolist(), strict=False)
    parts = [(f["root"] + n, f["child"] + n, np.where(f["leaf"] < 0, -1, f["leaf"] + v)) for f, n, v in moved]
    for name, arrays in zip(("root", "child", "leaf"), zip(*parts, strict=True), strict=True):
        whole[name] = np.concatenate(arrays).astype(np.int32)
    whole["depth"] = np.max([flat["depth"] for flat in forests], axis=0)
    return whole, np.array([len(flat["root"]) for flat in forests], dtype=np.int64)


def predict(flat: dict[str, AnyArray], X: AnyArray) -> FloatArray:
    """(u, K) means over the trees for a C-contiguous float32 (u, d) matrix that may hold NaN."""
    return np.asarray(predict_each(flat, np.array([len(flat["root"])]), X)[0])


def predict_each(flat: dict[str, AnyArray], trees: IntArray, X: AnyArray, threads: int = 1) -> FloatArray:
    """(F, u, K) means over the trees of each forest, which has so many of the `trees`."""
    rows = max(1, min(_MOST_ROWS, -(-len(X) // threads)))
    blocks = [X[start : start + rows] for start in range(0, len(X), rows)]
    missing = bool(np.isnan(X).any())
    if not blocks:
        return np.zeros((len(trees), 0, flat["value"].shape[1]))

    def answer(block: AnyArray) -> FloatArray:
        return (
            _few(flat, trees, block, missing)
            if len(block) * trees.sum() <= _LANES
            else _many(flat, trees, block, missing)
        )

    if threads == 1 or len(blocks) == 1:
        found = [answer(block) for block in blocks]
    else:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(answer, blocks))
    return np.concatenate(found, axis=1) / trees[:, None, None]


def _few(flat: dict[str, AnyArray], trees: IntArray, X: AnyArray, missing: bool) -> FloatArray:
    """(F, u, K) sums over the trees, all at once."""
    answers = flat["value"].take(_leaves(flat, flat["root"], X, missing), axis=0)
    starts = np.concatenate([[0], np.cumsum(trees)[:-1]])
    return np.asarray(np.add.reduceat(answers.reshape(len(flat["root"]), len(X), -1), starts, dtype=np.float64))


def _many(flat: dict[str, AnyArray], trees: IntArray, X: AnyArray, missing: bool) -> FloatArray:
    """The same, a few trees at a time: they stay in the processor's cache."""
    total = np.zeros((len(trees), len(X), flat["value"].shape[1]))
    step, first = max(1, _LANES // len(X)), 0
    for forest, count in enumerate(trees.tolist()):
        for start in range(first, first + count, step):
            roots = flat["root"][start : min(start + step, first + count)]
            answers = flat["value"].take(_leaves(flat, roots, X, missing), axis=0)
            total[forest] += answers.reshape(len(roots), len(X), -1).sum(axis=0, dtype=np.float64)
        first += count
    return total


def _leaves(flat: dict[str, AnyArray], roots: AnyArray, X: AnyArray, missing: bool) -> IntArray:
    """(trees x u,) the leaf of each row in each tree.

    All (tree, row) lanes walk down together; those that have reached a leaf are put aside now and then.
    """
    node = np.repeat(roots.astype(np.int64), len(X))
    base = np.tile(np.arange(len(X)) * X.shape[1], len(roots))
    final, lanes = node, np.arange(len(node))
    cells, feature, threshold, child, leaf = X.ravel(), *(flat[n] for n in ("feature", "threshold", "child", "leaf"))
    for level in range(1, int(flat["depth"][0]) + 1):
        x = cells.take(base + feature.take(node))
        right = x > threshold.take(node)
        if missing:
            right |= np.isnan(x) & flat["strays"].take(node)
        node = child.take(node) + right
        if level % _COMPACT_EVERY == 0:
            active = np.flatnonzero(leaf.take(node) < 0)
            final[lanes] = node
            node, base, lanes = node[active], base[active], lanes[active]
            if not len(node):
                break
    final[lanes] = node
    return np.asarray(leaf.take(final))


def visited(flat: dict[str, AnyArray], X: AnyArray, weight: FloatArray | None = None) -> FloatArray:
    """(N,) share of the rows, by weight, that pass each node of a single tree."""
    weight = np.ones(len(X)) if weight is None else weight
    node, rows = np.zeros(len(X), dtype=np.int64), np.arange(len(X))
    passed = np.zeros(len(flat["child"]))
    while len(rows):
        passed += np.bincount(node, weight[rows], len(passed))
        inner = flat["leaf"][node] < 0
        node, rows = node[inner], rows[inner]
        x = X[rows, flat["feature"][node]]
        right = (x > flat["threshold"][node]) | (np.isnan(x) & flat["strays"][node])
        node = flat["child"][node] + right
    return np.asarray(passed / passed[0])
