"""Boosted trees in LightGBM's text format: shortened, written from arrays, and summed by its C++ code.

The format is what LightGBM 4 reads and writes (``version=v4``). A sum of trees is kept as the blocks of its trees; only
what predicting needs is in them. Leaves are numbered 0, 1 …; a child of ``-1 - leaf`` is a leaf.

symbol    meaning
d         columns
S         sums: outputs of one model, or of several
N         inner nodes of a tree; it has N + 1 leaves
u         rows
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from automl.contract import AnyArray, ArtifactError, FloatArray, IntArray

from .single_row import SingleRow, single_row

_NUMBERS, _KEPT = "threshold", ("split_feature", "decision_type", "left_child", "right_child")
_SETS = ("cat_boundaries", "cat_threshold")
CATEGORY, _DEFAULT_LEFT, _MISSING_IS_NAN, _MISSING = 1, 2, 8, 12
_LEAF_ERROR = 1e-6
_LARGEST = 3e38
_LANES, _LENGTHS = 112, (4, 8, 16, 32, 64, 128, 256)
_EMPTY_COST, _LANE_COST = 0.3, 8.0
_MANY_ROWS, _BLOCK_ROWS = 64, 2048


@dataclass(frozen=True)
class TreeText:
    """S sums of trees over the same d columns.

    Attributes:
        width: d.
        sums: (S) blocks of the trees that each is the sum of.
    """

    width: int
    sums: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, text: str) -> TreeText:
        """What `lightgbm.Booster.model_to_string` or `write` gave, without what predicting does not need."""
        return cls._parsed(text, short_block)

    @classmethod
    def load(cls, text: str) -> TreeText:
        """What `write` gave. Raises ArtifactError for what is none of it."""
        return cls._parsed(text, str)

    @classmethod
    def _parsed(cls, text: str, clean: Any) -> TreeText:
        head, found, _ = text.partition("\nTree=0\n")
        said = dict(line.partition("=")[::2] for line in head.splitlines())
        try:
            sums, width = int(said["num_tree_per_iteration"]), int(said["max_feature_idx"]) + 1
            sizes = [int(size) for size in said["tree_sizes"].split()]
        except (KeyError, ValueError) as error:
            raise ArtifactError(f"this is no text of boosted trees: {error!r}; the saved model is damaged") from error
        ends = len(head) + 1 + np.cumsum(sizes, dtype=np.int64) if found else np.zeros(0, dtype=np.int64)
        starts = [len(head) + 1, *ends.tolist()]
        blocks = [clean(text[a:b].partition("\n")[2].rstrip("\n")) for a, b in pairwise(starts)]
        return cls(width, tuple(tuple(blocks[k::sums]) for k in range(sums)))

    def write(self) -> str:
        """A model that LightGBM reads; its raw scores are the sums."""
        longest = max(1, *(len(blocks) for blocks in self.sums))
        padded = [[*blocks, *[leaf_block(0.0)] * (longest - len(blocks))] for blocks in self.sums]
        trees = [blocks[step] for step in range(longest) for blocks in padded]
        bodies = [f"Tree={number}\n{block}\n\n" for number, block in enumerate(trees)]
        names = " ".join(f"c{i}" for i in range(self.width))
        head = (
            f"tree\nversion=v4\nnum_class={len(padded)}\nnum_tree_per_iteration={len(padded)}\nlabel_index=0\n"
            f"max_feature_idx={self.width - 1}\nfeature_names={names}\n"
            f"feature_infos={' '.join(['none'] * self.width)}\ntree_sizes={' '.join(str(len(b)) for b in bodies)}\n\n"
        )
        return head + "".join(bodies) + "end of trees\n"


class TreeSums:
    """Raw scores of several models at once, each of a row after the other and all sums in one call.

    Sums are cut into lanes of about equal length, so that models of very different lengths share a booster and little
    is spent on empty trees. A booster is always asked for all of its trees: asked for some, LightGBM 4 keeps to them in
    later calls, and in those of other threads.
    """

    def __init__(self, models: Sequence[TreeText]) -> None:
        """`models` have the same columns."""
        self.models = tuple(models)

    @cached_property
    def _laid(self) -> tuple[TreeText, IntArray]:
        """The lanes, and (S,) which lane each sum begins with."""
        sums = [blocks for model in self.models for blocks in model.sums]
        length = _lane_length([len(blocks) for blocks in sums])
        lanes: list[tuple[str, ...]] = []
        starts = []
        for blocks in sums:
            starts.append(len(lanes))
            lanes += [blocks[k : k + length] for k in range(0, max(1, len(blocks)), length)]
        return TreeText(self.models[0].width, tuple(lanes)), np.array(starts, dtype=np.int64)

    @cached_property
    def _whole(self) -> Any:
        return _booster(self._laid[0])

    @cached_property
    def _slices(self) -> list[Any]:
        """The same trees, a few steps of all lanes to a booster."""
        text, _ = self._laid
        step = max(1, _LANES // len(text.sums))
        longest = max(len(lane) for lane in text.sums)
        return [
            _booster(TreeText(text.width, tuple(lane[first : first + step] for lane in text.sums)))
            for first in range(0, longest, step)
        ]

    @cached_property
    def _single(self) -> SingleRow | None:
        return single_row(self._whole, self.models[0].width, len(self._laid[0].sums))

    def __call__(self, X: AnyArray, threads: int = 1) -> FloatArray:
        """(u, S) raw scores of float32 C-contiguous (u, d)."""
        text, starts = self._laid
        if len(X) == 1 and self._single is not None:
            return _summed(self._single(X), starts)
        if len(X) < _MANY_ROWS:
            return _summed(self._whole.predict(X, num_threads=threads).reshape(len(X), len(text.sums)), starts)
        blocks = range(0, len(X), _BLOCK_ROWS * threads)
        return np.concatenate([self._many(X[start : start + _BLOCK_ROWS * threads], threads) for start in blocks])

    def _many(self, X: AnyArray, threads: int) -> FloatArray:
        """The same, a few trees at a time for all rows: they stay in the processor's cache, which is 2 to 3 times as
        fast as all trees for one row after the other."""
        text, starts = self._laid
        total = np.zeros((len(X), len(text.sums)))
        for booster in self._slices:
            total += booster.predict(X, num_threads=threads).reshape(total.shape)
        return _summed(total, starts)


def _booster(text: TreeText) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=text.write())


def _summed(lanes: FloatArray, starts: IntArray) -> FloatArray:
    return lanes if len(starts) == lanes.shape[1] else np.add.reduceat(lanes, starts, axis=1)


def _lane_length(lengths: Sequence[int]) -> int:
    """Trees to a lane: few lanes, and few empty trees at their ends."""
    sizes = np.maximum(lengths, 1)

    def cost(length: int) -> float:
        lanes = int(np.sum(-(-sizes // length)))
        longest = min(length, int(sizes.max()))
        return _EMPTY_COST * (lanes * longest - int(sizes.sum())) + _LANE_COST * lanes

    return min(_LENGTHS, key=cost)


def leaf_block(value: float) -> str:
    """A tree that says the same of every row."""
    return f"num_leaves=1\nnum_cat=0\nleaf_value={value:.10g}\nshrinkage=1"


def tree_block(nodes: Mapping[str, AnyArray], leaf_value: AnyArray, sets: Sequence[IntArray] = ()) -> str:
    """A tree from arrays.

    Args:
        nodes: ``split_feature``, ``threshold``, ``decision_type``, ``left_child`` and ``right_child``, each (N,); the
            threshold of a category is a position in `sets`.
        leaf_value: (N + 1,).
        sets: codes that go left.
    """
    if len(leaf_value) == 1:
        return leaf_block(float(leaf_value[0]))
    lines = [f"num_leaves={len(leaf_value)}", f"num_cat={len(sets)}"]
    lines += [f"{name}={_joined(nodes[name].tolist())}" for name in _KEPT]
    lines += [f"threshold={_joined(nodes[_NUMBERS].tolist(), '.10g')}", f"leaf_value={_decimal(leaf_value)}"]
    if sets:
        words = [_bits(codes) for codes in sets]
        lines.append(f"cat_boundaries={_joined([0, *np.cumsum([len(w) for w in words]).tolist()])}")
        lines.append(f"cat_threshold={_joined(np.concatenate(words).tolist())}")
    return "\n".join([*lines, "shrinkage=1"])


def decision_types(categories: AnyArray, missing_left: AnyArray) -> IntArray:
    """(N,) what a node asks: is it of a category, and does a missing number go left? Missing categories go right."""
    numbers = _MISSING_IS_NAN + _DEFAULT_LEFT * np.asarray(missing_left, dtype=np.int64)
    return np.asarray(np.where(categories, CATEGORY, numbers), dtype=np.int64)


def between(low: AnyArray) -> FloatArray:
    """Numbers halfway from float32 numbers to the next larger ones: ten digits of one still tell the two apart."""
    single = np.asarray(low, dtype=np.float32)
    above = np.nextafter(single, np.float32(np.inf))
    return (single.astype(np.float64) + above.astype(np.float64)) / 2


def floor32(values: FloatArray) -> AnyArray:
    """The largest float32 not above a float64: a float32 x is above one exactly when it is above the other."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def short_block(block: str) -> str:
    """A tree as LightGBM wrote it, without statistics, in ten digits that send every float32 the same way."""
    said = dict(line.partition("=")[::2] for line in block.splitlines())
    if said.get("is_linear", "0") != "0":
        raise ArtifactError("trees with linear leaves are not kept in this format")
    leaf_value = np.array(said["leaf_value"].split(), dtype=np.float64)
    if len(leaf_value) == 1:
        return leaf_block(float(leaf_value[0]))
    threshold = np.array(said[_NUMBERS].split(), dtype=np.float64)
    decision = np.array(said["decision_type"].split(), dtype=np.int64)
    number = (decision & CATEGORY == 0) & (np.abs(threshold) < _LARGEST)
    threshold[number] = between(floor32(threshold[number]))
    said["decision_type"] = _joined(_with_missing(decision, said).tolist())
    lines = [f"num_leaves={len(leaf_value)}", f"num_cat={said['num_cat']}"]
    lines += [f"{name}={said[name]}" for name in _KEPT]
    lines += [f"threshold={_joined(threshold.tolist(), '.10g')}", f"leaf_value={_decimal(leaf_value)}"]
    lines += [f"{name}={said[name]}" for name in _SETS if name in said]
    return "\n".join([*lines, "shrinkage=1"])


