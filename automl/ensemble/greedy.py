"""A mean found with the metric itself: bagged greedy selection, shrunk when data is scarce.

The engine's second choice: for truths without a smooth loss, and where the mean found with that loss did not do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract import (
    ArrayPredictions,
    CombineContext,
    Combiner,
    FloatArray,
    IntArray,
    Predictions,
    Request,
    Truth,
)
from automl.ensemble.bag import Bag
from automl.ensemble.cost import affordable
from automl.ensemble.scoring import Scorer

POOL = 25
DIVERSE = 6
START = 3
ROUNDS = 25
BAGS = 10
UNITS = 10_000
CELLS = 10_000_000
SMALLEST = 0.02
WEIGHTY = 0.1
HALVED_FROM = 40
CALLS_PER_BAG = 60


class GreedyMean(Combiner):
    """A weighted mean of members chosen greedily, with replacement, in bags.

    Of the scores in the context only their order is used, and without families every member counts as its own.
    """

    name: ClassVar[str] = "greedy-mean"
    shares: FloatArray

    def fit(
        self,
        members: Sequence[Sequence[Predictions]],
        truths: Sequence[Truth | None],
        requests: Sequence[Request],
        ctx: CombineContext,
    ) -> Self:
        """Choose weights. Raises TypeError when the predictions cannot be averaged."""
        rng = np.random.default_rng([abs(ctx.seed), 101])
        members, truths, requests = _subsample(members, truths, requests, rng)
        calls = usual_calls([len(request) for request in requests]) if ctx.calls is None else ctx.calls
        scorer = Scorer(truths, requests, ctx.metric, calls, ctx.deadline)
        scores = ctx.scores
        if scores is None:
            scores = np.array([scorer.total(row) for row in scorer.table(members)])
        costs = ctx.seconds(len(members))
        allowed, budget = affordable(costs, ctx.budget)
        pool = _pool(members, scores, allowed)
        stacks = [np.stack([members[m][f].as_array() for m in pool]) for f in range(len(requests))]
        whole = Bag(stacks, members[0][0].kind, scorer, scores[pool], costs[pool], budget)
        if ctx.scores is not None:
            whole.learn_usable()
        weights = np.zeros(len(members))
        weights[pool] = self._bagged(whole, rng)
        n_units = sum(len(request) for request in requests)
        weights = self._shrunk(weights, min(0.5, 400 / max(1, n_units)), ctx.families)
        self.shares = _trimmed(weights, costs, budget)
        return self

    def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
        """The weighted mean. Members without a share are not looked at."""
        used = [int(m) for m in np.flatnonzero(self.shares)]
        mean = sum(self.shares[m] * members[m].as_array() for m in used)
        return ArrayPredictions(members[used[0]].kind, np.asarray(mean, dtype=np.float64))

    def weights(self) -> FloatArray:
        """(n_members,) shares that sum to 1."""
        return self.shares

    def without(self, keep: Sequence[int]) -> Self:
        """The same mean over the members at positions `keep`."""
        return self.from_state({"shares": self.shares[np.asarray(keep, dtype=np.int64)]})

    def state(self) -> Mapping[str, Any]:
        """The shares."""
        return {"shares": self.shares}

    def _bagged(self, whole: Bag, rng: np.random.Generator) -> FloatArray:
        """(m,) mean of the weights of bags, each over half of the members (the best always) and half of the units."""
        m, left = len(whole.scores), max(1.0, whole.scorer.calls - whole.scorer.used)
        bags = int(np.clip(left / (len(whole.stacks) * (m / 2 + CALLS_PER_BAG)), 1, BAGS))
        if bags == 1:
            return whole.select(ROUNDS, START)
        weights = np.zeros(m)
        for done in range(bags):
            if done and whole.scorer.spent:
                return weights / done
            members = _half_of(m, int(np.argmax(whole.scores)), rng)
            bag = whole.restricted(members, [_half_of_units(n, rng) for n in whole.scorer.sizes], left / bags)
            weights[members] += bag.select(ROUNDS, START)
            whole.scorer.used += bag.scorer.used
        return weights / bags

    def _shrunk(self, weights: FloatArray, share: float, names: Sequence[str]) -> FloatArray:
        """Move `share` of the weights to a plain mean: families equal, and within each its selected members equal.

        On simulated pools of 400 to 1000 rows this beat shrinking to the best of four families; not to shrink at all
        was as good at 800 rows and worse below.
        """
        families = np.array(names or [str(m) for m in range(len(weights))])
        selected = weights >= max(SMALLEST, WEIGHTY * float(weights.max()))
        target = np.zeros(len(weights))
        for family in set(families[selected]):
            members = selected & (families == family)
            target[members] = 1 / members.sum()
        return np.asarray((1 - share) * weights + share * target / target.sum())


def usual_calls(sizes: Sequence[int]) -> float:
    """Metric calls that take about a third of a second with an ordinary metric, for folds of these sizes."""
    return float(np.clip(5e6 * len(sizes) / max(1, min(sum(sizes), UNITS)), 300, 3000))


def _subsample(
    members: Sequence[Sequence[Predictions]],
    truths: Sequence[Truth | None],
    requests: Sequence[Request],
    rng: np.random.Generator,
) -> tuple[Sequence[Sequence[Predictions]], Sequence[Truth | None], Sequence[Request]]:
    """At most about `UNITS` units, and fewer when there are many outputs; the same share of every fold."""
    total = sum(len(request) for request in requests)
    outputs = max(1, members[0][0].as_array().shape[1])
    limit = max(500, min(UNITS, CELLS // (min(POOL, len(members)) * outputs)))
    if total <= limit:
        return members, truths, requests
    rows = [
        np.sort(rng.choice(len(request), max(1, round(limit * len(request) / total)), replace=False))
        for request in requests
    ]
    return (
        [[fold.take(r) for fold, r in zip(member, rows, strict=True)] for member in members],
        [None if truth is None else truth.take(r) for truth, r in zip(truths, rows, strict=True)],
        [request.take(r) for request, r in zip(requests, rows, strict=True)],
    )


def _pool(members: Sequence[Sequence[Predictions]], scores: FloatArray, allowed: IntArray) -> IntArray:
    """Positions of the members to choose from: the best, and of the others those most unlike any already in."""
    order = allowed[np.argsort(-scores[allowed], kind="stable")]
    if len(order) <= POOL:
        return order
    chosen, rest = list(order[: POOL - DIVERSE]), order[POOL - DIVERSE : 2 * POOL]
    sketch = np.stack([np.concatenate([fold.as_array()[:200].ravel() for fold in member]) for member in members])
    nearest = np.array([np.abs(sketch[chosen] - sketch[m]).mean(axis=1).min() for m in rest])
    for _ in range(min(DIVERSE, len(rest))):
        pick = int(np.argmax(nearest))
        chosen.append(rest[pick])
        nearest = np.minimum(nearest, np.abs(sketch[rest] - sketch[rest[pick]]).mean(axis=1))
        nearest[pick] = -1
    return np.array(chosen, dtype=np.int64)


def _half_of(m: int, best: int, rng: np.random.Generator) -> IntArray:
    """Sorted positions of half of the members, the best among them; all of a handful."""
    if m <= 4:
        return np.arange(m)
    others = np.delete(np.arange(m), best)
    return np.sort(np.append(rng.choice(others, m // 2, replace=False), best))


def _half_of_units(n: int, rng: np.random.Generator) -> IntArray | None:
    """Sorted positions of half of the units, or None to take all of them because they are few."""
    return None if n < HALVED_FROM else np.sort(rng.choice(n, n // 2, replace=False))


def _trimmed(weights: FloatArray, costs: FloatArray, budget: float) -> FloatArray:
    """Without the smallest shares and, by falling share, without what the budget cannot hold."""
    kept = np.zeros(len(weights))
    spent = 0.0
    for member in np.argsort(-weights, kind="stable"):
        wanted = weights[member] >= SMALLEST or not kept.any()
        if wanted and (spent + costs[member] <= budget or not kept.any()):
            kept[member] = weights[member]
            spent += float(costs[member])
    return np.asarray(kept / kept.sum())
