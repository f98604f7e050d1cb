"""What a network sees of a table: numbers on one scale and cut into pieces, gaps, levels, and target means.

symbol    meaning
n, u      training rows; rows to encode
m, c      columns of numbers, and of categories
d         inputs: numbers, gaps, levels, target means
p, B      numbers that are cut, and pieces of each
L, T      levels of all categories with many; targets whose means are taken
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from automl.contract import AnyArray, Facts, FitContext, FloatArray, IntArray, Matrix, Table

from ..encoders.scaling import bent, robust
from ..encoders.target_mean import TargetMean
from .base import KEPT_CELLS

FEW_LEVELS = 30
_MOST_PIECES = 1024
_GAP_SHARE = 0.01
_LEAST_SPREAD = 0.5
_SAMPLED_ROWS = 100_000
_LARGEST = 1e150
_BLOCK = 1 << 14


@dataclass(frozen=True)
class Inputs:
    """Numbers are bent into -3 to 3; a number is also said by how far it has filled each of its pieces, 0 to 1.

    Pieces lie between quantiles of the training rows. Numbers that an encoder made keep its scale, and those that
    hardly vary on it are not cut. Categories of up to 30 levels are indicators, with one for gaps; others are target
    means, out of fold in training. Learnt embeddings of many levels were worse than these on all open tables tried.

    Attributes:
        center, scale: (m,) of the numbers.
        gaps: numbers with an indicator of their gaps.
        few, many: category columns that become indicators, and means.
        slots: columns of the levels of each of `few`, from `starts` on, missing first, unknown last; -1 for none.
        levels: indicators in all.
        means: (L + 1, T) by level, from `offsets` on, missing first; the last row is for unknown levels.
        counts: levels of each of `many`.
        cut: (p,) numbers that are cut.
        slope, shift: (p, B) a piece is filled to ``slope x + shift``; both 0 where a number has fewer pieces.
    """

    center: FloatArray
    scale: FloatArray
    gaps: IntArray
    few: IntArray
    slots: IntArray
    starts: IntArray
    levels: int
    many: IntArray
    means: FloatArray
    offsets: IntArray
    counts: IntArray
    cut: IntArray
    slope: FloatArray
    shift: FloatArray

    @classmethod
    def learn(cls, table: Table, y: AnyArray, n_outputs: int, pieces: int, ctx: FitContext) -> tuple[Self, Matrix]:
        """What the training rows teach, and their (n, d) inputs.

        Args:
            y: coded targets, `n_outputs` classes or one number.
            pieces: of each number at most; 0 for none.
        """
        values, codes = read(table)
        raw = sum(column.kind == "numeric" for column in table.columns[: _passed(ctx)])
        center, scale = robust(values)
        center[raw:], scale[raw:] = 0.0, 1.0
        gaps = np.flatnonzero(np.isnan(values).mean(axis=0) > _GAP_SHARE)
        sizes = np.array([len(column.levels) for column in table if column.kind == "category"], dtype=np.int64)
        few, many = np.flatnonzero(sizes <= FEW_LEVELS), np.flatnonzero(sizes > FEW_LEVELS)
        slots, starts, levels = _slots(codes[:, few], sizes[few])
        means, block = _target_means(table, many, y, n_outputs, ctx)
        cut, slope, shift = _pieces(bent(_sampled(values, ctx.seed), center, scale), raw, pieces)
        numbers: dict[str, Any] = {"center": center, "scale": scale, "gaps": gaps}
        numbers |= {"cut": cut, "slope": slope, "shift": shift}
        self = cls(**numbers, **means, few=few, many=many, slots=slots, starts=starts, levels=levels)
        X = self.encode(table)
        if len(many):
            X[:, X.shape[1] - block.shape[1] :] = block
        return self, X

    def encode(self, table: Table) -> Matrix:
        """(n, d) float32, some rows at a time."""
        values, codes = read(table)
        out = np.empty((len(table), self.width), dtype=np.float32)
        for start in range(0, len(table), _BLOCK):
            rows = slice(start, start + _BLOCK)
            out[rows] = self.exactly(values[rows], codes[rows])
        return out

    @property
    def width(self) -> int:
        """d."""
        return int(len(self.center) + len(self.gaps) + self.levels + len(self.many) * self.means.shape[1])

    def exactly(self, values: FloatArray, codes: IntArray) -> FloatArray:
        """(u, d) of (u, m) numbers and (u, c) codes."""
        with np.errstate(over="ignore"):
            blocks = [bent(values, self.center, self.scale)]
        if len(self.gaps):
            blocks.append(np.isnan(values[:, self.gaps]).astype(np.float64))
        if self.levels:
            at = np.minimum(codes[:, self.few] + 1, np.diff(self.starts) - 1) + self.starts[:-1]
            hot = np.zeros((len(values), self.levels + 1))
            np.put_along_axis(hot, self.slots[at], 1.0, axis=1)
            blocks.append(hot[:, :-1])
        if len(self.many):
            chosen = codes[:, self.many]
            at = np.where(chosen < self.counts, chosen + self.offsets + 1, len(self.means) - 1)
            blocks.append(self.means[at].reshape(len(values), -1))
        return np.concatenate(blocks, axis=1)


def expected(facts: Facts, pieces: int) -> tuple[int, int]:
    """About how many inputs, d, and pieces of all numbers a table of this size becomes."""
    texts, dates = (facts.kinds.get(kind, 0) for kind in ("text", "datetime"))
    numbers = max(0, facts.n_features - facts.n_categories - texts - dates) + 6 * dates
    pieces = min(pieces, max(4, _MOST_PIECES // max(1, numbers)))
    return max(1, numbers + 5 * facts.n_categories + 40 * texts), numbers * pieces * 2 // 3


def read(table: Table) -> tuple[FloatArray, IntArray]:
    """(n, m) numbers and (n, c) codes; kept with a table that is not large for the next network that looks at it."""
    few = len(table) * len(table.columns) <= KEPT_CELLS
    found: tuple[FloatArray, IntArray] = table.derived("network inputs", _split) if few else _split(table)
    return found


def _split(table: Table) -> tuple[FloatArray, IntArray]:
    values = np.clip(table.of_kind(("numeric",)).floats, -_LARGEST, _LARGEST)
    return values, table.of_kind(("category",)).codes


def _passed(ctx: FitContext) -> int:
    """How many columns, the first ones, are the caller's own; the others were made by encoders."""
    return sum(ctx.facts.kinds.get(kind, 0) for kind in ("numeric", "category"))


