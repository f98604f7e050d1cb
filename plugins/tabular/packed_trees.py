"""Flat forests on disk, in a fifth of the space: what follows from something else is left out, repetition is coded.

The arrays are those of `flat_trees`, whose nodes are numbered level by level: where the children of a node are follows
from which nodes are leaves.

symbol    meaning
N, I, L   nodes of all trees; inner ones; leaves
sizes     (T,) nodes of each tree
inner     (N / 8,) bits: is it an inner node?
strays    (I / 8,) bits
feature   (I,)
threshold (I,), value (L, K): as they are, or places in a table of the distinct ones
"""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.contract import AnyArray

_MOST_CODES = 1 << 16


def pack(flat: dict[str, AnyArray]) -> dict[str, Any]:
    """What `unpack` needs, for `write_state`."""
    inner = flat["leaf"] < 0
    return {
        "depth": flat["depth"],
        "sizes": np.diff(np.append(flat["root"], len(inner))).astype(np.int32),
        "inner": np.packbits(inner),
        "strays": np.packbits(flat["strays"][inner]),
        "feature": _small(flat["feature"][inner]),
        "threshold": _coded(flat["threshold"][inner][:, None]),
        "value": _coded(flat["value"]),
    }


def unpack(packed: dict[str, Any]) -> dict[str, AnyArray]:
    """The flat forest."""
    sizes = packed["sizes"].astype(np.int64)
    inner = np.unpackbits(packed["inner"], count=int(sizes.sum())).astype(bool)
    root = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    before = np.cumsum(inner) - inner  # inner nodes before a node, in all trees
    child = np.arange(len(inner))
    child[inner] = np.repeat(root + 1 - 2 * before[root], sizes)[inner] + 2 * before[inner]
    feature = np.zeros(len(inner), dtype=packed["feature"].dtype)
    feature[inner] = packed["feature"]
    threshold = np.full(len(inner), np.inf, dtype=np.float32)
    threshold[inner] = _decoded(packed["threshold"])[:, 0]
    strays = np.zeros(len(inner), dtype=bool)
    strays[inner] = np.unpackbits(packed["strays"], count=int(inner.sum())).astype(bool)
    return {
        "depth": packed["depth"],
        "root": root.astype(np.int32),
        "feature": feature,
        "threshold": threshold,
        "child": child.astype(np.int32),
        "leaf": np.where(inner, -1, np.cumsum(~inner) - 1).astype(np.int32),
        "strays": strays,
        "value": _decoded(packed["value"]),
    }


def _small(numbers: AnyArray) -> AnyArray:
    """Numbers from 0 up, in the smallest type that holds them."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def _coded(rows: AnyArray) -> list[AnyArray]:
    """[the distinct rows, the place of each row among them], or [the rows] when that is no shorter."""
    numbers = np.ascontiguousarray(rows, dtype=np.float32)
    mixers = np.random.default_rng(0).integers(1, 2**63, numbers.shape[1], dtype=np.uint64)
    mixed = numbers.view(np.uint32).astype(np.uint64) @ mixers
    _, first, places = np.unique(mixed, return_index=True, return_inverse=True)
    table = numbers[first]
    shorter = len(first) < min(_MOST_CODES, len(rows))
    if not shorter or not np.array_equal(table[places], numbers):
        return [numbers]
    return [table, _small(places)]


def _decoded(coded: list[AnyArray]) -> AnyArray:
    return coded[0] if len(coded) == 1 else coded[0][coded[1]]
