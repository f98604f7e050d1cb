"""Ways to answer, from one member alone to two layers: each is tried without the units that judge it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from automl.contract import ADDITIVE, CombineContext, Combiner, FloatArray, Predictions
from automl.ensemble.crossfit import Crossed, CrossFit
from automl.ensemble.greedy import GreedyMean
from automl.ensemble.recipe import ENGINES, stacked
from automl.ensemble.scoring import best_of
from automl.ensemble.units import paired_error, spread_error

TIME_TO_TRY = 0.6
CALLS_TO_TRY = 0.6
REPLACES = 2.0


@dataclass(frozen=True)
class Pool:
    """The members that may be chosen, and what a combiner is told of them.

    Attributes:
        positions: of `members` among all that there are.
        costs: (m,) seconds to reckon with.
        scores: (m,) higher is better.
        calls: metric calls that all fits of a combiner may make together.
        bounds: of numbers.
        engines: the engine's own means, in the order in which they are tried.
        calibrate: may the answer be calibrated?
        failures: combiners that were skipped, and why.
    """

    members: Sequence[Sequence[Predictions]]
    positions: tuple[int, ...]
    costs: FloatArray
    scores: FloatArray
    calls: float
    ctx: CombineContext
    bounds: tuple[float, float]
    engines: tuple[type[Combiner], ...] = ENGINES
    calibrate: bool = True
    failures: list[str] = field(default_factory=list)

    def failed(self, kind: type[Combiner] | None, error: Exception) -> None:
        """Note why a combiner is skipped."""
        name = "" if kind is None else kind.name or kind.__name__
        self.failures.append(f"{name}: {type(error).__name__}: {error}")


@dataclass(frozen=True)
class Way:
    """A way to answer, and how it did.

    Attributes:
        first, second: the layers' classes; no first layer where one member answers, no second where nothing follows.
        crossed: its cross-fitted answer.
        score: of that, higher is better.
    """

    first: type[Combiner] | None
    second: type[Combiner] | None
    crossed: Crossed
    score: float


def ways(pool: Pool, crossed: CrossFit, own: Sequence[type[Combiner]]) -> tuple[list[Way], list[Way]]:
    """Ways good enough to ship, the best single member first and the best way last; and all that were tried.

    Args:
        own: the task's combiners.
    """
    alone = _way(crossed, None, None, crossed.single())
    good, tried = [alone], []
    if len(pool.positions) > 1:
        for kind in _first_layer(pool, own):
            replaces = kind in pool.engines and len(good) > 1
            if replaces and kind is GreedyMean:
                continue  # it is for when the means for the smooth loss will not do
            way = _tried(pool, crossed, kind, good[-1])
            tried += way
            good += [w for w in way if better(crossed, w, good[-1], REPLACES if replaces else kind.margin)]
    base, passed = good[-1], []
    for kind in _second_layer(crossed, own):
        way = _tried(pool, crossed, kind, base)
        tried += way
        passed += [w for w in way if better(crossed, w, base, kind.margin)]
    return [*good, *sorted(passed, key=lambda way: way.score)], tried


def better(crossed: CrossFit, way: Way, other: Way, margin: float) -> bool:
    """Does it exceed the other's score by `margin` standard errors of the difference? Unknown errors count as none."""
    if not math.isfinite(way.score):
        return False
    error = gain_error(crossed, way, other) if margin else 0.0
    return way.score > other.score + (margin * error if math.isfinite(error) else 0.0)


def gain_error(crossed: CrossFit, way: Way, other: Way) -> float:
    """Standard error of the difference: over units when the metric is a mean of them, else over the parts."""
    scorer = crossed.scorer
    usable = scorer.usable
    first, second = way.crossed.predictions, other.crossed.predictions
    try:
        found = paired_error(
            scorer.metric,
            [scorer.truths[f] for f in usable],
            [scorer.requests[f] for f in usable],
            [first[f] for f in usable],
            [second[f] for f in usable],
        )
    except Exception:
        found = None
    if found is not None:
        return found
    values = zip(crossed.cell_values(first), crossed.cell_values(second), strict=True)
    return spread_error([scorer.metric.signed(a) - scorer.metric.signed(b) for a, b in values], crossed.cell_sizes)