def _slots(codes: IntArray, sizes: IntArray) -> tuple[IntArray, IntArray, int]:
    """`slots`, `starts` and `levels` of categories with few levels; a level that no row has gets no column."""
    tables: list[IntArray] = []
    used = 0
    for values, size in zip(codes.T, sizes, strict=True):
        seen = np.unique(values) + 1
        table = np.full(max(int(size), int(seen.max(initial=0))) + 2, -1, dtype=np.int64)
        if len(seen) > 1:
            table[seen] = used + np.arange(len(seen))
            used += len(seen)
        tables.append(table)
    starts = np.concatenate([[0], np.cumsum([len(table) for table in tables])]).astype(np.int64)
    return (np.concatenate(tables) if tables else np.zeros(0, dtype=np.int64)), starts, used


def _target_means(
    table: Table, many: Sequence[int] | AnyArray, y: AnyArray, n_outputs: int, ctx: FitContext
) -> tuple[dict[str, Any], Matrix]:
    """What `Inputs` keeps of target means, and those of the training rows, which are out of fold."""
    if not len(many):
        none = np.zeros(0, dtype=np.int64)
        return {"means": np.zeros((1, 0)), "offsets": none, "counts": none}, np.zeros((len(table), 0), np.float32)
    categories = table.of_kind(("category",)).columns
    encoder = TargetMean()
    ctx = replace(ctx, facts=replace(ctx.facts, n_outputs=n_outputs))
    block = encoder.fit_transform(Table(tuple(categories[i] for i in many), len(table)), y, ctx)
    unknown = np.zeros((1, encoder.means.shape[1]))
    means = np.concatenate([encoder.means, unknown])
    return {"means": means, "offsets": encoder.offset, "counts": encoder.levels}, block


def _sampled(values: FloatArray, seed: int) -> FloatArray:
    if len(values) <= _SAMPLED_ROWS:
        return values
    return values[np.random.default_rng(seed).choice(len(values), _SAMPLED_ROWS, replace=False)]


def _pieces(values: FloatArray, raw: int, wanted: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """`cut`, `slope` and `shift`, from quantiles of bent values; the first `raw` columns are the caller's own."""
    varies = np.flatnonzero(values.std(axis=0) >= np.where(np.arange(values.shape[1]) < raw, 0.0, _LEAST_SPREAD))
    wanted = min(wanted, max(4, _MOST_PIECES // max(1, len(varies))))
    if not wanted or not len(varies):
        return np.zeros(0, dtype=np.int64), np.zeros((0, 0)), np.zeros((0, 0))
    shares = np.linspace(0.0, 1.0, wanted + 1)
    edges = {int(column): np.unique(np.quantile(values[:, column], shares)) for column in varies}
    edges = {column: found for column, found in edges.items() if len(found) > 2}
    slope = np.zeros((len(edges), max((len(found) for found in edges.values()), default=1) - 1))
    shift = np.zeros_like(slope)
    for position, found in enumerate(edges.values()):
        width = np.maximum(np.diff(found), 1e-6)
        slope[position, : len(width)] = 1.0 / width
        shift[position, : len(width)] = -found[:-1] / width
    return np.array(list(edges), dtype=np.int64), slope, shift
