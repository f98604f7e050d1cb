"""Metrics of row-wise tasks as numpy functions, under scikit-learn's names.

symbol    meaning
y         (u,) true codes 0…K-1 (classes) or values (numbers)
p         (u, K) predictions
w         (u,) weights, all ones when there are none
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from automl.contract import AIMS, AnyArray, FloatArray, Metric, OptionError, Predictions, Request, Truth

_TINY = 1e-15
_LOWER_IS_BETTER = ("_error", "_loss", "_deviance")
_ERRORS = {"rmse", "mse", "mae", "mape", "smape", "wape", "rmsle", "msle", "medae", "logloss"}
_AIMS = {"mae": "median", "medae": "median", "wape": "median", "mape": "relative-median", "smape": "relative-median"}
Figure = Callable[[AnyArray, FloatArray, FloatArray], float]
PerUnit = Callable[[AnyArray, FloatArray], FloatArray]


@dataclass
class ArrayMetric(Metric):
    """A metric of array-like predictions.

    Attributes:
        figure: ``figure(y, p, w)`` in the metric's own direction; NaN where it is undefined.
        units: ``units(y, p)`` contributions whose weighted mean, after `finish`, is the metric; None if there are none.
        finish: "" or "sqrt": what turns the mean into the metric.
        aim, bounds: as in `Metric`.
    """

    name: str
    figure: Figure
    greater_is_better: bool = True
    decides: str = "values"
    units: PerUnit | None = None
    finish: str = ""
    aim: str = "mean"
    bounds: tuple[float, float] = (0.0, 1.0)

    def __call__(self, truth: Truth | None, predictions: Predictions, request: Request) -> float:
        if truth is None:
            raise ValueError(f"metric {self.name!r} needs the truth")
        weight = np.ones(len(truth)) if truth.weight is None else truth.weight
        if not weight.any():
            return float("nan")
        return float(self.figure(truth.y, predictions.as_array(), weight))

    def per_unit(self, truth: Truth | None, predictions: Predictions, request: Request) -> FloatArray | None:
        if self.units is None or truth is None or truth.weight is not None:
            return None
        return self.units(truth.y, predictions.as_array())

    def aggregate(self, values: Sequence[float], sizes: Sequence[float]) -> float:
        if self.finish == "sqrt":
            return float(np.sqrt(super().aggregate([value**2 for value in values], sizes)))
        return super().aggregate(values, sizes)


def mean_metric(
    name: str,
    units: PerUnit,
    greater: bool = False,
    finish: str = "",
    decides: str = "values",
    aim: str = "mean",
) -> Metric:
    """A metric that is the weighted mean of per-unit contributions."""

    def figure(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
        mean = float(np.average(units(y, p), weights=w))
        return float(np.sqrt(mean)) if finish == "sqrt" else mean

    return ArrayMetric(name, figure, greater, decides, units, finish, aim, (0.0, math.inf))


def log_loss_units(y: AnyArray, p: FloatArray) -> FloatArray:
    """(u,) negative log probability of the true class."""
    return -np.log(np.clip(p[np.arange(len(y)), y], _TINY, 1.0))


def brier_units(y: AnyArray, p: FloatArray) -> FloatArray:
    """(u,) squared distance of the probabilities to the truth, halved for two classes."""
    hit = np.zeros_like(p)
    hit[np.arange(len(y)), y] = 1.0
    return np.asarray(((p - hit) ** 2).sum(axis=1) / (2.0 if p.shape[1] == 2 else 1.0))


def squared_units(y: AnyArray, p: FloatArray) -> FloatArray:
    """(u,) squared errors."""
    return np.asarray((y - p[:, 0]) ** 2)


def absolute_units(y: AnyArray, p: FloatArray) -> FloatArray:
    """(u,) absolute errors."""
    return np.asarray(np.abs(y - p[:, 0]))


def percentage_units(y: AnyArray, p: FloatArray) -> FloatArray:
    """(u,) absolute errors relative to the true value, as scikit-learn defines them."""
    return np.asarray(np.abs(y - p[:, 0]) / np.maximum(np.abs(y), np.finfo(np.float64).eps))


def roc_auc(y: AnyArray, s: FloatArray, w: FloatArray) -> float:
    """Area under the ROC curve of scores `s` for boolean `y`, ties counted half; NaN with one class."""
    order = np.argsort(s, kind="stable")
    y, s, w = y[order], s[order], w[order]
    ends = np.flatnonzero(np.append(s[1:] != s[:-1], True))
    positive = np.cumsum(np.where(y, w, 0.0))[ends]
    negative = np.cumsum(np.where(y, 0.0, w))[ends]
    if positive[-1] <= 0 or negative[-1] <= 0:
        return float("nan")
    steps = np.diff(positive, prepend=0.0)
    below = negative - np.diff(negative, prepend=0.0) / 2
    return float((steps * below).sum() / (positive[-1] * negative[-1]))


def average_precision(y: AnyArray, s: FloatArray, w: FloatArray) -> float:
    """Area under the precision-recall steps of scores `s` for boolean `y`; NaN without a positive."""
    order = np.argsort(-s, kind="stable")
    y, s, w = y[order], s[order], w[order]
    ends = np.flatnonzero(np.append(s[1:] != s[:-1], True))
    hits, seen = np.cumsum(np.where(y, w, 0.0))[ends], np.cumsum(w)[ends]
    if hits[-1] <= 0:
        return float("nan")
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])


def confusion(y: AnyArray, decided: AnyArray, w: FloatArray, n: int) -> FloatArray:
    """(n, n) weights by true class (rows) and decided class (columns)."""
    counts = np.bincount(y * n + decided, weights=w, minlength=n * n)
    return np.asarray(counts, dtype=np.float64).reshape(n, n)


def recalls(table: FloatArray) -> FloatArray:
    """Recall of every class that occurs."""
    totals = table.sum(axis=1)
    present = totals > 0
    return np.asarray(np.diag(table)[present] / totals[present])


def f1_scores(table: FloatArray) -> FloatArray:
    """(n,) F1 of every class, 0 where it is undefined."""
    hits = np.diag(table)
    denominator = table.sum(axis=0) + table.sum(axis=1)
    return np.asarray(np.divide(2 * hits, denominator, out=np.zeros_like(hits), where=denominator > 0))


def f1_macro(table: FloatArray) -> float:
    """Mean F1 of the classes that occur or are decided for, as scikit-learn's ``average="macro"``."""
    present = (table.sum(axis=0) + table.sum(axis=1)) > 0
    return float(f1_scores(table)[present].mean())