def fitted(pool: Pool, crossed: CrossFit, way: Way) -> tuple[Combiner | None, list[int], FloatArray, Combiner | None]:
    """The way's first layer fitted on everything, the members it needs, their shares, and the second layer.

    Raises what the combiners raise, and ValueError for shares that make no sense or cost more than the budget.
    """
    scorer = crossed.scorer
    ctx = replace(pool.ctx, scores=pool.scores, calls=pool.calls * (1 - CALLS_TO_TRY))
    if way.first is None:
        keep, first, shares = [best_of(pool.scores, pool.costs)], None, np.ones(1)
    else:
        first = way.first().fit(pool.members, scorer.truths, crossed.requests(way.first), ctx)
        first, keep, shares = _lean(first, len(pool.positions))
        cost = float(pool.costs[keep].sum())
        if cost > ctx.budget:
            raise ValueError(f"its members take {cost:.2g} of the time or space there is, more than {ctx.budget:.2g}")
    if way.second is None:
        return first, keep, shares, None
    folds = []
    for f, request in enumerate(crossed.requests(way.first) if way.first else scorer.requests):
        members = [pool.members[m][f] for m in keep]
        folds.append(stacked(members[0] if first is None else first.apply(members, request), members))
    inputs = [list(member) for member in zip(*folds, strict=True)]
    requests = crossed.requests(way.second)
    return first, keep, shares, way.second().fit(inputs, scorer.truths, requests, ctx.of_members(keep))


def _first_layer(pool: Pool, own: Sequence[type[Combiner]]) -> list[type[Combiner]]:
    additive = pool.members[0][0].kind in ADDITIVE
    mine = [kind for kind in own if kind.layer == 1]
    return [*(kind for kind in pool.engines if additive and kind not in mine), *mine]


def _second_layer(crossed: CrossFit, own: Sequence[type[Combiner]]) -> list[type[Combiner]]:
    units = sum(crossed.scorer.sizes)
    mine = [kind for kind in own if kind.layer == 2 and units >= kind.least_units]
    return [kind for kind in mine if crossed.shown is not None or not kind.needs_features]


def _tried(pool: Pool, crossed: CrossFit, kind: type[Combiner], base: Way) -> list[Way]:
    """The way with this combiner; none when it fails, which is noted. Part of the calls and of the time go here."""
    try:
        now, deadline = time.monotonic(), pool.ctx.deadline
        if now >= deadline:
            raise TimeoutError("no time left to try it")
        calls = pool.calls * CALLS_TO_TRY / len(crossed.parts)
        ctx = replace(pool.ctx, calls=calls, deadline=now + TIME_TO_TRY * (deadline - now))
        if kind.layer == 1:
            return [_way(crossed, kind, None, crossed.combined(kind, ctx))]
        return [_way(crossed, base.first, kind, crossed.stacked(kind, base.crossed, ctx))]
    except Exception as error:
        pool.failed(kind, error)
        return []


def _way(crossed: CrossFit, first: type[Combiner] | None, second: type[Combiner] | None, answer: Crossed) -> Way:
    return Way(first, second, answer, crossed.scorer.score(answer.predictions))


def _lean(combiner: Combiner, n_members: int) -> tuple[Combiner, list[int], FloatArray]:
    """Without the members that have no share; with all of them when the combiner cannot do without.

    Raises ValueError for shares that make no sense.
    """
    shares = np.asarray(combiner.weights(), dtype=np.float64)
    if shares.shape != (n_members,) or not np.all(np.isfinite(shares)):
        raise ValueError(f"weights() must give {n_members} finite shares, got {shares}")
    keep = [int(m) for m in np.flatnonzero(shares)]
    if len(keep) < n_members:
        try:
            return combiner.without(keep), keep, shares[keep]
        except NotImplementedError:
            pass
    return combiner, list(range(n_members)), shares
