"""AutoML as a scikit-learn classifier and regressor: the same engine, restricted to one prediction kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from automl.api import AutoML
from automl.contract import DataError


class AutoMLClassifier(AutoML, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """`AutoML` for classes: works wherever scikit-learn takes a classifier. `score` is the run's metric."""

    _kinds = ("class_proba",)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, **more: Any) -> Self:  # type: ignore[override]
        """Fit to X and its labels; `more` as in `AutoML.fit`."""
        _require_target(self, y, more)
        with _other_named("AutoMLClassifier learns labels; for numbers use AutoMLRegressor."):
            return super().fit(X, y, sample_weight=sample_weight, **more)

    def predict_proba(self, X: Any, *, model: str | None = None) -> Any:
        """(n, K) array of probabilities in the order of `classes_`, as scikit-learn's scorers want it.

        `AutoML.predict_proba` gives a frame for a frame, its columns named by the classes.
        """
        return np.asarray(super().predict_proba(X, model=model))


class AutoMLRegressor(AutoML, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """`AutoML` for numbers: works wherever scikit-learn takes a regressor. `score` is the run's metric."""

    _kinds = ("real",)

    @property
    def predict_proba(self) -> Any:
        """Not there, so that `hasattr` says so."""
        raise AttributeError(f"{type(self).__name__} has no probabilities; call predict")

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, **more: Any) -> Self:  # type: ignore[override]
        """Fit to X and its targets; `more` as in `AutoML.fit`."""
        _require_target(self, y, more)
        with _other_named("AutoMLRegressor learns numbers; for labels use AutoMLClassifier."):
            return super().fit(X, y, sample_weight=sample_weight, **more)


@contextmanager
def _other_named(fix: str) -> Iterator[None]:
    """A target that is the other estimator's business is refused with that one's name."""
    try:
        yield
    except DataError as error:
        if error.code != "task-none":
            raise
        raise DataError(error.code, error.what, error.where, fix) from None


def _require_target(estimator: AutoML, y: Any, more: dict[str, Any]) -> None:
    if y is None and "target" not in (more.get("roles") or {}):
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
