"""Boosted trees on disk, in a fraction of their text: what follows from something else is left out.

Inner nodes and leaves are numbered anew, level by level, so that the children of a node follow from which nodes are
leaves. Thresholds are places among the distinct ones of their column; leaves are single precision where the text is.

symbol     meaning
T, N, I    trees of all sums, one sum after the other; their nodes; their inner nodes
sums       (S,) trees of each sum
leaves     (T,) leaves of each tree
inner      (N / 8,) bits: is it an inner node?
feature, decision   (I,)
place      (inner nodes that ask about a number,) place among its column's distinct thresholds
table      the distinct thresholds, column by column; `distinct` (d,) how many each has
words      (categories asked about,) words of 32 bits of each set of codes; `bits` the words
wide       (T / 8,) bits: are its leaves in double precision?
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from automl.contract import AnyArray, ArtifactError, IntArray

from .tree_text import CATEGORY, TreeText, between, floor32

_LEVEL = 6
_NODE_LINES = ("split_feature", "decision_type", "left_child", "right_child", "threshold")
_LINES = {"num_leaves", "num_cat", "leaf_value", "cat_boundaries", "cat_threshold", "shrinkage", *_NODE_LINES}


def pack(text: TreeText) -> bytes | None:
    """What `unpack` reads, or None when the trees hold something that this layout does not know."""
    blocks = [block for sums in text.sums for block in sums]
    said = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in blocks]
    if any(not lines.keys() <= _LINES for lines in said):
        return None
    leaves = np.array([int(lines["num_leaves"]) for lines in said], dtype=np.int64)
    nodes = {name: _numbers(said, name) for name in _NODE_LINES}
    order, is_inner = _levels(leaves, nodes["left_child"].astype(np.int64), nodes["right_child"].astype(np.int64))
    moved = order[is_inner]
    feature, decision, threshold = (nodes[n][moved] for n in ("split_feature", "decision_type", "threshold"))
    category = decision.astype(np.int64) & CATEGORY != 0
    low = floor32(threshold[~category])
    if not np.all(np.abs(low) < np.finfo(np.float32).max) or not np.array_equal(_tens(low), threshold[~category]):
        return None
    arrays = {
        "width": np.array([text.width]),
        "sums": np.array([len(sums) for sums in text.sums], dtype=np.int32),
        "leaves": _small(leaves),
        "inner": np.packbits(is_inner),
        "feature": _small(feature),
        "decision": _small(decision),
        **_thresholds(feature[~category].astype(np.int64), low, text.width),
        **_sets(said, moved[category], threshold[category].astype(np.int64), leaves),
        **_leaves(said, order[~is_inner] - len(moved), leaves),
    }
    return _bytes(arrays)


def unpack(blob: bytes) -> TreeText:
    """The trees. Raises ArtifactError when `blob` is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(zlib.decompress(blob))
        blocks = _blocks(arrays)
        ends = [0, *np.cumsum(arrays["sums"]).tolist()]
        return TreeText(int(arrays["width"][0]), tuple(tuple(blocks[a:b]) for a, b in pairwise(ends)))
    except (zlib.error, SafetensorError, KeyError, IndexError, ValueError) as error:
        raise ArtifactError(f"these are no packed trees: {error!r}; the saved model is damaged") from error


def _numbers(said: Sequence[Mapping[str, str]], name: str) -> AnyArray:
    """The numbers of one line of all trees, one tree after the other."""
    return np.array(" ".join(lines[name] for lines in said if name in lines).split(), dtype=np.float64)