def _with_missing(decision: IntArray, said: Mapping[str, str]) -> IntArray:
    """(N,) decisions under which a number that is missing, as none was in training, goes where most rows went.

    LightGBM reads it as 0 there, which of a year or a price is the farthest left.
    """
    rows = [np.array(said[name].split(), dtype=np.int64) for name in ("internal_count", "leaf_count")]
    left, right = (
        np.where(child >= 0, rows[0][np.maximum(child, 0)], rows[1][np.maximum(~child, 0)])
        for child in (np.array(said[name].split(), dtype=np.int64) for name in ("left_child", "right_child"))
    )
    unprepared = decision & (CATEGORY | _MISSING) == 0
    return np.where(unprepared, _MISSING_IS_NAN + _DEFAULT_LEFT * (left >= right), decision)


def _bits(codes: IntArray) -> IntArray:
    """The words of 32 bits in which the bits of these codes are set."""
    words = np.zeros(int(codes.max(initial=0)) // 32 + 1, dtype=np.int64)
    np.bitwise_or.at(words, codes // 32, np.int64(1) << (codes % 32))
    return words


def _decimal(values: AnyArray) -> str:
    """The leaves of a tree in single precision, unless that loses more than a trifle of what tells them apart."""
    double = np.asarray(values, dtype=np.float64)
    single = double.astype(np.float32)
    if np.abs(single - double).max() > _LEAF_ERROR * np.ptp(double):
        return _joined(double.tolist(), ".10g")
    return _joined(single.tolist(), ".9g")


def _joined(values: Sequence[Any], form: str = "") -> str:
    return " ".join([format(value, form) for value in values]) if form else " ".join(map(str, values))
