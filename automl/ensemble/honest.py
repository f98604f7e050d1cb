"""The interval that the score on new data will fall in, as far as the honest predictions can tell.

symbol    meaning
N         units with honest predictions
n         new units
m         n N / (n + N): a resample of m units varies as much as the score of n new units around an estimate from N
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from automl.contract import AnyArray, FloatArray, Metric, Predictions, Request, Truth
from automl.ensemble.scoring import Scorer, take
from automl.ensemble.units import Curve, unit_values

DRAWS = 1000
RESAMPLE = 1000
CALLS, OFTEN = 200, 100
LEAST_SPREAD = 0.5
OTHER_MODELS = 1.25
UNITS = 20_000


def score_interval(
    predictions: Sequence[Predictions],
    truths: Sequence[Truth | None],
    requests: Sequence[Request],
    metric: Metric,
    n: int,
    level: float = 0.9,
    *,
    optimism: float = 0.0,
    groups: Sequence[AnyArray] | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """Where the score (higher is better) on `n` new units will lie with probability `level`.

    Args:
        predictions: per fold, honest: as in ``Blend.fold_predictions``.
        truths: per fold, aligned with them.
        requests: per fold, aligned with them.
        metric: the figure of merit.
        n: number of new units, at least 1.
        level: between 0 and 1.
        optimism: how much too good the score may be because of choices made with the same units, for example
            ``Blend.optimism`` or `selection_optimism`; the lower end is moved down by it.
        groups: per fold, (u,) numbers of the groups that the units belong to, where there are any: units of one group
            err alike, so that few groups of many units tell little. New units are thought to come in such groups too.
        seed: for the resamples.

    Returns (low, high) with low <= high, within the metric's bounds: all of them when it cannot be computed often
    enough to tell, as an area under a curve on a single unit.
    """
    worst, best = sorted(metric.signed(bound) for bound in metric.bounds)
    scorer = Scorer(truths, requests, metric)
    values = scorer.table([predictions])[0]
    centre = scorer.total(values)
    folds = scorer.usable
    units_seen = sum(scorer.sizes[f] for f in folds)
    if not folds or not math.isfinite(centre) or units_seen < 2:
        return worst, best
    rng = np.random.default_rng([abs(seed), 103])
    size = max(1.0, n * units_seen / (n + units_seen))
    chosen = [[side[f] for f in folds] for side in (predictions, truths, requests)]
    units = unit_values(metric, chosen[1], chosen[2], chosen[0])  # type: ignore[arg-type]
    if units is not None:
        draws = _from_units(units, values[list(folds)], metric, n, rng)
        if groups is not None:
            draws = _wider(draws, alike(np.concatenate(units), np.concatenate([groups[f] for f in folds])))
    else:
        draws = _from_resamples(scorer, predictions, values, size, rng, groups)
    if len(draws) < OFTEN:
        return worst, best
    if groups is not None:
        units_seen = len(np.unique(np.concatenate([groups[f] for f in folds])))
    low, high = _ends(draws, centre, level, units_seen, max(0.0, optimism))
    return max(worst, low), min(best, high)


def selection_optimism(fold_scores: FloatArray, sizes: Sequence[float] | FloatArray) -> float:
    """How much too good the best of many candidates looks, after Tibshirani and Tibshirani.

    Args:
        fold_scores: (n_candidates, n_folds), higher is better; folds that none has are left out, and then rows that
            miss one.
        sizes: units of each fold.

    Returns the mean over folds of what the fold's own winner gains there over the winner overall; 0 for one fold.
    """
    scores = np.asarray(fold_scores, dtype=np.float64)
    there = np.isfinite(scores).any(axis=0)
    scores, sizes = scores[:, there], np.asarray(sizes, dtype=np.float64)[there]
    scores = scores[np.isfinite(scores).all(axis=1)]
    if len(scores) < 2 or scores.shape[1] < 2:
        return 0.0
    overall = int(np.argmax(scores @ sizes))
    return float(np.average(scores.max(axis=0) - scores[overall], weights=sizes))


def alike(values: FloatArray, groups: AnyArray) -> float:
    """How many times larger the standard error of the mean of units is than without groups; at least 1.

    The root of Kish's design effect, from the sums of what the units of each group differ from the mean.
    """
    away = values - values.mean()
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], away)
    count, alone = len(sums), float(away @ away)
    if count < 2 or alone <= 0:
        return 1.0
    return math.sqrt(max(1.0, float(sums @ sums) / alone * count / (count - 1)))


def _from_units(
    units: Sequence[FloatArray], values: FloatArray, metric: Metric, n: int, rng: np.random.Generator
) -> FloatArray:
    """(draws, 2): how far scores on `n` new units may lie from the score seen, and the scores themselves.

    The mean of all units there are is seen through a studentised bootstrap, which minds rare large losses.
    """
    curve = Curve.through([float(u.mean()) for u in units], [float(v) for v in values])
    pooled = np.concatenate(units)
    middle = float(pooled.mean())
    new, _ = _resampled(pooled, n, rng)
    seen, ratio = _resampled(pooled, len(pooled), rng)
    means = middle + (new - middle) - (seen - middle) / np.maximum(ratio, LEAST_SPREAD)
    sign = metric.signed(1.0)
    scores = sign * curve.value(means)
    return np.column_stack([scores - sign * float(curve.value(np.array([middle]))[0]), scores])


def _resampled(pooled: FloatArray, size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """(draws,) means of resamples of `size` units, and the spread within each over the spread of all."""
    count = min(RESAMPLE, size)
    middle, spread = float(pooled.mean()), float(pooled.std())
    away = (pooled - middle)[rng.integers(0, len(pooled), (DRAWS, count), dtype=np.int32)]
    means = away.mean(axis=1)
    spreads = np.sqrt(np.maximum(np.einsum("ij,ij->i", away, away) / count - means**2, 0.0))
    means = middle + means * math.sqrt(count / size)
    return means, spreads / spread if spread > 0 else np.ones(DRAWS)


def _from_resamples(
    scorer: Scorer,
    predictions: Sequence[Predictions],
    values: FloatArray,
    size: float,
    rng: np.random.Generator,
    groups: Sequence[AnyArray] | None,
) -> FloatArray:
    """The same by calling the metric on resampled units, or groups of them, of one fold at a time.

    Resamples it fails on are left out.
    """
    folds = np.array(scorer.usable)
    weights = np.array([scorer.counts[f] for f in folds], dtype=np.float64)
    count = int(min(UNITS, max(2, round(size))))
    scale = math.sqrt(count / size) if count < size else 1.0
    out = []
    for fold in rng.choice(folds, CALLS, p=weights / weights.sum()):
        rows = rng.integers(0, scorer.sizes[fold], count) if groups is None else _of_groups(groups[fold], count, rng)
        try:
            p, t, r = take(rows, predictions[fold], scorer.truths[fold], scorer.requests[fold])
            score = scorer.metric.score(t, p, r)
        except Exception:
            continue
        if math.isfinite(score):
            away = (score - scorer.metric.signed(float(values[fold]))) * scale
            out.append((away, score))
    return np.array(out, dtype=np.float64).reshape(-1, 2)


def _wider(draws: FloatArray, factor: float) -> FloatArray:
    """The draws so many times as far away; scores get worse by it, and no better than those seen."""
    middle = float(draws[:, 1].mean())
    scores = middle + factor * (draws[:, 1] - middle)
    return np.column_stack([factor * draws[:, 0], np.minimum(scores, draws[:, 1])])


def _of_groups(groups: AnyArray, count: int, rng: np.random.Generator) -> AnyArray:
    """Positions of the units of random groups: about `count`, and of one group at least."""
    order = np.argsort(groups, kind="stable")
    firsts = np.flatnonzero(np.diff(groups[order], prepend=groups[order[0]] - 1))
    blocks = np.split(order, firsts[1:])
    wanted = max(1, round(count * len(blocks) / len(order)))
    return np.concatenate([blocks[i] for i in rng.integers(0, len(blocks), wanted)])


def _ends(draws: FloatArray, centre: float, level: float, n_seen: int, optimism: float) -> tuple[float, float]:
    """Quantiles of the draws around the centre, within the scores seen, widened for what the units do not show.

    That is more where they are few, and what the models that answer differ by from those that were judged: the mean of
    all folds' models does better than each, and a choice made on few rows may do worse.
    """
    few = math.sqrt(n_seen / (n_seen - 3)) if n_seen > 4 else 2.0
    tails = np.quantile(draws[:, 0], [(1 - level) / 2, (1 + level) / 2], method="weibull") * few * OTHER_MODELS
    low, high = centre + float(tails[0]), centre + float(tails[1])
    low, high = max(low, min(centre, float(draws[:, 1].min()))), min(high, max(centre, float(draws[:, 1].max())))
    return low - optimism, max(high, low)
