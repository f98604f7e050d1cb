"""What members said of units whose truth is known, as the smooth loss of their prediction kind sees it.

kind          aim               loss of a unit                         where it is exact
class_proba                     -log of what the true class was given  log loss
real          mean              squared error                          (root) mean squared error
real          median            absolute error                         mean absolute error
real          relative-median   absolute error / true value            mean absolute percentage error

A metric with steps or ranks is noisy on few units: weights found for the smooth loss did better by that very metric,
on open data, than weights found for the metric itself.

symbol    meaning
m         members
n         units of all folds, or as many of them as suffice
L         (m, n) probability that each member gave to the true class
E         (m, n) error of each member
u         (n,) weight of each unit, mean 1
w         (m,) weights of the members, sum 1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl.contract import ADDITIVE, AnyArray, FloatArray, IntArray, Predictions, Truth, relative_sizes

TINY = 1e-6
UNITS = 10_000
ROUNDS = 300
RIDGE = 1e-3
REWEIGHTED, SETTLED, NEAR = 20, 1e-3, 1e-2


@dataclass(frozen=True)
class Evidence:
    """The members' standing on some units.

    Attributes:
        kind: ``class_proba`` or ``real``.
        values: (m, n) L or E.
        weight: (n,) u.
        rows: per fold, the positions of the units looked at.
        absolute: do absolute errors count, not squared ones?
    """

    kind: str
    values: FloatArray
    weight: FloatArray
    rows: tuple[IntArray, ...]
    absolute: bool = False

    @classmethod
    def of(
        cls,
        members: Sequence[Sequence[Predictions]],
        truths: Sequence[Truth | None],
        seed: int = 0,
        aim: str = "mean",
    ) -> Evidence:
        """Read it off predictions, for a metric's `aim`. Raises TypeError where kind or truth has no smooth loss."""
        kind = members[0][0].kind
        known = [truth for truth in truths if truth is not None]
        if kind not in ADDITIVE or len(known) < len(truths):
            raise TypeError(f"predictions of kind {kind!r} have no smooth loss, or their truth is unknown")
        rows = _rows([len(truth) for truth in known], seed)
        said = [[fold.as_array() for fold in member] for member in members]
        targets = [target(truth.y, values, kind) for truth, values in zip(known, said[0], strict=True)]
        read = _true_class if kind == ADDITIVE[0] else _error
        values = [[read(v, t, r) for v, t, r in zip(member, targets, rows, strict=True)] for member in said]
        weights = [np.ones(len(r)) if t.weight is None else t.weight[r] for t, r in zip(known, rows, strict=True)]
        u = np.concatenate(weights)
        absolute = kind != ADDITIVE[0] and aim != "mean"
        if absolute and aim == "relative-median":
            u = u / relative_sizes(np.concatenate([t[r] for t, r in zip(targets, rows, strict=True)]))
        u = u / max(u.mean(), 1e-300)
        return cls(kind, np.array([np.concatenate(v) for v in values]), u, tuple(rows), absolute)

    def losses(self) -> FloatArray:
        """(m,) mean smooth loss of each member."""
        if self.kind == ADDITIVE[0]:
            units = -np.log(np.maximum(self.values, TINY))
        else:
            units = np.abs(self.values) if self.absolute else self.values**2
        return np.asarray(units @ self.weight / len(self.weight))

    def weights(self, members: IntArray, prior: float = 1.0) -> FloatArray:
        """Weights of these members that make the best mean; most are 0 when there are many members.

        The larger the prior, in units of `mixture_weights`, the closer they are to equal ones.
        """
        if len(members) == 1:
            return np.ones(1)
        if self.kind == ADDITIVE[0]:
            return mixture_weights(np.maximum(self.values[members], TINY), self.weight, prior)
        weigh = absolute_weights if self.absolute else error_weights
        return weigh(self.values[members], self.weight, RIDGE * prior)


def mixture_weights(L: FloatArray, u: FloatArray, prior: float = 1.0) -> FloatArray:
    """Maximum a posteriori weights of a mixture by expectation maximisation, from equal weights.

    The prior is worth so many units, spread evenly over the members.
    """
    m = len(L)
    w = np.full(m, 1 / m)
    for _ in range(ROUNDS):
        new = w * (L @ (u / (w @ L))) + prior / m
        new /= new.sum()
        moved = float(np.abs(new - w).max())
        w = new
        if moved < 1e-5:
            break
    return w


def error_weights(E: FloatArray, u: FloatArray, ridge: float = RIDGE) -> FloatArray:
    """Weights of the mean with the least squared error, drawn to equal ones by `ridge`, a share of the least error.

    Least w'Gw over weights that sum to 1 has the direction of the least w'Gw + (sum(w) - 1)^2 over all w >= 0.
    """
    from scipy.optimize import nnls

    m = len(E)
    G = (E * u) @ E.T
    scale = float(np.diag(G).min())
    if not scale > 0:
        return np.asarray(np.eye(m)[int(np.argmin(np.diag(G)))])
    root = np.linalg.cholesky(G / scale + ridge * np.eye(m))
    w, _ = nnls(np.vstack([root.T, np.ones(m)]), np.append(np.zeros(m), 1.0))
    return np.asarray(w / w.sum(), dtype=np.float64)


def absolute_weights(E: FloatArray, u: FloatArray, ridge: float = RIDGE) -> FloatArray:
    """Weights of the mean with the least absolute error: least squares, over and over, of errors over their size."""
    w = np.full(len(E), 1 / len(E))
    for _ in range(REWEIGHTED):
        size = np.abs(w @ E)
        found = error_weights(E, u / np.maximum(size, NEAR * max(float(size.mean()), 1e-300)), ridge)
        moved = float(np.abs(found - w).max())
        w = found
        if moved < SETTLED:
            break
    return w


def _rows(sizes: Sequence[int], seed: int) -> list[IntArray]:
    """Positions of at most about `UNITS` units, the same share of every fold."""
    if sum(sizes) <= UNITS:
        return [np.arange(size) for size in sizes]
    rng = np.random.default_rng([abs(seed), 104])
    return [np.sort(rng.choice(n, max(1, round(UNITS * n / sum(sizes))), replace=False)) for n in sizes]


def target(y: object, said: FloatArray, kind: str) -> AnyArray:
    """(u,) the truth `y` as class codes or numbers, for predictions `said`. Raises TypeError for any other truth."""
    values = np.asarray(y)
    codes = kind == ADDITIVE[0]
    fits = values.ndim == 1 and (values.dtype.kind in "iu" if codes else values.dtype.kind in "iuf")
    if not fits or (said.shape[1] != 1 and not codes):
        raise TypeError(f"a truth of shape {values.shape} and type {values.dtype} has no smooth loss for {kind!r}")
    return values.astype(np.int64) if codes else values.astype(np.float64)


def _true_class(values: FloatArray, codes: IntArray, rows: IntArray) -> FloatArray:
    return np.asarray(values[rows, codes[rows]])


def _error(values: FloatArray, y: FloatArray, rows: IntArray) -> FloatArray:
    return np.asarray(values[rows, 0] - y[rows])
