"""A combiner of which a task writes only how predictions merge; the weights are found by greedy selection."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract.arrays import FloatArray
from automl.contract.metric import CombineContext, Combiner, Metric, size_of
from automl.contract.predictions import Predictions
from automl.contract.problem import Request, Truth


class WeightedCombiner(Combiner):
    """Members with weights, chosen one at a time and with replacement: each round adds the one that helps most.

    Keeps to the deadline and to the budget, which always leaves room for the cheapest member.

    Class attributes beside `name`:
        rounds: members picked in all; a weight is a multiple of ``1 / rounds``.
    """

    rounds: ClassVar[int] = 8
    shares: FloatArray

    @abstractmethod
    def merge(self, members: Sequence[Any], weights: FloatArray, request: Request) -> Any:
        """One container out of several for the same units.

        Args:
            members: the task's containers; only those with a weight above 0.
            weights: one per member, summing to 1.
            request: what they were asked.
        """

    def fit(
        self,
        members: Sequence[Sequence[Predictions]],
        truths: Sequence[Truth | None],
        requests: Sequence[Request],
        ctx: CombineContext,
    ) -> Self:
        costs = ctx.seconds(len(members))
        budget = max(ctx.budget, float(costs.min()))
        counts = np.zeros(len(members))
        best = -np.inf
        for _ in range(self.rounds):
            left = budget - float(costs[counts > 0].sum())
            trials: dict[int, float] = {}
            for m in np.flatnonzero((counts > 0) | (costs <= left)):
                if time.monotonic() >= ctx.deadline and (trials or counts.any()):
                    break
                self.shares = (counts + (np.arange(len(members)) == m)) / (counts.sum() + 1)
                trials[int(m)] = self._score(members, truths, requests, ctx.metric)
            if not trials or max(trials.values()) < best:
                break
            chosen = max(trials, key=lambda m: trials[m])
            best = trials[chosen]
            counts[chosen] += 1
        self.shares = counts / counts.sum()
        return self

    def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
        used = [int(m) for m in np.flatnonzero(self.shares)]
        if len(used) == 1:
            return members[used[0]]
        merged: Predictions = self.merge([members[m] for m in used], self.shares[used], request)
        return merged

    def weights(self) -> FloatArray:
        return self.shares

    def without(self, keep: Sequence[int]) -> Self:
        slim = type(self).from_state(self.state())
        slim.shares = self.shares[list(keep)]
        return slim

    def _score(
        self,
        members: Sequence[Sequence[Predictions]],
        truths: Sequence[Truth | None],
        requests: Sequence[Request],
        metric: Metric,
    ) -> float:
        """The metric over all folds, higher is better, with the current shares."""
        values = [
            metric(truth, self.apply([folds[f] for folds in members], request), request)
            for f, (truth, request) in enumerate(zip(truths, requests, strict=True))
        ]
        return metric.signed(metric.aggregate(values, list(map(size_of, truths, requests))))
