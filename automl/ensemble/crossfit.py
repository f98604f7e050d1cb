"""Cross-fitting: a choice among members made on some units, judged on the others, until all units are judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from automl.contract import CombineContext, Combiner, FloatArray, Metric, Predictions, Request, Truth
from automl.ensemble.parts import Part, cut, cut_requests, cut_truths, joined, make_parts
from automl.ensemble.scoring import Scorer, best_of, total


class CrossFit:
    """Members over folds, and the parts that are held out in turn.

    Args:
        members: ``members[m][f]``.
        costs: (n_members,) seconds per one-unit prediction, to break ties.
        fold_values: (n_members, n_folds) values of the metric in its own direction, from ``scorer.table``.
    """

    def __init__(
        self,
        members: Sequence[Sequence[Predictions]],
        scorer: Scorer,
        costs: FloatArray,
        fold_values: FloatArray,
        seed: int,
    ) -> None:
        self.members, self.scorer, self.costs, self.seed = members, scorer, costs, seed
        self.parts: list[Part] = make_parts(scorer.sizes, seed)
        self.cells = [(p, fold, rows) for p, part in enumerate(self.parts) for fold, rows in part.held.items()]
        self.cell_sizes = [scorer.sizes[fold] if rows is None else len(rows) for _, fold, rows in self.cells]
        whole = all(rows is None for _, _, rows in self.cells)
        self.values = fold_values if whole else np.array([self.cell_values(member) for member in members])
        self.usable = np.isfinite(self.values).any(axis=0) if self.parts else np.zeros(0, dtype=bool)

    @property
    def metric(self) -> Metric:
        """What is being judged by."""
        return self.scorer.metric

    def cell_values(self, folds: Sequence[Predictions]) -> list[float]:
        """The metric, in its own direction, on the held units of each part and fold."""
        return [self._cell(folds, {fold: rows}) for _, fold, rows in self.cells]

    def known(self, part: int) -> FloatArray:
        """(n_members,) scores on the units outside a part, higher is better."""
        kept = [c for c, (p, _, _) in enumerate(self.cells) if p != part and self.usable[c]]
        sizes = [self.cell_sizes[c] for c in kept]
        return np.array([total(self.metric, [row[c] for c in kept], sizes) for row in self.values])

    def single(self) -> tuple[Predictions, ...]:
        """Predictions per fold of the member that was best on the other parts."""
        chosen = [best_of(self.known(p), self.costs) for p in range(len(self.parts))]
        pieces = [cut(self.members[m], part.held) for m, part in zip(chosen, self.parts, strict=True)]
        return joined(self.parts, pieces, len(self.scorer.sizes))

    def combined(self, kind: type[Combiner], ctx: CombineContext) -> tuple[Predictions, ...]:
        """Predictions per fold of combiners fitted on the other parts, which know the members' scores there.

        Each part gets an equal share of the time until the deadline; `ctx.calls` are those of one part.
        """
        pieces = []
        for p, part in enumerate(self.parts):
            now = time.monotonic()
            until = now + (ctx.deadline - now) / (len(self.parts) - p)
            told = replace(ctx, seed=self.seed + p, deadline=until, scores=self.known(p))
            truths, requests = cut_truths(self.scorer.truths, part.rest), cut_requests(self.scorer.requests, part.rest)
            rest = [cut(member, part.rest) for member in self.members]
            fitted = kind().fit(rest, truths, requests, told)
            held = [cut(member, part.held) for member in self.members]
            asked = cut_requests(self.scorer.requests, part.held)
            pieces.append([fitted.apply([m[i] for m in held], request) for i, request in enumerate(asked)])
        return joined(self.parts, pieces, len(self.scorer.sizes))

    def _cell(self, folds: Sequence[Predictions], places: dict[int, object]) -> float:
        ((fold, rows),) = places.items()
        if rows is None:
            return self.scorer.value(fold, folds[fold])
        where = {fold: np.asarray(rows)}
        truths: list[Truth | None] = cut_truths(self.scorer.truths, where)
        requests: list[Request] = cut_requests(self.scorer.requests, where)
        return Scorer(truths, requests, self.metric).value(0, cut(folds, where)[0])