def correlation(table: FloatArray) -> float:
    """Matthews' correlation of truth and decision in a (2, 2) table; 0 where one of them does not vary."""
    (a, b), (c, d) = table
    spread = float((a + b) * (c + d) * (a + c) * (b + d))
    return float(a * d - b * c) / float(np.sqrt(spread)) if spread > 0 else 0.0


def ratio(numerator: float, denominator: float) -> float:
    """A share that is 0 where it is undefined, as scikit-learn's ``zero_division=0``."""
    return numerator / denominator if denominator > 0 else 0.0


@dataclass
class CallableMetric(Metric):
    """A user's ``function(y_true, y_pred) -> float``.

    `decode` turns codes and predictions into what the function expects. Lower is better when the function's name ends
    in ``_error``, ``_loss`` or ``_deviance``, as scikit-learn names its own, or one of its words is the usual name of
    an error, such as ``rmse``; an attribute ``greater_is_better`` on the function overrides that, and
    ``needs_proba = True`` says that it takes (u, K) probabilities. Models learn medians for a name that speaks of
    absolute errors, as ``mean_absolute_error``, ``mean_absolute_percentage_error`` and ``mae`` do; an attribute ``aim``
    overrides that (`Metric.aim`). Where rows have weights, a function with a parameter ``sample_weight``, as
    scikit-learn's have, is given them.
    """

    function: Callable[..., float]
    decode: Callable[[Any, FloatArray], tuple[Any, Any]]

    def __post_init__(self) -> None:
        inner = getattr(self.function, "func", self.function)  # of a functools.partial
        name = str(getattr(inner, "__name__", type(inner).__name__))
        self.name = f"function {name}"
        words = name.lower().split("_")
        lower = name.endswith(_LOWER_IS_BETTER) or (words[0] != "neg" and not _ERRORS.isdisjoint(words))
        self.greater_is_better = bool(getattr(self.function, "greater_is_better", not lower))
        self.aim = getattr(self.function, "aim", _aim_of(name.lower()))
        if self.aim not in AIMS:
            raise OptionError(f"the metric's attribute aim is {self.aim!r}; choose one of {list(AIMS)}")

    def __call__(self, truth: Truth | None, predictions: Predictions, request: Request) -> float:
        if truth is None:
            raise ValueError(f"metric {self.name!r} needs the truth")
        expected, given = self.decode(truth.y, predictions.as_array())
        if truth.weight is None or not self._takes_weights:
            return float(self.function(expected, given))
        return float(self.function(expected, given, sample_weight=truth.weight)) if truth.weight.any() else float("nan")

    @cached_property
    def _takes_weights(self) -> bool:
        try:
            return "sample_weight" in inspect.signature(self.function).parameters
        except (TypeError, ValueError):  # of a callable that does not tell
            return False


def _aim_of(name: str) -> str:
    """What a metric function of this name wants of numbers."""
    if "absolute_percentage_error" in name:
        return "relative-median"
    if "absolute_error" in name:
        return "median"
    return next((_AIMS[word] for word in name.split("_") if word in _AIMS), "mean")
