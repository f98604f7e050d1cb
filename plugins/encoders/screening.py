"""What the effects of single columns leave unexplained, and how much of it groups of rows explain: a cheap look.

symbol    meaning
n, m      training rows; rows looked at
T         targets: a value, the second of two classes, or the commonest classes
B         groups that rows fall into: bins of a number, levels of a category, 0 for missing
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automl.contract import AnyArray, Column, FloatArray, IntArray

_ROWS = 4000
_BINS = 32
_PASSES = 2
_SMOOTHING = 10.0
_MOST_COLUMNS = 100
_DEVIATIONS = 2.0


class Screen:
    """Residuals of an additive model: a smoothed mean per group of each column, fitted in turns.

    Attributes:
        rows: (m,) training rows looked at.
        codes: column position -> (m,) groups, and B; the strongest columns only.
        strength: column position -> share of the targets' variance that its groups explain beyond chance.
    """

    def __init__(self, columns: Sequence[Column], targets: FloatArray, seed: int) -> None:
        """targets: (n, T)."""
        n, rng = len(targets), np.random.default_rng(seed)
        self.rows: IntArray = np.arange(n) if n <= _ROWS else np.sort(rng.choice(n, _ROWS, replace=False))
        y = targets[self.rows]
        self._left = np.ascontiguousarray((y - y.mean(axis=0)).T)
        coded = {i: groups_of(column, self.rows) for i, column in enumerate(columns)}
        strength = {i: self.worth(*groups) for i, groups in coded.items()}
        kept = sorted(sorted(coded, key=lambda i: -strength[i])[:_MOST_COLUMNS])
        self.codes, self.strength = {i: coded[i] for i in kept}, strength
        self._subtract()

    def worth(self, codes: IntArray, size: int, of: Sequence[int] = ()) -> float:
        """The share of what is left that groups explain beyond chance; 0 when that is within two deviations of it.

        of: the columns that the groups are made of. Groups that explain more than these columns' own effects and what
        is left without them are worth the difference, if that is more.
        """
        total = float(np.square(self._left).sum())
        beyond, deviations = _explained(self._left, codes, size)
        if total <= 0 or deviations <= _DEVIATIONS:
            return 0.0
        if of:
            own = sum(self._effects[i][:, self.codes[i][0]] for i in set(of))
            whole = self._left + own
            beyond = max(beyond, _explained(whole, codes, size)[0] - (float(np.square(whole).sum()) - total))
        return beyond / total

    def strongest(self, positions: Sequence[int], most: int) -> list[int]:
        """At most so many of these columns, those with the strongest effects, in order."""
        known = [i for i in positions if i in self.codes]
        return sorted(sorted(known, key=lambda i: -self.strength[i])[:most])

    def _subtract(self) -> None:
        """Take the additive model out of what is left."""
        self._effects = effects = {i: np.zeros((len(self._left), size)) for i, (_, size) in self.codes.items()}
        for _ in range(_PASSES):
            for i, (codes, size) in self.codes.items():
                weight = np.bincount(codes, minlength=size) + _SMOOTHING
                for y, effect in zip(self._left, effects[i], strict=True):
                    y += effect[codes]
                    effect[:] = np.bincount(codes, weights=y, minlength=size) / weight
                    y -= effect[codes]


def _explained(ys: FloatArray, codes: IntArray, size: int) -> tuple[float, float]:
    """The squares (T, m) that groups explain beyond chance, and how many deviations beyond it that is."""
    counts = np.bincount(codes, minlength=size)
    used = counts > 0
    cells, m, total = int(used.sum()), len(codes), float(np.square(ys).sum())
    if cells < 2 or m <= cells or total <= 0:
        return 0.0, 0.0
    sums = np.stack([np.bincount(codes, weights=y, minlength=size)[used] for y in ys])
    between = float((sums**2 / counts[used]).sum() - (sums.sum(axis=1) ** 2).sum() / m)
    beyond = between - (cells - 1) * (total - between) / (m - cells)
    return beyond, beyond / (total / m * np.sqrt(2.0 * (cells - 1)))


def groups_of(column: Column, rows: IntArray) -> tuple[IntArray, int]:
    """(m,) groups of a column, and B."""
    values = column.values[rows]
    if column.kind != "category":
        return binned(values)
    return values.astype(np.int64) + 1, int(values.max(initial=-1)) + 2


def binned(values: AnyArray) -> tuple[IntArray, int]:
    """(m,) bins of about equal numbers of values, and B."""
    gaps = np.isnan(values)
    known = values[~gaps]
    if not len(known):
        return np.zeros(len(values), dtype=np.int64), 1
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower"))
    codes = np.searchsorted(edges, values) + 1
    codes[gaps] = 0
    return codes, len(edges) + 2


def direction(codes: IntArray) -> FloatArray:
    """(m,) codes with mean 0 and length 1: products of two are rank correlations."""
    centered = codes - codes.mean()
    return np.asarray(centered / (np.sqrt(centered @ centered) + 1e-12))
