"""Whether an answer is better calibrated: learnt and judged on cross-fitted predictions, each part by the others.

symbol    meaning
N         units of all folds
p, y, u   (N, K) predictions, (N,) truths and weights of the units
part      (N,) the part in which a unit is held out
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from automl.contract import ADDITIVE, AnyArray, ArrayPredictions, FloatArray, IntArray, Predictions
from automl.ensemble.calibration import FLOOR, Calibration, line, temperature
from automl.ensemble.evidence import TINY, target
from automl.ensemble.parts import Part
from automl.ensemble.scoring import Scorer

GATES = {"class_proba": 0.5, "real": 0.0}
LEAST_UNITS = 100


@dataclass(frozen=True)
class _Answer:
    """A cross-fitted answer with its truth; see the module's table."""

    kind: str
    p: FloatArray
    y: AnyArray
    u: FloatArray
    part: IntArray

    def learnt(self, rows: AnyArray) -> Calibration:
        """From some units."""
        p, y, u = self.p[rows], self.y[rows], self.u[rows]
        if self.kind == ADDITIVE[0]:
            return Calibration(temperature=temperature(p, y, u))
        slope, middle, level = line(p[:, 0], y, u)
        return Calibration(slope=slope, middle=middle, level=level)

    def losses(self, p: FloatArray) -> FloatArray:
        """(N,) smooth losses of predictions of these units."""
        if self.kind == ADDITIVE[0]:
            return np.asarray(-np.log(np.maximum(p[np.arange(len(p)), self.y], TINY)) * self.u)
        return np.asarray((p[:, 0] - self.y) ** 2 * self.u)


def calibrated(
    folds: tuple[Predictions, ...],
    parts: Sequence[Part],
    scorer: Scorer,
    bounds: tuple[float, float],
    learn: bool = True,
) -> tuple[Calibration | None, tuple[Predictions, ...]]:
    """A calibration of this answer, and the answer by calibrations that its own units had no say in.

    It moves anything only if that lowers the smooth loss surely enough and the metric is none the worse. Where log
    loss is the metric no class gets quite nothing, and numbers are cut to the bounds; without `learn`, only this.
    """
    try:
        answer = _answer(folds, parts, scorer)
    except TypeError:
        return None, folds
    chosen, moved = _learnt(answer, folds, scorer) if learn else (Calibration(), folds)
    limits = _limits(answer, scorer, bounds)
    chosen = replace(chosen, **limits)
    if chosen == Calibration():
        return None, folds
    return chosen, tuple(Calibration(**limits).apply(fold) for fold in moved)


def _learnt(
    answer: _Answer, folds: tuple[Predictions, ...], scorer: Scorer
) -> tuple[Calibration, tuple[Predictions, ...]]:
    """A calibration that helps, and the answer calibrated without a say of its own units; nothing where none does."""
    if len(answer.y) < LEAST_UNITS:
        return Calibration(), folds
    crossed = np.zeros_like(answer.p)
    for part in np.unique(answer.part):
        held = answer.part == part
        crossed[held] = answer.learnt(~held).apply(ArrayPredictions(answer.kind, answer.p[held])).as_array()
    gain = answer.losses(answer.p) - answer.losses(crossed)
    better = _split(answer.kind, crossed, scorer.sizes)
    sure = gain.mean() > GATES[answer.kind] * gain.std() / math.sqrt(len(gain)) and gain.any()
    if not sure or not scorer.score(better) >= scorer.score(folds) > -math.inf:
        return Calibration(), folds
    return answer.learnt(np.ones(len(answer.y), dtype=bool)), better


def _limits(answer: _Answer, scorer: Scorer, bounds: tuple[float, float]) -> dict[str, float]:
    """What no answer may go beyond: bounds for numbers, a floor for probabilities that log loss judges."""
    if answer.kind != ADDITIVE[0]:
        return {"low": bounds[0], "high": bounds[1]}
    lifted = Calibration(floor=TINY).apply(ArrayPredictions(answer.kind, answer.p)).as_array()
    losses = _split_array(answer.losses(lifted), scorer.sizes)
    weights = _split_array(answer.u, scorer.sizes)
    for f, fold in enumerate(_split(answer.kind, lifted, scorer.sizes)):
        mean = float(losses[f].sum() / weights[f].sum()) if weights[f].any() else math.nan
        if not math.isclose(scorer.value(f, fold), mean, rel_tol=1e-6, abs_tol=1e-9):
            return {}
    return {"floor": FLOOR}


def _answer(folds: Sequence[Predictions], parts: Sequence[Part], scorer: Scorer) -> _Answer:
    """Raises TypeError where there is no smooth loss."""
    kind, truths = folds[0].kind, [truth for truth in scorer.truths if truth is not None]
    if kind not in ADDITIVE or len(truths) < len(folds) or not parts:
        raise TypeError(f"predictions of kind {kind!r} cannot be calibrated, or their truth is unknown")
    values = [fold.as_array() for fold in folds]
    y = np.concatenate([target(t.y, v, kind) for t, v in zip(truths, values, strict=True)])
    u = np.concatenate([np.ones(len(t)) if t.weight is None else t.weight for t in truths])
    labels = [np.zeros(size, dtype=np.int64) for size in scorer.sizes]
    for number, part in enumerate(parts):
        for fold, rows in part.held.items():
            labels[fold][slice(None) if rows is None else rows] = number
    return _Answer(kind, np.concatenate(values), y, u / max(u.mean(), 1e-300), np.concatenate(labels))


def _split_array(values: FloatArray, sizes: Sequence[int]) -> list[FloatArray]:
    return np.split(values, np.cumsum(sizes)[:-1])


def _split(kind: str, values: FloatArray, sizes: Sequence[int]) -> tuple[Predictions, ...]:
    return tuple(ArrayPredictions(kind, part) for part in _split_array(values, sizes))
