"""The linear baseline: logistic or ridge regression, kept as two arrays.

symbol    meaning
coef      (S, d), or (1, d) for two classes and for real targets
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from automl.contract import AnyArray, Batch, Estimate, Facts, Feature, FitContext, FitInfo, Formula

from .base import RowModel, two_columns
from .watch import Watch

_STEPS, _ROUNDS = 40, 8
_TOLERANCE = 1e-4
_EXACT_SECONDS, _HURRIED_STEPS = 5e-10, 10


class Linear(RowModel):
    """L2-penalised linear model on one-hot, target-mean and scaled columns; text comes as sparse TF-IDF."""

    name = "linear-baseline"
    view = "matrix"
    encoders = ("one-hot", "target-mean", "scaled-numeric", "datetime-parts", "tf-idf")
    requires = ("sklearn",)
    handles_weight = True
    sparse = True
    baseline = True
    readable = True
    truncatable = True
    seeded = False

    coef: AnyArray
    intercept: AnyArray

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Minimise the penalised loss; `l2` is ridge's alpha and the inverse of logistic regression's C."""
        model = self._logistic(train, ctx) if self.classifies else self._ridge(train, ctx)
        self.coef = np.atleast_2d(model.coef_).astype(np.float64)
        self.intercept = np.atleast_1d(model.intercept_).astype(np.float64)
        return None

    def raw(self, X: Any) -> AnyArray:
        """Dot product and link."""
        scores = np.asarray(X @ self.coef.T) + self.intercept
        if not self.classifies:
            return np.asarray(scores[:, 0])
        if scores.shape[1] == 1:
            return two_columns(1.0 / (1.0 + np.exp(-np.clip(scores[:, 0], -500.0, 500.0))))
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))

    def told(self, features: Sequence[Feature]) -> Formula:
        """A coefficient per column or level, in the caller's units."""
        if not self.classifies:
            formula = Formula.linear(features, self.coef * self.scale, self.intercept * self.scale + self.center)
            return self.unlogged(formula)
        link: Literal["logistic", "softmax"] = "logistic" if len(self.coef) == 1 else "softmax"
        return Formula.linear(features, self.coef, self.intercept, link, self.seen.tolist())

    def _logistic(self, train: Batch, ctx: FitContext) -> Any:
        """Rounds of L-BFGS, each starting where the last ended, so that the clock can be asked in between."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=1.0 / self.params["l2"], max_iter=_STEPS, tol=_TOLERANCE, warm_start=True)
        watch = Watch(ctx)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for step in range(1, _ROUNDS + 1):
                model.fit(train.X, train.y, train.weight)
                if watch.ends(step) or int(np.max(model.n_iter_)) < _STEPS:
                    break
        return model

    def _ridge(self, train: Batch, ctx: FitContext) -> Any:
        """The exact solution, or a few steps towards it when there is no time for that."""
        from sklearn.linear_model import Ridge

        (n, d), sparse = train.X.shape, hasattr(train.X, "tocsr")
        hurry = not sparse and ctx.time_left() < _EXACT_SECONDS * n * d * min(n, d)
        solver: dict[str, Any] = {"solver": "lsqr", "max_iter": _HURRIED_STEPS} if hurry else {}
        return Ridge(alpha=self.params["l2"], tol=_TOLERANCE, **solver).fit(train.X, train.y, train.weight)

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """L-BFGS is some hundred passes over the matrix; one-hot makes it about thrice as wide as the table."""
        cells = facts.n_rows * (facts.n_features + 5 * facts.n_categories + 1)
        outputs = max(1, facts.n_outputs - 1) if facts.kind == "class_proba" else 1
        return Estimate(seconds=0.02 + 1.2e-7 * cells * outputs, memory=16 * cells)
