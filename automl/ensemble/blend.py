"""The ensemble to ship: the combiner whose cross-fitted score beats the best single member, or else that member."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from automl.contract import ADDITIVE, CombineContext, Combiner, FloatArray, Metric, Predictions, Request, Truth
from automl.ensemble.cost import affordable
from automl.ensemble.crossfit import CrossFit
from automl.ensemble.greedy import GreedyMean, usual_calls
from automl.ensemble.scoring import Scorer, best_of
from automl.ensemble.units import paired_error, spread_error


@dataclass(frozen=True)
class Blend:
    """What answers for the members it was made from.

    Attributes:
        combiner: fitted over the members at `keep`, in that order; None when one member answers alone.
        keep: positions of the members needed.
        weights: one per kept member, sum 1.
        fold_predictions: per fold, honest: no unit had a say in the choices that its own prediction rests on.
        score: of `fold_predictions`, higher is better; minus infinity when the metric could not be computed.
        gain: score of the best combiner tried over that of the best single member, both cross-fitted; not above 0
            when that combiner was not good enough to ship.
        gain_se: its standard error; NaN when unknown.
        apparent: score of the shipped choice on the units it was chosen with.
        single: position of the best single member.
        failures: combiners that were skipped, and why.
    """

    combiner: Combiner | None
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

    def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
        """The answer, from the predictions of the kept members in the order of `keep`."""
        return members[0] if self.combiner is None else self.combiner.apply(members, request)


@dataclass(frozen=True)
class _Pool:
    """The members that may be chosen, and what a combiner is told of them.

    Attributes:
        positions: of `members` among all that there are.
        costs: (m,) seconds to reckon with.
        calls: metric calls that all fits of a combiner may make together.
    """

    members: Sequence[Sequence[Predictions]]
    positions: tuple[int, ...]
    costs: FloatArray
    calls: float
    ctx: CombineContext
    failures: list[str] = field(default_factory=list)


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
) -> Blend:
    """Choose how the members answer together.

    Args:
        members: ``members[m][f]`` are model m's predictions for the units of fold f that it did not learn from.
        truths: per fold, aligned with them.
        requests: per fold, aligned with them.
        metric: what to improve.
        combiners: classes to try; none leaves additive kinds to `GreedyMean` and others to the best single member.
        seed: for everything random.
        costs: seconds per one-unit prediction of each member; NaN where unknown.
        budget: seconds that the kept members may cost together.
        families: one name per member, so that shrinkage keeps several families.
        calls: about how many metric calls a combiner may make; None chooses by the number of units.
        deadline: monotonic time to be done by, as far as the metric allows; infinite when the clock must not matter.
        fold_values: (n_members, n_folds) values of the metric in its own direction, when the caller has them.
    """
    ctx = CombineContext(metric, seed, deadline, () if costs is None else tuple(costs), budget, tuple(families or ()))
    every = ctx.seconds(len(members))
    allowed, budget = affordable(every, budget)
    scorer = Scorer(truths, requests, metric)
    positions = tuple(int(m) for m in allowed)
    ctx = replace(ctx.of_members(positions), budget=budget)
    chosen = [members[m] for m in positions]
    started = time.monotonic()
    values = scorer.table(chosen) if fold_values is None else scorer.learn(fold_values[allowed])
    calls = _calls(scorer, calls, deadline, time.monotonic() - started)
    scores = np.array([scorer.total(row) for row in values])
    pool = _Pool(chosen, positions, every[allowed], calls, replace(ctx, scores=scores))
    crossed = CrossFit(pool.members, scorer, pool.costs, values, seed)
    alone = _single(pool, scorer, scores, crossed)
    if len(positions) == 1 or not crossed.parts:
        return alone
    if not combiners and pool.members[0][0].kind in ADDITIVE:
        combiners = (GreedyMean,)
    return _best_combined(pool, crossed, alone, combiners)


def _calls(scorer: Scorer, wanted: float | None, deadline: float, seconds: float) -> float:
    """Metric calls to make: as many as wanted or usual, fewer when a slow metric would miss the deadline."""
    calls = usual_calls(scorer.sizes) if wanted is None else wanted
    if math.isinf(deadline) or not scorer.used:
        return calls
    return min(calls, max(1.0, (deadline - time.monotonic()) * scorer.used / max(seconds, 1e-9)))


def _single(pool: _Pool, scorer: Scorer, scores: FloatArray, crossed: CrossFit) -> Blend:
    """The best member alone, with the honest score of having chosen it."""
    best = best_of(scores, pool.costs)
    honest = len(pool.positions) > 1 and bool(crossed.parts)
    folds = crossed.single() if honest else tuple(pool.members[best])
    score = scorer.score(folds) if honest else float(scores[best])
    position = pool.positions[best]
    return Blend(None, (position,), (1.0,), folds, score, 0.0, 0.0, float(scores[best]), position)


def _best_combined(pool: _Pool, crossed: CrossFit, alone: Blend, combiners: Sequence[type[Combiner]]) -> Blend:
    """Combiners by falling cross-fitted score until one can be fitted; the single member if none beats it."""
    tried = []
    for kind in combiners:
        try:
            folds = _crossed(pool, crossed, kind)
        except Exception as error:
            pool.failures.append(f"{kind.name or kind.__name__}: {type(error).__name__}: {error}")
            continue
        tried.append((crossed.scorer.score(folds), kind, folds))
    tried.sort(key=lambda entry: -entry[0])
    for score, kind, folds in tried:
        if not score > alone.score:
            break
        try:
            return _shipped(pool, crossed, alone, kind, folds, score)
        except Exception as error:
            pool.failures.append(f"{kind.name or kind.__name__}: {type(error).__name__}: {error}")
    gain, error_of_gain = 0.0, 0.0
    if tried and math.isfinite(tried[0][0]):
        gain, error_of_gain = min(0.0, tried[0][0] - alone.score), _gain_se(crossed, tried[0][2], alone)
    return Blend(**{**vars(alone), "gain": gain, "gain_se": error_of_gain, "failures": tuple(pool.failures)})


def _crossed(pool: _Pool, crossed: CrossFit, kind: type[Combiner]) -> tuple[Predictions, ...]:
    """Cross-fitted predictions of a combiner; three fifths of the metric calls and of the time go here."""
    share = 0.6 / len(crossed.parts)
    now = time.monotonic()
    deadline = pool.ctx.deadline
    if now >= deadline:
        raise TimeoutError("no time left to try it")
    return crossed.combined(kind, replace(pool.ctx, calls=pool.calls * share, deadline=now + 0.6 * (deadline - now)))


def _shipped(
    pool: _Pool,
    crossed: CrossFit,
    alone: Blend,
    kind: type[Combiner],
    folds: tuple[Predictions, ...],
    score: float,
) -> Blend:
    """The combiner fitted on everything, without the members it does not need."""
    scorer = crossed.scorer
    ctx = replace(pool.ctx, calls=pool.calls * 0.4)
    combiner = kind().fit(pool.members, scorer.truths, scorer.requests, ctx)
    shares = np.asarray(combiner.weights(), dtype=np.float64)
    if shares.shape != (len(pool.positions),) or not np.all(np.isfinite(shares)):
        raise ValueError(f"weights() must give {len(pool.positions)} finite shares, got {shares}")
    keep = [int(m) for m in np.flatnonzero(shares)]
    combiner, keep = _lean(combiner, keep, len(shares))
    if float(pool.costs[keep].sum()) > ctx.budget:
        raise ValueError(
            f"its members take {pool.costs[keep].sum():.2g} s per prediction, more than {ctx.budget:.2g} s"
        )
    applied = [combiner.apply([pool.members[m][f] for m in keep], r) for f, r in enumerate(scorer.requests)]
    return Blend(
        combiner,
        tuple(pool.positions[m] for m in keep),
        tuple(float(w) for w in shares[keep]),
        folds,
        score,
        score - alone.score,
        _gain_se(crossed, folds, alone),
        scorer.score(applied),
        alone.single,
        tuple(pool.failures),
    )


def _lean(combiner: Combiner, keep: list[int], n_members: int) -> tuple[Combiner, list[int]]:
    """Without the members that have no share; with all of them when the combiner cannot do without."""
    if len(keep) == n_members:
        return combiner, keep
    try:
        return combiner.without(keep), keep
    except NotImplementedError:
        return combiner, list(range(n_members))


def _gain_se(crossed: CrossFit, folds: tuple[Predictions, ...], alone: Blend) -> float:
    """Standard error of the gain: over units when the metric is a mean of them, else over the parts."""
    scorer = crossed.scorer
    usable = scorer.usable
    try:
        found = paired_error(
            scorer.metric,
            [scorer.truths[f] for f in usable],
            [scorer.requests[f] for f in usable],
            [folds[f] for f in usable],
            [alone.fold_predictions[f] for f in usable],
        )
    except Exception:
        found = None
    if found is not None:
        return found
    first, second = crossed.cell_values(folds), crossed.cell_values(alone.fold_predictions)
    differences = [scorer.metric.signed(a) - scorer.metric.signed(b) for a, b in zip(first, second, strict=True)]
    return spread_error(differences, crossed.cell_sizes)