def _levels(leaves: IntArray, left: IntArray, right: IntArray) -> tuple[IntArray, AnyArray]:
    """(N,) the nodes of each tree level by level, numbered inner ones first; (N,) is it an inner one?"""
    inner = leaves - 1
    first = np.cumsum(inner) - inner
    leaf = len(left) + np.cumsum(leaves) - leaves
    tree = np.repeat(np.arange(len(leaves)), inner)
    children = [np.where(c >= 0, first[tree] + c, leaf[tree] - 1 - c) for c in (left, right)]
    owner = np.concatenate([tree, np.repeat(np.arange(len(leaves)), leaves)])
    level = np.where(inner > 0, first, leaf)
    found = []
    while len(level):
        found.append(level)
        level = level[level < len(left)]
        level = np.stack([c[level] for c in children], axis=1).ravel()
    nodes = np.concatenate([*found, level])
    nodes = nodes[np.argsort(owner[nodes], kind="stable")]
    return nodes, nodes < len(left)


def _thresholds(feature: IntArray, low: AnyArray, width: int) -> dict[str, AnyArray]:
    order = np.lexsort((low, feature))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(feature[order]) != 0) | (np.diff(low[order]) != 0)
    distinct = np.bincount(feature[order][new], minlength=width)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.cumsum(new) - 1 - (np.cumsum(distinct) - distinct)[feature[order]]
    return {"place": _small(place), "table": low[order][new].astype(np.float32), "distinct": _small(distinct)}


def _sets(said: Sequence[Mapping[str, str]], nodes: IntArray, at: IntArray, leaves: IntArray) -> dict[str, AnyArray]:
    """The sets of codes of these inner nodes, each at a position among those of its tree."""
    tree = np.searchsorted(np.cumsum(leaves - 1), nodes, side="right")
    split: dict[int, list[AnyArray]] = {}
    for number in np.unique(tree).tolist():
        bounds = [int(bound) for bound in said[number]["cat_boundaries"].split()]
        words = np.array(said[number]["cat_threshold"].split(), dtype=np.uint32)
        split[number] = [words[a:b] for a, b in pairwise(bounds)]
    sets = [split[number][place] for number, place in zip(tree.tolist(), at.tolist(), strict=True)]
    lengths = np.array([len(words) for words in sets], dtype=np.int64)
    return {"words": _small(lengths), "bits": np.concatenate([np.zeros(0, dtype=np.uint32), *sets])}


def _leaves(said: Sequence[Mapping[str, str]], order: IntArray, leaves: IntArray) -> dict[str, AnyArray]:
    """The leaves' values in this order, in single precision but for the trees whose text says more."""
    values = _numbers(said, "leaf_value")
    single = values.astype(np.float32)
    lost = np.array([float(f"{value:.9g}") for value in single.tolist()], dtype=np.float64) != values
    starts = np.cumsum(leaves) - leaves
    wide = np.logical_or.reduceat(lost, starts) if len(leaves) else np.zeros(0, dtype=bool)
    double = np.repeat(wide, leaves)
    return {
        "wide": np.packbits(wide),
        "double": values[order][double],
        "single": _planes(single[order][~double]),
    }


def _blocks(arrays: Mapping[str, AnyArray]) -> list[str]:
    """The text of each tree."""
    leaves = arrays["leaves"].astype(np.int64)
    sizes = 2 * leaves - 1
    inner = np.unpackbits(arrays["inner"], count=int(sizes.sum())).astype(bool)
    root = np.cumsum(sizes) - sizes
    before = np.cumsum(inner) - inner
    rank = before - np.repeat(before[root], sizes)  # inner nodes before a node, in its tree
    local = np.arange(len(inner)) - np.repeat(root, sizes)
    code = np.where(inner, rank, rank - local - 1)
    left = (np.repeat(root, sizes) + 2 * rank + 1)[inner]
    feature, decision = arrays["feature"].astype(np.int64), arrays["decision"].astype(np.int64)
    category = decision & CATEGORY != 0
    bounds = np.concatenate([[0], np.cumsum(leaves - 1)])
    lines = {
        "split_feature": _words(feature),
        "decision_type": _words(decision),
        "left_child": _words(code[left]),
        "right_child": _words(code[left + 1]),
        "threshold": _threshold_words(arrays, feature, category, bounds),
    }
    values = _leaf_words(arrays, leaves)
    sets = _set_lines(arrays, category, bounds)
    ends = np.cumsum(leaves).tolist()
    blocks = []
    for tree, (a, b) in enumerate(pairwise(bounds.tolist())):
        parts = [f"num_leaves={b - a + 1}", f"num_cat={sets[tree][0]}"]
        if b > a:
            parts += [f"{name}={' '.join(words[a:b])}" for name, words in lines.items()]
        parts.append(f"leaf_value={' '.join(values[ends[tree] - (b - a + 1) : ends[tree]])}")
        blocks.append("\n".join([*parts, *sets[tree][1], "shrinkage=1"]))
    return blocks


