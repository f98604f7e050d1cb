"""What the names of categories with many levels are made of: words, codes and numbers that levels have in common.

symbol    meaning
n, L      training rows; levels of a category
P         pieces of names: words, and what a run of digits looks like
w         (L,) rows of each level
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, EncoderPlugin, FitContext, FloatArray, IntArray, Matrix, Table

from .target_mean import targets_of

_MANY_LEVELS, _MOST_LEVELS = 30, 20_000
_MOST_COLUMNS, _MOST_PIECES = 8, 300
_COMPONENTS = 12
_FOLDS, _PENALTY = 5, 1.0
_RUN = re.compile(r"[^\W\d_]+|\d+")


class LevelWords(EncoderPlugin):
    """Of each of up to 8 categories: the leading components of the pieces of its levels' names, its last number and
    length, and what a ridge regression on the pieces says of the target, out of fold in training.

    Levels that share a word or a form, such as "PC 17599" and "PC 17601", become alike, though each is rare.

    tables: per column (L + 1, width) what each level is given; the first row is for missing and unknown levels.
    """

    name = "level-words"
    kinds = ("category",)
    adds_to = ("columns",)
    priority = 5
    uses_target = True

    tables: list[Matrix]

    @classmethod
    def accepts(cls, column: Column, params: dict[str, Any]) -> bool:
        """Many levels that are text; not so many that each is hardly ever met."""
        many = column.kind == "category" and _MANY_LEVELS <= len(column.levels) <= _MOST_LEVELS
        return many and all(isinstance(level, str) for level in column.levels)

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Learn components and regressions."""
        targets = (
            targets_of(y, len(columns), ctx) if ctx.kind in ("class_proba", "real") else np.zeros((len(columns), 1))
        )
        targets = targets - targets.mean(axis=0)
        spread = targets.std(axis=0)
        targets /= np.where(spread > 0, spread, 1.0)
        fold = ctx.parts(len(columns), _FOLDS)
        self.tables, blocks = [], []
        for column in columns.columns[:_MOST_COLUMNS]:
            names, scores, seen = _learnt(column, targets, fold)
            self.tables.append(np.concatenate([names, scores], axis=1).astype(np.float32))
            blocks.append(np.concatenate([names[_places(column, len(names))], seen], axis=1))
        return np.concatenate(blocks, axis=1).astype(np.float32)

    def transform(self, columns: Table) -> Matrix:
        """(n, sum of widths) float32."""
        chosen = zip(columns.columns, self.tables, strict=False)
        return np.concatenate([table[_places(column, len(table))] for column, table in chosen], axis=1)


def _places(column: Column, size: int) -> IntArray:
    """(n,) rows of a table of `size` rows."""
    return np.where(column.values < size - 1, column.values + 1, 0)


def _learnt(column: Column, targets: FloatArray, fold: AnyArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(L + 1, …) what the names say, (L + 1, T) scores, and (n, T) scores of training rows, out of fold."""
    known = (column.values >= 0) & (column.values < len(column.levels))
    codes = column.values[known]
    pieces = _pieces(column.levels, np.bincount(codes, minlength=len(column.levels)))
    w = np.bincount(codes, minlength=len(column.levels)).astype(np.float64)
    names = np.concatenate([_components(pieces, w), _measures(column.levels, w)], axis=1)
    scores = pieces @ _ridge(pieces, codes, targets[known])
    seen = np.zeros(targets.shape)
    for k in range(_FOLDS):
        rest, held = known & (fold != k), known & (fold == k)
        coef = _ridge(pieces, column.values[rest], targets[rest])
        seen[held] = (pieces @ coef)[column.values[held]]
    return _with_gap(names), _with_gap(scores), seen


def _with_gap(table: FloatArray) -> FloatArray:
    """The table after a row of zeros."""
    return np.concatenate([np.zeros((1, table.shape[1])), table])


def _pieces(levels: tuple[Any, ...], rows: IntArray) -> FloatArray:
    """(L, P) weights of the commonest pieces of each name; rows of length 1."""
    found = [set(_cut(level)) for level in levels]
    in_levels = Counter(piece for pieces in found for piece in pieces)
    in_rows: Counter[str] = Counter()
    for pieces, count in zip(found, rows.tolist(), strict=True):
        in_rows.update(dict.fromkeys(pieces, count))
    total = max(1, int(rows.sum()))
    kept = sorted((-in_rows[p], p) for p, count in in_levels.items() if count > 1 and 2 < in_rows[p] < total)
    place = {piece: position for position, (_, piece) in enumerate(kept[:_MOST_PIECES])}
    out = np.zeros((len(levels), len(place)))
    for level, pieces in enumerate(found):
        for piece in pieces & place.keys():
            out[level, place[piece]] = 1.0 + np.log((1 + total) / (1 + in_rows[piece]))
    length = np.sqrt(np.square(out).sum(axis=1, keepdims=True))
    return out / np.where(length > 0, length, 1.0)


def _cut(name: str) -> list[str]:
    """Words in lower case; of each run of digits its length, alone and with its first digit and first two."""
    out = []
    for run in _RUN.findall(name.lower()):
        out += (
            [f"{len(run)} digits", f"{run[0]} of {len(run)}", f"{run[:2]} of {len(run)}"] if run.isdecimal() else [run]
        )
    return out


def _components(pieces: FloatArray, w: FloatArray) -> FloatArray:
    """(L, up to 12) leading components over the training rows; the widest has deviation 1."""
    if not pieces.shape[1] or not w.any():
        return np.zeros((len(pieces), 0))
    around = pieces - (w @ pieces) / w.sum()
    values, vectors = np.linalg.eigh((around.T * w) @ around / w.sum())
    leading = np.argsort(-values, kind="stable")[:_COMPONENTS]
    leading = leading[values[leading] > 1e-9]
    if not len(leading):
        return np.zeros((len(pieces), 0))
    axes = vectors[:, leading]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(leading))])
    return np.asarray(around @ axes / np.sqrt(values[leading[0]]))


def _measures(levels: tuple[Any, ...], w: FloatArray) -> FloatArray:
    """(L, 2) the last number in a name, as a logarithm, and the name's length; mean 0 and deviation 1."""
    numbers = [[int(run[:15]) for run in _RUN.findall(level) if run.isdecimal()] for level in levels]
    out = np.array(
        [[np.log1p(found[-1]) if found else np.nan for found in numbers], [len(level) for level in levels]]
    ).T
    for column in out.T:
        known = ~np.isnan(column) & (w > 0)
        if known.any():
            column -= np.average(column[known], weights=w[known])
            spread = float(np.sqrt(np.average(column[known] ** 2, weights=w[known])))
            column /= spread if spread > 1e-9 else 1.0
    return np.asarray(np.nan_to_num(out))


def _ridge(pieces: FloatArray, codes: IntArray, targets: FloatArray) -> FloatArray:
    """(P, T) coefficients; rows of one level count together."""
    w = np.bincount(codes, minlength=len(pieces)).astype(np.float64)
    sums = np.stack([np.bincount(codes, weights=t, minlength=len(pieces)) for t in targets.T], axis=1)
    penalised = (pieces.T * w) @ pieces + _PENALTY * np.eye(pieces.shape[1])
    return np.asarray(np.linalg.solve(penalised, pieces.T @ sums))
