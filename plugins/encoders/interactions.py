"""Features of two columns, and of many levels, that are worth more than what the columns say by themselves.

Candidates are judged by what they explain of the residuals of an additive model, and the few that a small boosting of
all columns and candidates splits on most are kept. Targets choose features; only target means are made of them, and
those are out of fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, EncoderPlugin, FitContext, FloatArray, IntArray, Matrix, Table

from .scaling import bent, robust
from .screening import Screen, binned, direction
from .target_mean import level_means, out_of_fold, targets_of

_NUMBERS, _CATEGORIES = 12, 10
_CANDIDATES, _MOST = 60, 16
_MANY_LEVELS = 12
_FEW_ROWS = 30
_ALIKE, _SAME = 0.95, 0.99
_LEAST_GAIN = 0.01
_FOLDS, _SMOOTHING = 5, 10.0
_ROUNDS = 40
_BOOSTING = {
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "learning_rate": 0.1,
    "num_leaves": 16,
    "feature_fraction": 0.5,
    "min_data_in_leaf": 20,
    "max_bin": 63,
}
_ARITHMETIC: dict[str, Callable[..., Any]] = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
_GROUPED = ("less the group's mean", "in deviations of its group", "the group's mean")
_TARGET, _COUNT = "target mean", "count"


@dataclass(frozen=True)
class _Candidate:
    """A feature: what is done to columns `a` and `b`, with what learnt `table`, and what the screen sees of it.

    `a` is the category of grouped features and the only column of a target mean or count.
    codes: (m,) its bins; values: (n,) what training rows are given when that is not what other rows are.
    """

    op: str
    a: int
    b: int
    table: FloatArray
    codes: AnyArray
    values: AnyArray | None = None


class Interactions(EncoderPlugin):
    """At most 16 features: + - x / of two numbers, a number against its group, target means and counts of many levels.

    ops: what is done, and the positions of its one or two columns; tables: (rows, levels + 2) what it looks up by
    level, first for missing values and last for unknown levels.
    """

    name = "interactions"
    kinds = ("numeric", "category", "datetime")
    requires = ("lightgbm",)
    adds_to = ("columns", "matrix")
    priority = 10
    uses_target = True
    missing = True

    ops: list[list[Any]]
    tables: list[FloatArray]
    center: FloatArray
    scale: FloatArray

    @classmethod
    def can_add(cls, columns: Sequence[Column], params: dict[str, Any]) -> bool:
        """Two numbers, a number and a category, or many levels."""
        numbers = sum(column.kind == "numeric" for column in columns)
        levels = [len(column.levels) for column in columns if column.kind == "category"]
        return numbers > 1 or (numbers == 1 and bool(levels)) or any(count > _MANY_LEVELS for count in levels)

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Choose features and learn their tables; target means of the training rows are out of fold."""
        chosen = [] if y is None or len(columns) < _FEW_ROWS else _chosen(columns, y, ctx)
        self.ops = [[c.op, c.a, c.b] for c in chosen]
        self.tables = [c.table for c in chosen]
        values = self._values(columns)
        for position, candidate in enumerate(chosen):
            if candidate.values is not None:
                values[:, position] = candidate.values
        self.center, self.scale = robust(values)
        return self._scaled(values)

    def transform(self, columns: Table) -> Matrix:
        """(n, features) float32, NaN where it cannot be said."""
        return self._scaled(self._values(columns))

    def _values(self, columns: Table) -> FloatArray:
        out = np.empty((len(columns), len(self.ops)))
        with np.errstate(all="ignore"):
            for position, ((op, a, b), table) in enumerate(zip(self.ops, self.tables, strict=True)):
                out[:, position] = _value(op, columns.columns[a].values, columns.columns[b].values, table)
        out[~np.isfinite(out)] = np.nan
        return out

    def _scaled(self, values: FloatArray) -> Matrix:
        return np.where(np.isnan(values), np.nan, bent(values, self.center, self.scale)).astype(np.float32)


def _value(op: str, a: AnyArray, b: AnyArray, table: FloatArray) -> Any:
    """The feature for rows with these values of its columns."""
    if op in _ARITHMETIC:
        return _ARITHMETIC[op](a, b)
    at = np.minimum(a + 1, table.shape[1] - 1)
    if op == _GROUPED[0]:
        return b - table[0][at]
    if op == _GROUPED[1]:
        return (b - table[0][at]) / table[1][at]
    return table[0][at]


def _chosen(columns: Table, y: AnyArray, ctx: FitContext) -> list[_Candidate]:
    """The candidates that a small boosting splits on most."""
    targets = targets_of(y, len(columns), ctx)
    targets = targets - targets.mean(axis=0)
    if ctx.kind not in ("class_proba", "real") or not targets.any():
        return []
    screen = Screen(columns.columns, targets, ctx.seed)
    pairs = [*_of_numbers(columns, screen), *_of_groups(columns, screen)]
    candidates = [*_unlike(pairs, screen), *_of_levels(columns, targets, screen, ctx)]
    if not candidates:
        return []
    gains = _gains([codes for codes, _ in screen.codes.values()], candidates, y[screen.rows], ctx)
    order = np.argsort(-gains, kind="stable")[:_MOST]
    return [candidates[i] for i in order if gains[i] > _LEAST_GAIN]


