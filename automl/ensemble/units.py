"""What a metric says unit by unit, and how its value follows from their mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from automl.contract import FloatArray, Metric, Predictions, Request, Truth


def unit_values(
    metric: Metric, truths: Sequence[Truth | None], requests: Sequence[Request], predictions: Sequence[Predictions]
) -> list[FloatArray] | None:
    """Per fold (u,) contributions in the metric's own direction; None when it has none or they are not finite."""
    out = []
    for truth, request, fold in zip(truths, requests, predictions, strict=True):
        try:
            values = metric.per_unit(truth, fold, request)
        except Exception:
            return None
        if values is None or len(values) != len(request) or not np.all(np.isfinite(values)):
            return None
        out.append(np.asarray(values, dtype=np.float64))
    return out


@dataclass(frozen=True)
class Curve:
    """The metric's value as a function of the mean over units, and its slope."""

    value: Callable[[FloatArray], FloatArray]
    slope: Callable[[float], float]

    @classmethod
    def through(cls, means: Sequence[float], values: Sequence[float]) -> Curve:
        """The mean itself, its square root, or else the straight line through the points seen."""
        m, v = np.asarray(means, dtype=np.float64), np.asarray(values, dtype=np.float64)
        if np.allclose(m, v, rtol=1e-6, atol=1e-12):
            return cls(lambda x: x, lambda x: 1.0)
        if np.all(m >= 0) and np.allclose(np.sqrt(m), v, rtol=1e-6, atol=1e-12):
            return cls(lambda x: np.sqrt(np.maximum(x, 0.0)), lambda x: 0.5 / math.sqrt(max(x, 1e-300)))
        centred = m - m.mean()
        spread = float(centred @ centred)
        slope = float(centred @ v) / spread if spread > 1e-18 * max(1.0, float(m @ m)) else 1.0
        middle, level = float(m.mean()), float(v.mean())
        return cls(lambda x: level + slope * (x - middle), lambda x: slope)


def paired_error(
    metric: Metric,
    truths: Sequence[Truth | None],
    requests: Sequence[Request],
    first: Sequence[Predictions],
    second: Sequence[Predictions],
) -> float | None:
    """Standard error of the difference of two scores on the same units; None when the metric is no mean over units."""
    a = unit_values(metric, truths, requests, first)
    b = unit_values(metric, truths, requests, second)
    if a is None or b is None:
        return None
    points = [
        (float(units.mean()), float(metric(truth, fold, request)))
        for side, values in ((first, a), (second, b))
        for truth, request, fold, units in zip(truths, requests, side, values, strict=True)
    ]
    curve = Curve.through([m for m, _ in points], [v for _, v in points])
    left, right = np.concatenate(a), np.concatenate(b)
    middle = float(np.concatenate([left, right]).mean())
    if len(left) < 2:
        return None
    return abs(curve.slope(middle)) * float(np.std(left - right, ddof=1)) / math.sqrt(len(left))


def spread_error(differences: Sequence[float], sizes: Sequence[float]) -> float:
    """Standard error of a size-weighted mean of differences, from their spread; NaN for fewer than two."""
    d, w = np.asarray(differences, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    w = w[np.isfinite(d)]
    d = d[np.isfinite(d)]
    if len(d) < 2:
        return math.nan
    w = w / w.sum()
    return float(np.sqrt(np.sum(w**2 * (d - w @ d) ** 2) * len(d) / (len(d) - 1)))
