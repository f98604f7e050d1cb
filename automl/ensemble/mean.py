"""The engine's first choices for predictions that can be averaged: few members, weighted for the smooth loss.

exponent a    mean of probabilities p with weights w
1             sum of w p: the arithmetic mean
1/2           (sum of w sqrt p)^2, normalised
0             the geometric mean, normalised: sharper, and better where members err in different places
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract import (
    ADDITIVE,
    AnyArray,
    ArrayPredictions,
    CombineContext,
    Combiner,
    FloatArray,
    IntArray,
    Predictions,
    Request,
    Truth,
)
from automl.ensemble.cost import affordable
from automl.ensemble.evidence import TINY, Evidence

POOL = 20
SURE = 4
AIM = 0.25
SMALLEST = 0.03
LEAST_VARIED = 3
UNITS_FOR_ONE_MORE = 10_000
CELLS = 1_000_000


class WeightedMean(Combiner):
    """A mean of at most `CombineContext.most` members, chosen and weighted for the smooth loss of their kind.

    The best `POOL` members are weighted together; those with the largest weights are kept and weighted anew. Beyond
    `SURE` members one is kept only while all together cost no more than `AIM` of the budget.
    """

    name: ClassVar[str] = "weighted-mean"
    margin: ClassVar[float] = -2.0
    prior: ClassVar[float] = 1.0
    least: ClassVar[float] = 0.0
    shares: FloatArray
    exponent: float

    def fit(
        self,
        members: Sequence[Sequence[Predictions]],
        truths: Sequence[Truth | None],
        requests: Sequence[Request],
        ctx: CombineContext,
    ) -> Self:
        """Choose members, weights and exponent. Raises TypeError where there is no smooth loss."""
        evidence = Evidence.of(members, truths, ctx.seed, ctx.metric.aim)
        costs = ctx.seconds(len(members))
        allowed, budget = affordable(costs, ctx.budget)
        ranked = allowed[np.argsort(evidence.losses()[allowed], kind="stable")]
        pool = self._pool(ranked, ctx, sum(len(truth) for truth in truths if truth is not None))[:POOL]
        kept = _kept(pool, evidence.weights(pool, self.prior), costs, budget, ctx.most)
        weights = evidence.weights(kept, self.prior)
        weights = np.where(weights >= max(SMALLEST, self.least / len(kept)), weights, 0.0)
        self.shares = np.zeros(len(members))
        self.shares[kept] = weights / weights.sum()
        self.exponent = 1.0
        if members[0][0].kind == ADDITIVE[0] and np.count_nonzero(weights) > 1:
            self.exponent = self._best_exponent(members, truths, evidence)
        return self

    def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
        """The weighted mean. Members without a share are not looked at."""
        used = [int(m) for m in np.flatnonzero(self.shares)]
        values = [members[m].as_array() for m in used]
        return ArrayPredictions(members[used[0]].kind, power_mean(values, self.shares[used], self.exponent))

    def weights(self) -> FloatArray:
        """(n_members,) shares that sum to 1."""
        return self.shares

    def without(self, keep: Sequence[int]) -> Self:
        """The same mean over the members at positions `keep`."""
        return self.from_state({"shares": self.shares[np.asarray(keep, dtype=np.int64)], "exponent": self.exponent})

    def state(self) -> Mapping[str, Any]:
        """The shares and the exponent."""
        return {"shares": self.shares, "exponent": self.exponent}

    def _pool(self, ranked: IntArray, ctx: CombineContext, n_units: int) -> IntArray:
        """Those of the members, the best first, that may be chosen."""
        return ranked

    def _best_exponent(
        self, members: Sequence[Sequence[Predictions]], truths: Sequence[Truth | None], evidence: Evidence
    ) -> float:
        """0 or 1 where one is better than the other by a standard error of the log loss, else between them."""
        used = [int(m) for m in np.flatnonzero(self.shares)]
        shares, outputs = self.shares[used], members[0][0].as_array().shape[1]
        step = max(1, sum(map(len, evidence.rows)) * outputs * len(used) // CELLS)
        differences, u = [], np.split(evidence.weight, np.cumsum([len(rows) for rows in evidence.rows])[:-1])
        for f, (truth, rows) in enumerate(zip(truths, evidence.rows, strict=True)):
            cut = rows[::step]
            values = [members[m][f].as_array()[cut] for m in used]
            codes: AnyArray = np.asarray(truth.y)[cut] if truth is not None else cut
            units = np.arange(len(cut))
            flat, sharp = (power_mean(values, shares, a)[units, codes] for a in (1.0, 0.0))
            differences.append(u[f][::step] * (np.log(np.maximum(sharp, TINY)) - np.log(np.maximum(flat, TINY))))
        gain = np.concatenate(differences)
        error = float(gain.std()) / np.sqrt(len(gain))
        return 0.5 if abs(gain.mean()) <= error else float(gain.mean() < 0)


class VariedMean(WeightedMean):
    """The best member of every family, drawn to equal weights; more of each where families are few or units many.

    On little data the members that a search tuned on the very units that judge them look better than they are. Taking
    one of each family did better on new rows, though worse on those units.
    """

    name: ClassVar[str] = "varied-mean"
    margin: ClassVar[float] = -4.0
    prior: ClassVar[float] = 50.0
    least: ClassVar[float] = 0.4

    def _pool(self, ranked: IntArray, ctx: CombineContext, n_units: int) -> IntArray:
        names = [ctx.families[m] if ctx.families else str(m) for m in ranked.tolist()]
        families = max(1, len(set(names)))
        most = max(-(-LEAST_VARIED // families), 1 + n_units // UNITS_FOR_ONE_MORE)
        most += max(0, ctx.most - CombineContext.most) // families
        return np.array([m for n, m in enumerate(ranked) if names[:n].count(names[n]) < most], dtype=np.int64)


def power_mean(values: Sequence[FloatArray], shares: FloatArray, exponent: float) -> FloatArray:
    """(n, K) mean of (n, K) predictions with weights that sum to 1; see the module's table for the exponent."""
    if exponent == 1.0 or len(values) == 1:
        return np.asarray(sum(share * value for share, value in zip(shares, values, strict=True)))
    if exponent == 0.0:
        total = sum(share * np.log(np.maximum(v, TINY)) for share, v in zip(shares, values, strict=True))
        mean = np.exp(total - np.max(total, axis=1, keepdims=True))
    else:
        total = sum(share * v**exponent for share, v in zip(shares, values, strict=True))
        mean = np.asarray(total) ** (1 / exponent)
    return np.asarray(mean / mean.sum(axis=1, keepdims=True))


def _kept(pool: IntArray, weights: FloatArray, costs: FloatArray, budget: float, most: int) -> IntArray:
    """Sorted members with the largest weights that the budget holds; more than a few only while they are cheap."""
    kept: list[int] = []
    spent = 0.0
    for position in np.argsort(-weights, kind="stable"):
        member = int(pool[position])
        if kept and (weights[position] < SMALLEST / 2 or len(kept) >= most):
            break
        limit = budget if len(kept) < SURE else AIM * budget
        if not kept or spent + costs[member] <= limit:
            kept.append(member)
            spent += float(costs[member])
    return np.sort(np.array(kept, dtype=np.int64))
