"""The ensemble to ship: means of several members unless they are clearly worse than one, and what improves on them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.contract import AnyArray, CombineContext, Combiner, FloatArray, Metric, Predictions, Request, Table, Truth
from automl.ensemble.cost import affordable
from automl.ensemble.crossfit import CrossFit
from automl.ensemble.finish import calibrated
from automl.ensemble.greedy import GreedyMean, usual_calls
from automl.ensemble.recipe import ENGINES, Recipe
from automl.ensemble.scoring import Scorer, best_of
from automl.ensemble.ways import Pool, Way, fitted, gain_error, ways


@dataclass(frozen=True)
class Blend:
    """What answers for the members it was made from.

    Attributes:
        combiner: how the members at `keep`, in that order, become the answer; None when one answers as it is.
        keep: positions of the members needed.
        weights: one per kept member, sum 1.
        fold_predictions: per fold, honest: no unit had a say in the choices that its own prediction rests on.
        score: of `fold_predictions`, higher is better; minus infinity when the metric could not be computed.
        gain: score of the best combiner tried over that of the best single member, both cross-fitted; not above 0
            when no combiner was good enough to ship.
        gain_se: its standard error; NaN when unknown.
        apparent: score of the shipped choice on the units it was chosen with.
        single: position of the best single member.
        failures: combiners that were skipped, and why.
    """

    combiner: Recipe | None
    keep: tuple[int, ...]
    weights: tuple[float, ...]
    fold_predictions: tuple[Predictions, ...]
    score: float
    gain: float
    gain_se: float
    apparent: float = math.nan
    single: int = 0
    failures: tuple[str, ...] = ()

    @property
    def optimism(self) -> float:
        """How much better the choice looks on the units it was made with; never negative."""
        gap = self.apparent - self.score
        return gap if math.isfinite(gap) and gap > 0 else 0.0

    def apply(self, members: Sequence[Predictions], request: Request, features: Table | None = None) -> Predictions:
        """The answer, from the predictions of the kept members in the order of `keep`."""
        return members[0] if self.combiner is None else self.combiner.apply(members, request, features)


def blend(
    members: Sequence[Sequence[Predictions]],
    truths: Sequence[Truth | None],
    requests: Sequence[Request],
    metric: Metric,
    combiners: Sequence[type[Combiner]] = (),
    seed: int = 0,
    costs: Sequence[float] | None = None,
    budget: float = math.inf,
    *,
    families: Sequence[str] | None = None,
    calls: float | None = None,
    deadline: float = math.inf,
    fold_values: FloatArray | None = None,
    features: Callable[[], Sequence[Any]] | None = None,
    kin: Sequence[AnyArray] | None = None,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    alone: bool = False,
    greedy: bool = False,
    calibrate: bool = True,
    most: int = CombineContext.most,
) -> Blend:
    """Choose how the members answer together.

    Args:
        members: ``members[m][f]`` are model m's predictions for the units of fold f that it did not learn from.
        truths: per fold, aligned with them.
        requests: per fold, aligned with them.
        metric: what to improve.
        combiners: classes to try beside the engine's means for kinds that can be averaged, or alone for others.
        seed: for everything random.
        costs: what each member takes of the budget; NaN where unknown.
        budget: how much the kept members may take together.
        families: one name per member, so that shrinkage keeps several families.
        calls: about how many metric calls a combiner may make; None chooses by the number of units.
        deadline: monotonic time to be done by, as far as the metric allows; infinite when the clock must not matter.
        fold_values: (n_members, n_folds) values of the metric in its own direction, when the caller has them.
        features: gives, per fold, the table of the units' features, for combiners that need it; None without.
        kin: per fold, numbers of what its units belong to: a choice is not judged on relatives of what it was made on.
        bounds: low and high that numbers are cut to.
        alone: the best single member answers, as it is.
        greedy: means are selected greedily for the metric, never weighted for the smooth loss.
        calibrate: False leaves the answer as it is combined.
        most: about how many members may have a share.
    """
    shown, known = None, () if costs is None else tuple(costs)
    ctx = CombineContext(metric, seed, deadline, known, budget, tuple(families or ()), most=most)
    every = ctx.seconds(len(members))
    allowed, budget = affordable(every, budget)
    positions = tuple(int(m) for m in allowed)
    ctx = replace(ctx.of_members(positions), budget=budget)
    chosen, scorer, started = [members[m] for m in positions], Scorer(truths, requests, metric), time.monotonic()
    values = scorer.table(chosen) if fold_values is None else scorer.learn(fold_values[allowed])
    calls = _calls(scorer, calls, deadline, time.monotonic() - started)
    scores, engines = np.array([scorer.total(row) for row in values]), (GreedyMean,) if greedy else ENGINES
    pool = Pool(chosen, positions, every[allowed], scores, calls, ctx, bounds, engines, calibrate)
    if features is not None and any(kind.needs_features for kind in combiners):
        shown = [replace(q, X=x) for q, x in zip(requests, features(), strict=True)]
    crossed = CrossFit(chosen, scorer, pool.costs, values, seed, shown, kin)
    return _plain(pool, crossed) if alone or not crossed.parts else _best(pool, crossed, combiners)


def _calls(scorer: Scorer, wanted: float | None, deadline: float, seconds: float) -> float:
    """Metric calls to make: as many as wanted or usual, fewer when a slow metric would miss the deadline."""
    calls = usual_calls(scorer.sizes) if wanted is None else wanted
    if math.isinf(deadline) or not scorer.used:
        return calls
    return min(calls, max(1.0, (deadline - time.monotonic()) * scorer.used / max(seconds, 1e-9)))


def _plain(pool: Pool, crossed: CrossFit) -> Blend:
    """The best member alone, as it is, with the honest score of having chosen it where there are units enough."""
    best = best_of(pool.scores, pool.costs)
    score, position = float(pool.scores[best]), pool.positions[best]
    folds, honest = tuple(pool.members[best]), score
    if crossed.parts and len(pool.positions) > 1:
        folds = crossed.single().predictions
        honest = crossed.scorer.score(folds)
    return Blend(None, (position,), (1.0,), folds, honest, 0.0, 0.0, score, position)


def _best(pool: Pool, crossed: CrossFit, combiners: Sequence[type[Combiner]]) -> Blend:
    """The best way that can be fitted on everything, or the one before it."""
    good, tried = ways(pool, crossed, combiners)
    single = good[0]
    for way in good[:0:-1]:
        try:
            blend = _shipped(pool, crossed, way)
        except Exception as error:
            pool.failed(way.second or way.first, error)
            continue
        gain, error_of_gain = way.score - single.score, gain_error(crossed, way, single)
        return replace(blend, gain=gain, gain_se=error_of_gain, failures=tuple(pool.failures))
    blend = replace(_shipped(pool, crossed, single), failures=tuple(pool.failures))
    best = max(tried, key=lambda way: way.score, default=single)
    if not math.isfinite(best.score) or best is single:
        return blend
    return replace(blend, gain=min(0.0, best.score - single.score), gain_se=gain_error(crossed, best, single))


def _shipped(pool: Pool, crossed: CrossFit, way: Way) -> Blend:
    """The way fitted on everything and calibrated, without the members it does not need."""
    scorer = crossed.scorer
    first, keep, shares, second = fitted(pool, crossed, way)
    learn = pool.calibrate and scorer.metric.aim == "mean"  # a line of least squares leads to means
    calibration, folds = calibrated(way.crossed.predictions, crossed.parts, scorer, pool.bounds, learn)
    recipe = Recipe(first, second, calibration)
    shown = crossed.shown if recipe.needs_features and crossed.shown is not None else scorer.requests
    applied = [recipe.apply([pool.members[m][f] for m in keep], q, q.X) for f, q in enumerate(shown)]
    return Blend(
        recipe if recipe.name else None,
        tuple(pool.positions[m] for m in keep),
        tuple(float(share) for share in shares),
        folds,
        scorer.score(folds),
        0.0,
        0.0,
        scorer.score(applied),
        pool.positions[best_of(pool.scores, pool.costs)],
    )