def _threshold_words(arrays: Mapping[str, AnyArray], feature: IntArray, category: AnyArray, bounds: IntArray) -> Any:
    """(I,) each threshold in words; that of a category counts the categories before it in the tree."""
    words = np.empty(len(feature), dtype=object)
    table = np.array([f"{value:.10g}" for value in between(arrays["table"]).tolist()], dtype=object)
    distinct = arrays["distinct"].astype(np.int64)
    words[~category] = table[(np.cumsum(distinct) - distinct)[feature[~category]] + arrays["place"]]
    before = np.concatenate([[0], np.cumsum(category)])
    words[category] = _words((before[:-1] - np.repeat(before[bounds[:-1]], np.diff(bounds)))[category])
    return words.tolist()


def _leaf_words(arrays: Mapping[str, AnyArray], leaves: IntArray) -> list[str]:
    wide = np.unpackbits(arrays["wide"], count=len(leaves)).astype(bool)
    double = np.repeat(wide, leaves)
    words = np.empty(len(double), dtype=object)
    words[double] = [f"{value:.10g}" for value in arrays["double"].tolist()]
    words[~double] = [f"{value:.9g}" for value in _unplanes(arrays["single"]).tolist()]
    return list(words.tolist())


def _set_lines(arrays: Mapping[str, AnyArray], category: AnyArray, bounds: IntArray) -> list[tuple[int, list[str]]]:
    """Of each tree, how many categories it asks about, and the lines that hold their sets."""
    before = np.concatenate([[0], np.cumsum(category)])[bounds].tolist()
    ends = np.concatenate([[0], np.cumsum(arrays["words"], dtype=np.int64)])
    bits = arrays["bits"].tolist()
    found: list[tuple[int, list[str]]] = []
    for a, b in pairwise(before):
        if a == b:
            found.append((0, []))
            continue
        borders = " ".join(map(str, (ends[a : b + 1] - ends[a]).tolist()))
        codes = " ".join(map(str, bits[int(ends[a]) : int(ends[b])]))
        found.append((b - a, [f"cat_boundaries={borders}", f"cat_threshold={codes}"]))
    return found


def _words(numbers: IntArray) -> list[str]:
    """Whole numbers in words; each distinct one is written once."""
    low, high = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    table = np.array([str(number) for number in range(low, high + 1)], dtype=object)
    return list(table[numbers - low].tolist())


def _tens(low: AnyArray) -> AnyArray:
    """What the text says of these thresholds."""
    return np.array([float(f"{value:.10g}") for value in between(low).tolist()], dtype=np.float64)


def _small(numbers: AnyArray) -> AnyArray:
    """Numbers from 0 up, in the smallest type that holds them."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def _planes(values: AnyArray) -> AnyArray:
    """(4, n) the bytes of float32 numbers, those of the same weight side by side, which compresses better."""
    return np.ascontiguousarray(values.astype("<f4").view(np.uint8).reshape(-1, 4).T)


def _unplanes(planes: AnyArray) -> AnyArray:
    return np.ascontiguousarray(planes.T).view("<f4").ravel()


def _bytes(arrays: dict[str, AnyArray]) -> bytes:
    from safetensors.numpy import save

    return zlib.compress(save(arrays), _LEVEL)
