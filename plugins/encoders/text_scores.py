"""Text as what a linear model on its words says about the target, learnt out of fold, beside its leading components."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contract import AnyArray, Feature, FitContext, FloatArray, IntArray, Matrix, Table

from .tfidf import TfIdfSvd

_FOLDS = 5
_FEW_ROWS = 50
_MAX_CLASSES = 30
_STEPS = 60
_TINY = 1e-4
_MOST = 100_000


class TextScores(TfIdfSvd):
    """The components of `TfIdfSvd`, then the scores of a linear model on TF-IDF: a class each, or one number.

    For training rows the scores come from models that have not seen the row, so that what is learnt from them holds for
    new rows. Without a target, with few rows or with very many classes there are no scores. A model learns from so many
    rows that rows x classes are 100,000, drawn at random: more would take longer than all that follows.

    coef: (S, d) and intercept: (S,) of the linear model on all training rows; center_y and scale_y of real targets.
    """

    name = "text-scores"
    default_for = ("matrix", "columns")
    priority = 10
    uses_target = True

    coef: Matrix
    intercept: FloatArray

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Learn terms, components and the linear model; scores of the training rows are out-of-fold."""
        weights = self._reduction(columns, ctx)
        components = self._reduced(weights, columns)
        self.coef, self.intercept = np.zeros((0, len(self.idf)), dtype=np.float32), np.zeros(0)
        self.classifies = ctx.kind == "class_proba"
        if y is None or len(y) < _FEW_ROWS or ctx.n_outputs > _MAX_CLASSES or not len(self.idf):
            return components
        sparse = weights.csr()
        target = y if self.classifies else (y - y.mean()) / (float(y.std()) or 1.0)
        scores = np.zeros((len(y), 1 if ctx.n_outputs <= 2 else ctx.n_outputs))
        parts = ctx.parts(len(y), _FOLDS)
        if self.classifies and _some_rest_lacks_a_class(parts, y):  # its rows would be told by scores of their own
            parts = replace(ctx, groups=None).parts(len(y), _FOLDS)
        for part in range(_FOLDS):
            held = parts == part
            coef, intercept = self._linear(sparse[~held], target[~held], ctx.n_outputs)
            scores[held] = _scored(sparse[held] @ coef.T, intercept)
        coef, self.intercept = self._linear(sparse, target, ctx.n_outputs)
        self.coef = coef.astype(np.float32)
        return np.concatenate([components, scores], axis=1).astype(np.float32)

    def transform(self, columns: Table) -> Matrix:
        """(n, components + lengths + scores) float32."""
        weights = self._weights(columns)
        components = self._reduced(weights, columns)
        if not len(self.coef):
            return components
        scores = _scored(weights.times(self.coef.T), self.intercept)
        return np.concatenate([components, scores], axis=1).astype(np.float32)

    def describe(self, columns: Table) -> list[Feature]:
        """Components and lengths, then the scores."""
        found = super().describe(columns)
        if not len(self.coef):
            return found
        about = found[0].column if len(self.components) else columns.columns[0].label
        name = "what its words say" if len(self.coef) == 1 else "what its words say for class {}"
        of_none = _scored(np.zeros((1, len(self.coef))), self.intercept)[0].tolist()
        return found + [Feature(about, part=name.format(k), missing=value) for k, value in enumerate(of_none)]

    def _linear(self, sparse: Any, y: AnyArray, n_outputs: int) -> tuple[FloatArray, FloatArray]:
        """(S, d) coefficients and (S,) intercepts, S = 1 for two classes and for numbers."""
        from sklearn.linear_model import LogisticRegression, Ridge

        if not self.classifies:
            model = Ridge(alpha=1.0, solver="lsqr").fit(sparse, y)
            return np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
        rows = 1 if n_outputs <= 2 else n_outputs
        coef, intercept = np.zeros((rows, sparse.shape[1])), np.full(rows, np.log(_TINY))
        if len(y) * rows > _MOST:
            few = np.sort(np.random.default_rng(0).choice(len(y), _MOST // rows, replace=False))
            sparse, y = sparse[few], y[few]
        classes = np.unique(y)
        if len(classes) < 2:
            return coef, intercept
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # stopping before the optimum is meant
            model = LogisticRegression(C=1.0, max_iter=_STEPS).fit(sparse, y)
        if rows == 1 or len(classes) > 2:
            seen = [0] if rows == 1 else classes
            coef[seen], intercept[seen] = model.coef_, model.intercept_
        else:
            coef[classes], intercept[classes] = np.vstack([-model.coef_, model.coef_]) / 2, 0.0
        return coef, intercept


def _some_rest_lacks_a_class(parts: IntArray, y: AnyArray) -> bool:
    """Is a class only in rows of one part?"""
    return any(len(np.unique(parts[y == code])) < 2 for code in np.unique(y))


def _scored(products: AnyArray, intercept: FloatArray) -> FloatArray:
    """(n, S) linear scores; for several classes the logarithms of probabilities."""
    scores = np.asarray(products) + intercept
    if scores.shape[1] > 1:
        scores -= scores.max(axis=1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return np.asarray(np.maximum(scores, -12.0))
