"""The task of predicting a number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.contract import (
    AnyArray,
    Column,
    DataError,
    Example,
    FloatArray,
    FoldPlan,
    IntArray,
    Metric,
    Predictions,
    Problem,
    Request,
    Table,
)

from . import scores
from .rowwise import RowTask, check_weight, feature_names, target_of
from .samples import number_examples
from .splits import quantile_strata

_BEYOND, _BEYOND_ROWS = 0.05, 50


class Regression(RowTask):
    """One real number per row. Facts: ``low``, ``high`` and ``target_skew`` of the target, and ``rows`` learnt from."""

    name = "regression"
    produces = "real"
    aliases = {
        "neg_root_mean_squared_error": "rmse",
        "root_mean_squared_error": "rmse",
        "neg_mean_squared_error": "mse",
        "mean_squared_error": "mse",
        "neg_mean_absolute_error": "mae",
        "mean_absolute_error": "mae",
        "neg_mean_absolute_percentage_error": "mape",
        "mean_absolute_percentage_error": "mape",
        "neg_median_absolute_error": "median_absolute_error",
    }

    def claims(self, table: Table, roles: Mapping[str, Any]) -> float:
        if "target" not in roles or table[roles["target"]].kind != "numeric":
            return 0.0
        values = table[roles["target"]].values
        return 0.5 if len(np.unique(values)) > 2 else 0.05

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        column = target_of(table, roles)
        check_weight(roles, table)
        if column.kind != "numeric":
            raise DataError(
                "target-not-numeric",
                f"the target holds labels such as {column.levels[:3]!r}",
                repr(column.label),
                'Use task="auto", or turn the target into numbers.',
            )
        values = column.values[rows]
        if float(values.min()) == float(values.max()) and len(values) > 1:
            raise DataError(
                "target-constant", f"the target is always {values[0]!r}", repr(column.label), "Nothing can be learnt."
            )
        low, high = float(values.min()), float(values.max())
        facts = {"low": low, "high": high, "origin": column.origin, "rows": len(values)}
        facts["target_skew"] = _skew(values)
        return Problem(self.name, self.produces, dict(roles), feature_names(table, roles), 1, facts)

    def codes(self, problem: Problem, column: Column) -> AnyArray:
        if column.kind != "numeric":
            raise DataError("target-not-numeric", f"the target is {column.kind}", repr(column.label))
        return np.asarray(column.values, dtype=np.float64)

    def strata(self, problem: Problem, column: Column, plan: FoldPlan) -> IntArray:
        return quantile_strata(self.codes(problem, column), plan)

    def decode(self, problem: Problem, y: AnyArray, values: FloatArray) -> tuple[Any, Any]:
        return y, values[:, 0]

    def bounds(self, problem: Problem) -> tuple[float, float]:
        """A little beyond what was seen, more so where few rows were; none for what may grow with time."""
        low, high, rows = (float(problem.facts[name]) for name in ("low", "high", "rows"))
        if "time" in problem.roles:
            return -math.inf, math.inf
        beyond = max(_BEYOND, _BEYOND_ROWS / rows) * (high - low)
        return low - beyond, high + beyond

    def answer(self, problem: Problem, predictions: Predictions, request: Request) -> Any:
        return predictions.as_array()[:, 0]

    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        metrics = [
            scores.mean_metric("rmse", scores.squared_units, finish="sqrt"),
            scores.mean_metric("mse", scores.squared_units),
            scores.mean_metric("mae", scores.absolute_units, aim="median"),
            scores.ArrayMetric("r2", r2, bounds=(-math.inf, 1.0)),
            scores.mean_metric("mape", scores.percentage_units, aim="relative-median"),
            scores.ArrayMetric(
                "median_absolute_error", median_error, greater_is_better=False, aim="median", bounds=(0.0, math.inf)
            ),
        ]
        return {metric.name: metric for metric in metrics}

    def examples(self) -> Sequence[Example]:
        return number_examples()


def _skew(values: AnyArray) -> float:
    """Third standardised moment; 0 for values that do not vary."""
    around = values - values.mean()
    spread = float(np.sqrt(np.mean(around**2)))
    return float(np.mean((around / spread) ** 3)) if spread > 0 and np.isfinite(spread) else 0.0


def r2(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
    """Share of the variance explained; NaN when the target does not vary."""
    spread = float(np.sum(w * (y - np.average(y, weights=w)) ** 2))
    return 1.0 - float(np.sum(w * (y - p[:, 0]) ** 2)) / spread if spread > 0 else float("nan")


def median_error(y: AnyArray, p: FloatArray, w: FloatArray) -> float:
    """Median absolute error: of equal weights the mean of the middle two, as scikit-learn has it."""
    errors = np.abs(y - p[:, 0])
    order = np.argsort(errors, kind="stable")
    reached = np.cumsum(w[order])
    half = reached[-1] / 2
    low, high = (int(np.searchsorted(reached, half, side=side)) for side in ("left", "right"))
    return float(errors[order[[low, min(high, len(order) - 1)]]].mean())
