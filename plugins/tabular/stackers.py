"""Second-layer combiners for rows: what the first answer got wrong, learnt from it, its members and the features.

Both begin at the first answer and are drawn to it, so that they can do little harm where there is nothing to learn.

symbol    meaning
m, n, K   inputs (the first answer and its members); units; outputs
Z         (m, n, K) log probabilities, or (m, n, 1) numbers
w, b      (m,) weights, at least 0; (K,) offsets
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract import (
    AnyArray,
    ArrayPredictions,
    CombineContext,
    Combiner,
    FloatArray,
    IntArray,
    Predictions,
    Problem,
    Request,
    Table,
    Truth,
)

from .base import PROBABILITIES, numbers
from .lightgbm import objective
from .tree_text import TreeSums, TreeText

_TINY = 1e-6
_ENOUGH = 2500
_CELLS = 600_000
_MOST = 20_000
_PULL = 10.0
_STEPS = 60
_CLASSES = 8
_ROUNDS, _PATIENCE, _HELD = 200, 20, 4
_METRICS = ("", "roc_auc", "average_precision", "log_loss", "brier", "rmse", "mse", "mae", "r2")
_BOOSTING: Mapping[str, Any] = {
    "num_leaves": 4,
    "learning_rate": 0.05,
    "min_data_in_leaf": 50,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
}


def stackers(problem: Problem) -> tuple[type[Combiner], ...]:
    """Stackers for metrics that look at values; what they learn says little about decisions or an unknown function."""
    if problem.metric not in _METRICS:
        return ()
    boosted = problem.kind != PROBABILITIES or problem.n_outputs <= _CLASSES
    return (LinearStacker, BoostedStacker) if boosted else (LinearStacker,)


class Stacker(Combiner):
    """What the two share: they ship when better by a standard error on many units, and need all their inputs."""

    layer: ClassVar[int] = 2
    margin: ClassVar[float] = 1.0
    least_units: ClassVar[int] = _ENOUGH
    inputs: int

    def weights(self) -> FloatArray:
        """(m,) equal shares: every input is needed."""
        return np.full(self.inputs, 1 / self.inputs)

    def without(self, keep: Sequence[int]) -> Self:
        """Itself, when nothing is dropped."""
        return self if list(keep) == list(range(self.inputs)) else super().without(keep)


class LinearStacker(Stacker):
    """Numbers: offset + sum of w x. Probabilities: softmax of offsets + sum of w log p. Ridge to the first answer."""

    name: ClassVar[str] = "linear-stack"
    kind: str
    w: FloatArray
    b: FloatArray

    def fit(
        self,
        members: Sequence[Sequence[Predictions]],
        truths: Sequence[Truth | None],
        requests: Sequence[Request],
        ctx: CombineContext,
    ) -> Self:
        """Least loss plus `_PULL` times the squared distance to the first answer, in units' worth."""
        self.inputs, self.kind = len(members), members[0][0].kind
        values = [np.concatenate([fold.as_array() for fold in member]) for member in members]
        y, u = targets(truths)
        step = max(1, len(members) * values[0].size // _CELLS)
        Z = np.stack([_logs(v[::step]) if self.kind == PROBABILITIES else v[::step] for v in values])
        y, u = y[::step], u[::step]
        if self.kind == PROBABILITIES:
            self.w, self.b = _log_linear(Z, y, u, _PULL / step)
        else:
            self.w, self.b = _ridge(Z[:, :, 0], y, u, _PULL / step)
        return self

    def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
        """The stacked answer."""
        used = [int(m) for m in np.flatnonzero(self.w)]
        values = [members[m].as_array() for m in used]
        if self.kind != PROBABILITIES:
            total = self.b + sum(self.w[m] * v for m, v in zip(used, values, strict=True))
            return ArrayPredictions(self.kind, np.broadcast_to(total, (len(members[0]), 1)).copy())
        total = self.b + sum(self.w[m] * _logs(v) for m, v in zip(used, values, strict=True))
        return ArrayPredictions(self.kind, _softmax(np.broadcast_to(total, members[0].as_array().shape)))


class BoostedStacker(Stacker):
    """Few rounds of very small trees that correct the first answer, seeing all inputs and the features."""

    name: ClassVar[str] = "boosted-stack"
    needs_features: ClassVar[bool] = True
    kind: str
    columns: tuple[str, ...]
    rounds: int
    text: str = ""
    _sums: TreeSums | None = None

    def fit(
        self,
        members: Sequence[Sequence[Predictions]],
        truths: Sequence[Truth | None],
        requests: Sequence[Request],
        ctx: CombineContext,
    ) -> Self:
        """Boost on three quarters of the units until the others gain no more, then so many rounds on all."""
        self.inputs, self.kind = len(members), members[0][0].kind
        table = requests[0].X
        self.columns = tuple(c.name for c in table if c.kind in ("numeric", "category", "datetime"))
        outputs = members[0][0].as_array().shape[1]
        X = np.concatenate([self._inputs([m[f] for m in members], request.X) for f, request in enumerate(requests)])
        start = np.concatenate([self._start(fold) for fold in members[0]])
        y, u = targets(truths)
        before = X.shape[1] - len(self.columns)
        categories = [before + i for i, name in enumerate(self.columns) if table[name].kind == "category"]
        lessened = objective(outputs if self.kind == PROBABILITIES else 0, ctx.metric.aim != "mean")
        settings = {**_BOOSTING, "seed": abs(ctx.seed) + 1, **lessened}
        data = _Data(X, y, u, start, categories, ctx.deadline)
        order = np.random.default_rng([abs(ctx.seed), 301]).permutation(len(y))[:_MOST]
        held = len(order) // _HELD
        self.rounds = data.best_rounds(settings, np.sort(order[held:]), np.sort(order[:held]))
        if self.rounds:
            grown = data.boosted(settings, np.sort(order), self.rounds)
            self.text = TreeText.read(grown.model_to_string()).write()
        return self

    def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
        """The corrected answer; `request.X` is the table of the features."""
        if not self.rounds:
            return members[0]
        start, raw = self._start(members[0]), self.sums()(self._inputs(members, request.X))
        moved = start + raw.reshape(start.shape)
        if self.kind != PROBABILITIES:
            return ArrayPredictions(self.kind, moved[:, None])
        if moved.ndim == 1:
            moved = np.column_stack([np.zeros(len(moved)), moved])
        return ArrayPredictions(self.kind, _softmax(moved))

    def sums(self) -> TreeSums:
        """The trees, read from their text once."""
        if self._sums is None:
            self._sums = TreeSums([TreeText.load(self.text)])
        return self._sums

    def state(self) -> Mapping[str, Any]:
        """Everything but the trees as LightGBM holds them: their text is enough."""
        return {name: value for name, value in vars(self).items() if name != "_sums"}

    def _start(self, answer: Predictions) -> FloatArray:
        """(n,) or (n, K) raw scores of the first answer."""
        p = answer.as_array()
        if self.kind != PROBABILITIES:
            return p[:, 0]
        logs = _logs(p)
        return logs[:, 1] - logs[:, 0] if p.shape[1] == 2 else logs

    def _inputs(self, members: Sequence[Predictions], table: Table) -> AnyArray:
        """(n, …) float32: what the members say, then the features."""
        said = [self._start(member).reshape(len(member), -1) for member in members]
        joined = np.concatenate([*said, numbers(table.select(self.columns))], axis=1, dtype=np.float32)
        return np.ascontiguousarray(joined)


class _Data:
    """Units for boosting from a start. `categories` are positions of columns; past the deadline there is no booster."""

    def __init__(
        self, X: AnyArray, y: AnyArray, u: FloatArray, start: FloatArray, categories: list[int], deadline: float
    ) -> None:
        self.X, self.y, self.u, self.start = X, y, u, start
        self.categories, self.deadline = categories, deadline

    def best_rounds(self, settings: Mapping[str, Any], rows: IntArray, held: IntArray) -> int:
        """Rounds on `rows` with the least loss of the `held` ones; 0 when none is better than the start."""
        import lightgbm

        data = self._dataset(settings, rows)
        stop = lightgbm.early_stopping(_PATIENCE, verbose=False)
        valid = [self._dataset(settings, held, data)]
        booster = lightgbm.train(dict(settings), data, _ROUNDS, valid_sets=valid, callbacks=[stop, self._on_time])
        after = min(booster.best_score["valid_0"].values())
        return int(booster.best_iteration) if after < self._loss_before(settings, held) else 0

    def _loss_before(self, settings: Mapping[str, Any], rows: IntArray) -> float:
        """The start's own loss, as LightGBM reckons it."""
        start, y, u = self.start[rows], self.y[rows], self.u[rows]
        if y.dtype.kind == "f":
            wrong = start - y
            return float(np.average(np.abs(wrong) if settings["objective"] == "l1" else wrong**2, weights=u))
        scores = np.column_stack([np.zeros(len(y)), start]) if start.ndim == 1 else start
        return float(np.average(-np.log(np.maximum(_softmax(scores)[np.arange(len(y)), y], 1e-15)), weights=u))

    def boosted(self, settings: Mapping[str, Any], rows: IntArray, rounds: int) -> Any:
        """A booster after so many rounds."""
        import lightgbm

        return lightgbm.train(dict(settings), self._dataset(settings, rows), rounds, callbacks=[self._on_time])

    def _on_time(self, env: Any) -> None:
        """After every round. Raises TimeoutError past the deadline."""
        if time.monotonic() > self.deadline:
            raise TimeoutError("boosting took longer than there is time for")

    def _dataset(self, settings: Mapping[str, Any], rows: IntArray, reference: Any = None) -> Any:
        import lightgbm

        return lightgbm.Dataset(
            self.X[rows],
            self.y[rows],
            reference=reference,
            weight=self.u[rows],
            init_score=self.start[rows].ravel(order="F"),
            categorical_feature=self.categories,
            params=dict(settings),
            free_raw_data=False,
        )


def targets(truths: Sequence[Truth | None]) -> tuple[AnyArray, FloatArray]:
    """(n,) codes or values of all folds, and weights with mean 1. Raises TypeError where a fold has no truth."""
    known = [truth for truth in truths if truth is not None]
    if len(known) < len(truths):
        raise TypeError("a stacker learns from truths, and a fold has none")
    u = np.concatenate([np.ones(len(t)) if t.weight is None else t.weight for t in known])
    return np.concatenate([np.asarray(t.y) for t in known]), u / max(u.mean(), 1e-300)


def _logs(p: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(p, _TINY)))