def _judged(
    screen: Screen, columns: Table, op: str, a: int, b: int, table: FloatArray
) -> Iterable[tuple[float, _Candidate]]:
    """The candidate with its worth; nothing when that may be chance."""
    with np.errstate(all="ignore"):
        values = _value(op, columns.columns[a].values[screen.rows], columns.columns[b].values[screen.rows], table)
    codes, size = binned(np.where(np.isfinite(values), values, np.nan))
    share = screen.worth(codes, size, (a, b))
    if share > 0:
        yield share, _Candidate(op, a, b, table, codes)


def _of_numbers(columns: Table, screen: Screen) -> Iterable[tuple[float, _Candidate]]:
    """Arithmetic of two of the strongest numbers."""
    none = np.zeros((0, 0))
    for a, b in combinations(screen.strongest(_numbers(columns, screen, 3), _NUMBERS), 2):
        for op, first, second in (("+", a, b), ("-", a, b), ("*", a, b), ("/", a, b), ("/", b, a)):
            yield from _judged(screen, columns, op, first, second, none)


def _of_groups(columns: Table, screen: Screen) -> Iterable[tuple[float, _Candidate]]:
    """A number and the mean of its rows' category."""
    categories = [i for i, c in enumerate(columns) if c.kind == "category"]
    numbers = screen.strongest(_numbers(columns, screen, 8), _CATEGORIES)
    for a in screen.strongest(categories, _CATEGORIES):
        for b in numbers:
            table = _moments(columns.columns[a], columns.columns[b])
            for op in _GROUPED:
                yield from _judged(screen, columns, op, a, b, table)


def _of_levels(columns: Table, targets: FloatArray, screen: Screen, ctx: FitContext) -> Iterable[_Candidate]:
    """Target means and counts of the categories with many levels."""
    fold = ctx.parts(len(columns), _FOLDS)
    for i, column in enumerate(columns):
        n_levels = max(len(column.levels), int(column.values.max(initial=-1)) + 1) if column.kind == "category" else 0
        if n_levels <= _MANY_LEVELS or i not in screen.codes:
            continue
        counts = np.log1p(np.bincount(column.values + 1, minlength=n_levels + 2))[None]
        yield _Candidate(_COUNT, i, i, counts, counts[0][column.values[screen.rows] + 1])
        means = level_means(column.values, n_levels + 1, targets)
        for values, table in zip(out_of_fold(column.values, n_levels, targets, fold).T, means.T, strict=True):
            yield _Candidate(_TARGET, i, i, table[None], values[screen.rows], values)


def _numbers(columns: Table, screen: Screen, above: int) -> list[int]:
    """Positions of the numbers with more than so many values."""
    return [i for i, c in enumerate(columns) if c.kind == "numeric" and len(np.unique(c.values[screen.rows])) > above]


def _moments(category: Column, number: Column) -> FloatArray:
    """(2, levels + 2) mean and deviation of the number by level, drawn to those of all rows by 10 rows' weight."""
    known = ~np.isnan(number.values)
    codes, values = category.values[known] + 1, number.values[known]
    size = max(len(category.levels), int(category.values.max(initial=-1)) + 1) + 2
    weight = np.bincount(codes, minlength=size) + _SMOOTHING
    middle, spread = (float(values.mean()), float(values.var())) if len(values) else (0.0, 0.0)
    mean = (np.bincount(codes, weights=values, minlength=size) + _SMOOTHING * middle) / weight
    squares = np.bincount(codes, weights=(values - mean[codes]) ** 2, minlength=size)
    deviation = np.sqrt((squares + _SMOOTHING * spread) / weight)
    return np.stack([mean, np.where(deviation > 0, deviation, 1.0)])


def _unlike(judged: Iterable[tuple[float, _Candidate]], screen: Screen) -> list[_Candidate]:
    """The best candidates, each unlike those before it and not the same as a column of its own."""
    kept: list[_Candidate] = []
    directions: list[FloatArray] = []
    columns = {i: direction(codes) for i, (codes, _) in screen.codes.items()}
    for _, candidate in sorted(judged, key=lambda pair: -pair[0]):
        if len(kept) == _CANDIDATES:
            break
        own = direction(candidate.codes)
        parents = [columns[i] for i in {candidate.a, candidate.b}]
        if max(abs(parent @ own) for parent in parents) > _SAME:
            continue
        if directions and np.abs(np.stack(directions) @ own).max() > _ALIKE:
            continue
        kept.append(candidate)
        directions.append(own)
    return kept


def _gains(columns: list[IntArray], candidates: Sequence[_Candidate], y: AnyArray, ctx: FitContext) -> FloatArray:
    """(candidates,) shares of the gain of all splits."""
    import lightgbm

    settings: dict[str, Any] = {**_BOOSTING, "seed": ctx.seed, "objective": "regression"}
    rounds = _ROUNDS
    if ctx.kind == "class_proba":
        settings |= {"objective": "binary"}
        if ctx.n_outputs > 2:
            settings |= {"objective": "multiclass", "num_class": ctx.n_outputs}
            rounds = max(8, min(_ROUNDS, 4 * _ROUNDS // ctx.n_outputs))
    matrix = np.stack([*columns, *(c.codes for c in candidates)], axis=1).astype(np.float32)
    booster = lightgbm.train(settings, lightgbm.Dataset(matrix, y, params=settings), rounds)
    gains = booster.feature_importance("gain")
    return np.asarray(gains[len(columns) :] / max(float(gains.sum()), 1e-300))
