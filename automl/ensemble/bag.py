"""One bag of greedy selection: which members, and how often, make the best mean on some units.

symbol    meaning
m         members in the bag
u_f       units of fold f
K         outputs
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from automl.contract import ArrayPredictions, FloatArray, IntArray
from automl.ensemble.scoring import Scorer

SHORTLIST = 6
FULL_EVERY = 5
PATIENCE = 6


@dataclass
class Bag:
    """Greedy selection with replacement from a sorted start.

    Attributes:
        stacks: per fold (m, u_f, K) predictions of the bag's members.
        kind: the prediction kind.
        scorer: over the same folds and units.
        scores: (m,) what each member scores alone; only its order is used.
        costs: (m,) seconds per one-unit prediction.
        budget: seconds that all distinct members together may cost.
    """

    stacks: Sequence[FloatArray]
    kind: str
    scorer: Scorer
    scores: FloatArray
    costs: FloatArray
    budget: float
    counts: IntArray = field(init=False)
    sums: list[FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.scores), dtype=np.int64)
        self.sums = [np.zeros(stack.shape[1:]) for stack in self.stacks]

    def restricted(self, members: IntArray, units: Sequence[IntArray | None], calls: float) -> Bag:
        """A bag of some members on some units of each fold (None: all of them)."""
        whole = self.scorer
        truths = [t if r is None or t is None else t.take(r) for t, r in zip(whole.truths, units, strict=True)]
        requests = [q if r is None else q.take(r) for q, r in zip(whole.requests, units, strict=True)]
        stacks = [s[members] if r is None else s[members][:, r] for s, r in zip(self.stacks, units, strict=True)]
        scorer = Scorer(truths, requests, whole.metric, calls, whole.deadline)
        bag = Bag(stacks, self.kind, scorer, self.scores[members], self.costs[members], self.budget)
        bag.learn_usable()
        return bag

    def learn_usable(self) -> None:
        """Find out on which folds the metric can judge the best member, and look at no others."""
        best = int(np.argmax(self.scores))
        self.scorer.table([[ArrayPredictions(self.kind, stack[best]) for stack in self.stacks]])

    def select(self, rounds: int, start: int) -> FloatArray:
        """(m,) weights that sum to 1, of the best prefix of `rounds` additions after the best of `start` first ones."""
        best, best_counts = self._start(start)
        known = self.scores.copy()
        stale = 0
        for step in range(rounds):
            if self.scorer.spent or stale >= PATIENCE:
                break
            full = step % FULL_EVERY == 0
            chosen = self._round(known, full)
            if chosen < 0:
                break
            self._add(chosen)
            stale += 1
            if known[chosen] > best + 1e-12 * abs(best):
                best, best_counts, stale = float(known[chosen]), self.counts.copy(), 0
        return np.asarray(best_counts / best_counts.sum(), dtype=np.float64)

    def _start(self, start: int) -> tuple[float, IntArray]:
        """Begin with the best one, two, … `start` members, whichever mean is best."""
        order = np.lexsort((self.costs, -self.scores))
        best, best_counts = -math.inf, self.counts
        for member in order[:start]:
            if self.counts.any() and not self._affordable(int(member)):
                continue
            score = self._trial(int(member))
            if self.counts.any() and (score <= best or self.scorer.spent):
                break
            self._add(int(member))
            best, best_counts = score, self.counts.copy()
        return best, best_counts

    def _round(self, known: FloatArray, full: bool) -> int:
        """Try members, note what the mean with each of them scores in `known`, and return the best one's position."""
        order = [int(m) for m in np.argsort(-known, kind="stable") if self._affordable(int(m))]
        tried = order if full else order[:SHORTLIST]
        for member in tried:
            known[member] = self._trial(member)
        if not tried:
            return -1
        top = max(known[m] for m in tried)
        ties = [m for m in tried if known[m] >= top - 1e-12 * abs(top)] or tried
        return min(ties, key=lambda m: (self.counts[m] == 0, self.costs[m], m))

    def _trial(self, member: int) -> float:
        size = self.counts.sum() + 1
        return self.scorer.score(
            [
                ArrayPredictions(self.kind, (total + stack[member]) / size)
                for total, stack in zip(self.sums, self.stacks, strict=True)
            ]
        )

    def _add(self, member: int) -> None:
        self.counts[member] += 1
        for total, stack in zip(self.sums, self.stacks, strict=True):
            total += stack[member]

    def _affordable(self, member: int) -> bool:
        if self.counts[member]:
            return True
        return float(self.costs[self.counts > 0].sum() + self.costs[member]) <= self.budget