def _softmax(scores: FloatArray) -> FloatArray:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _first(m: int) -> FloatArray:
    """(m,) the weights that leave the first answer as it is."""
    return np.asarray(np.eye(m)[0])


def _log_linear(Z: FloatArray, y: AnyArray, u: FloatArray, pull: float) -> tuple[FloatArray, FloatArray]:
    """w and b of the least log loss."""
    from scipy.optimize import minimize

    m, n, K = Z.shape
    hit = np.zeros((n, K))
    hit[np.arange(n), y] = 1.0
    begin = np.append(_first(m), np.zeros(K))

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        q = _softmax(np.tensordot(x[:m], Z, 1) + x[m:])
        away = x - begin
        residual = (q - hit) * u[:, None]
        value = -float(u @ np.log(np.maximum(q[np.arange(n), y], 1e-300))) + pull * float(away @ away)
        slope = np.append(np.tensordot(Z, residual, 2), residual.sum(axis=0)) + 2 * pull * away
        return value, slope

    bounds = [(0.0, None)] * m + [(None, None)] * K
    x = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS}).x
    return x[:m], x[m:]


def _ridge(Z: FloatArray, y: AnyArray, u: FloatArray, pull: float) -> tuple[FloatArray, FloatArray]:
    """w and b of the least squared error."""
    from scipy.optimize import nnls

    n = float(u.sum())
    middle, centre = Z @ u / n, float(u @ y) / n
    spread = max(float(u @ (y - centre) ** 2) / n, 1e-300)
    away = Z - middle[:, None]
    G = (away * u) @ away.T / spread + pull * np.eye(len(Z))
    c = (away * u) @ (y - centre) / spread + pull * _first(len(Z))
    root = np.linalg.cholesky(G + 1e-9 * np.trace(G) * np.eye(len(Z)))
    w, _ = nnls(root.T, np.linalg.solve(root, c))
    return np.asarray(w), np.array([centre - float(w @ middle)])
