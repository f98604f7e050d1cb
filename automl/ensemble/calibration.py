"""The last touch to an answer: probabilities made as sure as they ought to be, numbers put on the right line.

kind          what is learnt           drawn to               then
class_proba   T: p^(1/T), normalised   T = 1                  no class gets less than `FLOOR`
real          p -> c + b (p - a)       b = 1, c = a           cut to the bounds that the task gives

symbol    meaning
p         (n, K) predictions
y         (n,) class codes or numbers
u         (n,) weights of the units
t         log T
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from automl.contract import ADDITIVE, AnyArray, ArrayPredictions, FloatArray, Predictions
from automl.ensemble.evidence import TINY

FLOOR = 1e-5
HEAT_PRIOR = 5.0
LINE_PRIOR = 20.0
STEPS = 12
FARTHEST = 1.2
CELLS = 200_000


@dataclass(frozen=True)
class Calibration:
    """A map from an answer to a better one of the same kind; as it comes it changes nothing.

    Attributes:
        temperature: above 1 makes probabilities less sure.
        floor: least probability of a class, before the others give way.
        slope, middle, level: the line that numbers are put on: ``level + slope * (p - middle)``.
        low, high: bounds of numbers.
    """

    temperature: float = 1.0
    floor: float = 0.0
    slope: float = 1.0
    middle: float = 0.0
    level: float = 0.0
    low: float = -math.inf
    high: float = math.inf

    def apply(self, predictions: Predictions) -> Predictions:
        """The answer, calibrated. Other kinds, and numbers with several outputs, stay as they are."""
        if predictions.kind not in ADDITIVE:
            return predictions
        values = predictions.as_array()
        if predictions.kind == ADDITIVE[0]:
            return ArrayPredictions(predictions.kind, self._heated(values))
        if values.shape[1] != 1:
            return predictions
        moved = self.level + self.slope * (values - self.middle)
        return ArrayPredictions(predictions.kind, np.clip(moved, self.low, self.high))

    def state(self) -> Mapping[str, float]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Calibration:
        """The calibration that `state` came from."""
        return cls(**state)

    def _heated(self, p: FloatArray) -> FloatArray:
        if self.temperature != 1.0:
            z = np.log(np.maximum(p, TINY)) / self.temperature
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p = p / p.sum(axis=1, keepdims=True)
        return p if self.floor == 0.0 else (1 - p.shape[1] * self.floor) * p + self.floor


def temperature(p: FloatArray, y: AnyArray, u: FloatArray) -> float:
    """The T of the least log loss, as if `HEAT_PRIOR` units' worth of squared log T spoke for 1; by Newton's method."""
    step = max(1, p.size // CELLS)
    z, y, u = np.log(np.maximum(p[::step], TINY)), y[::step], u[::step]
    true, t = z[np.arange(len(z)), y], 0.0
    for _ in range(STEPS):
        b = math.exp(-t)
        q = np.exp(b * (z - z.max(axis=1, keepdims=True)))
        q /= q.sum(axis=1, keepdims=True)
        mean = (q * z).sum(axis=1)
        slope = -b * float(u @ (mean - true)) + 2 * HEAT_PRIOR * t / step
        curve = b * b * float(u @ ((q * z * z).sum(axis=1) - mean**2)) + 2 * HEAT_PRIOR / step
        moved = float(np.clip(t - slope / curve, -FARTHEST, FARTHEST))
        if abs(moved - t) < 1e-6:
            break
        t = moved
    return math.exp(t)


def line(p: FloatArray, y: FloatArray, u: FloatArray) -> tuple[float, float, float]:
    """(slope, middle, level) of the least squares, as if `LINE_PRIOR` more units lay where the line changes nothing."""
    n = float(u.sum())
    if not n > 0:
        return 1.0, 0.0, 0.0
    middle, centre = float(u @ p) / n, float(u @ y) / n
    spread = float(u @ (y - centre) ** 2) / n
    if not spread > 0:
        return 1.0, 0.0, 0.0
    away = p - middle
    slope = (float((u * away) @ (y - centre)) / spread + LINE_PRIOR) / (float((u * away) @ away) / spread + LINE_PRIOR)
    return slope, middle, middle + (centre - middle) * n / (n + LINE_PRIOR)
