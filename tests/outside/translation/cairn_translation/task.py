"""The task: a unit is a sentence, its truth the reference translation, a prediction a few scored hypotheses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np

from automl.contract import (
    AnyArray,
    Batch,
    DataError,
    Example,
    FloatArray,
    Fold,
    FoldPlan,
    IntArray,
    Metric,
    Predictions,
    Problem,
    Request,
    Table,
    TaskPlugin,
    Truth,
    WeightedCombiner,
    role_column,
)


class Hypotheses(Predictions):
    """Per sentence a list of (text, probability), best first; never empty."""

    kind = "hypotheses"

    def __init__(self, best: Sequence[Sequence[tuple[str, float]]]) -> None:
        self.best = [[(str(text), float(p)) for text, p in options] for options in best]

    def __len__(self) -> int:
        return len(self.best)

    def take(self, positions: AnyArray) -> Hypotheses:
        return Hypotheses([self.best[i] for i in positions])

    @classmethod
    def concat(cls, parts: Sequence[Hypotheses]) -> Hypotheses:
        return cls([options for part in parts for options in part.best])

    def state(self) -> dict[str, Any]:
        return {"best": self.best}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(state["best"])

    def distance(self, other: Hypotheses) -> float:
        pairs = [pair for a, b in zip(self.best, other.best, strict=True) for pair in zip(a, b, strict=True)]
        return max((abs(p - q) if s == t else np.inf for (s, p), (t, q) in pairs), default=0.0)


@lru_cache(maxsize=100_000)
def chrf(hypothesis: str, reference: str) -> float:
    """Character n-gram F score, n = 1 to 4, recall counted twice as much as precision; 0 to 1."""
    scores = []
    for n in range(1, 5):
        ours, theirs = (Counter(t[i : i + n] for i in range(len(t) - n + 1)) for t in (hypothesis, reference))
        shared = (ours & theirs).total()
        if theirs:
            p, r = shared / max(1, ours.total()), shared / theirs.total()
            scores.append(5 * p * r / (4 * p + r) if shared else 0.0)
    return float(np.mean(scores)) if scores else float(hypothesis == reference)


class ChrF(Metric):
    """Mean character n-gram F score of the best hypothesis."""

    name = "chrf"

    def __call__(self, truth: Truth | None, predictions: Any, request: Request) -> float:
        return float(np.mean(self.per_unit(truth, predictions, request)))

    def per_unit(self, truth: Truth | None, predictions: Any, request: Request) -> FloatArray:
        assert truth is not None
        return np.array([chrf(o[0][0], reference) for o, reference in zip(predictions.best, truth.y, strict=True)])


class MinimumRisk(WeightedCombiner):
    """Of the pooled hypotheses, the one most like all the others."""

    name = "minimum-risk"

    def merge(self, members: Sequence[Hypotheses], weights: FloatArray, request: Request) -> Hypotheses:
        merged = []
        for i in range(len(request)):
            pool: dict[str, float] = {}
            for member, weight in zip(members, weights, strict=True):
                for text, p in member.best[i]:
                    pool[text] = pool.get(text, 0.0) + weight * p
            gain = {text: sum(p * chrf(text, other) for other, p in pool.items()) for text in pool}
            best = sorted(pool, key=lambda text: (-gain[text], text))
            merged.append([(text, pool[text]) for text in best])
        return Hypotheses(merged)


class Translation(TaskPlugin):
    """The same sentence in another language."""

    name = "translation"
    produces = "hypotheses"
    family = "translation"
    views = ("sentences",)
    roles = {"source": "the sentence to translate"}
    container = Hypotheses

    def claims(self, table: Table, roles: Mapping[str, Any]) -> float:
        return 0.9 if {"source", "target"} <= set(roles) else 0.0

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        part = table.take(rows)
        sources, targets = (role_column(part, roles, role).originals() for role in ("source", "target"))
        if not any(isinstance(t, str) and isinstance(s, str) for s, t in zip(sources, targets, strict=True)):
            raise DataError("no-pairs", "no row has both sentences as text", "target", "Pass pairs of sentences.")
        words = sorted({word for s in sources if isinstance(s, str) for word in s.split()})
        return Problem(self.name, self.produces, dict(roles), (), 1, {"words": words}, "chrf")

    def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Sequence[Fold]:
        return plan.shuffled(len(table))

    def batch(self, problem: Problem, table: Table, rows: IntArray, view: str) -> Batch:
        y = np.array(self._texts(problem, table, rows, "target") + [None], dtype=object)[:-1]
        return Batch(self._texts(problem, table, rows, "source"), y)

    def request(
        self,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
        view: str = "",
    ) -> Request:
        wanted = np.arange(len(table)) if rows is None else rows
        return Request(wanted, self._texts(problem, table, wanted, "source"))

    def truth(self, problem: Problem, table: Table, rows: IntArray) -> Truth | None:
        return Truth(self._texts(problem, table, rows, "target"))

    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        return {"chrf": ChrF()}

    def combiners(self, problem: Problem) -> Sequence[type[MinimumRisk]]:
        return (MinimumRisk,)

    def answer(self, problem: Problem, predictions: Any, request: Request) -> Any:
        """The best translation of each sentence."""
        return np.array([options[0][0] for options in predictions.best] + [None], dtype=object)[:-1]

    def examples(self) -> Sequence[Example]:
        """English into a toy French: who does what to whom, with words that have one translation each."""
        rng = np.random.default_rng(0)
        who = {
            "a dog": "un chien",
            "a cat": "un chat",
            "the girl": "la fille",
            "the boy": "le fils",
            "a bird": "un oiseau",
        }
        does = {"sees": "voit", "wants": "veut", "follows": "suit", "paints": "peint"}
        when = {"today": "aujourd'hui", "often": "souvent", "there": "là"}
        pairs = [rng.integers(0, size, 90) for size in (5, 4, 5, 3)]
        picks = [[list(d)[i] for i in index] for d, index in zip((who, does, who, when), pairs, strict=True)]
        english = [" ".join(words) for words in zip(*picks, strict=True)]
        french = [" ".join((who[a], does[b], who[c], when[d])) for a, b, c, d in zip(*picks, strict=True)]
        return [Example("toy french", {"en": english, "fr": french}, "fr", {"source": "en"})]

    def check(self, problem: Problem, predictions: Any, request: Request) -> None:
        if not all(options and all(0 <= p <= 1 + 1e-9 for _, p in options) for options in predictions.best):
            raise ValueError("a sentence has no hypothesis, or one with a probability outside 0 to 1")

    def _texts(self, problem: Problem, table: Table, rows: IntArray, role: str) -> list[str]:
        values = table[problem.roles[role]].take(rows).originals()
        return ["" if value is None else str(value) for value in values]
