"""Cross-fitting: a choice among members made on some units, judged on the others, until all units are judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from automl.contract import (
    AnyArray,
    CombineContext,
    Combiner,
    FloatArray,
    IntArray,
    Metric,
    Predictions,
    Request,
    Truth,
    size_of,
)
from automl.ensemble.parts import Part, Places, cut, cut_requests, cut_truths, joined, make_parts
from automl.ensemble.recipe import stacked
from automl.ensemble.scoring import Scorer, best_of, total


@dataclass(frozen=True)
class Crossed:
    """A way to answer, chosen anew without the units of each part.

    Attributes:
        predictions: per fold, by the choices that those units had no say in.
        keeps: per part, positions of the members that the answer is made of.
        combiners: per part, what combines all members; None when the one that is kept answers alone.
    """

    predictions: tuple[Predictions, ...]
    keeps: tuple[tuple[int, ...], ...]
    combiners: tuple[Combiner | None, ...]


class CrossFit:
    """Members over folds, and the parts that are held out in turn.

    Args:
        members: ``members[m][f]``.
        scorer: over the same folds.
        costs: (n_members,) seconds per one-unit prediction, to break ties.
        fold_values: (n_members, n_folds) values of the metric in its own direction, from ``scorer.table``.
        shown: the scorer's requests with the features' tables as X, for combiners that need them; None without.
        kin: see `make_parts`.
    """

    def __init__(
        self,
        members: Sequence[Sequence[Predictions]],
        scorer: Scorer,
        costs: FloatArray,
        fold_values: FloatArray,
        seed: int,
        shown: Sequence[Request] | None = None,
        kin: Sequence[AnyArray] | None = None,
    ) -> None:
        self.members, self.scorer, self.costs, self.seed, self.shown = members, scorer, costs, seed, shown
        self.parts: list[Part] = make_parts(scorer.sizes, seed, kin)
        self.cells = [(p, fold, rows) for p, part in enumerate(self.parts) for fold, rows in part.held.items()]
        self.cell_sizes = [self._size(fold, rows) for _, fold, rows in self.cells]
        if all(rows is None for _, _, rows in self.cells):
            self.values = fold_values[:, [fold for _, fold, _ in self.cells]]
        else:
            self.values = np.array([self.cell_values(member) for member in members])
        self.usable = np.asarray(np.isfinite(self.values).any(axis=0) if self.parts else np.zeros(0, dtype=bool))

    def _size(self, fold: int, rows: IntArray | None) -> float:
        truth, request = self.scorer.truths[fold], self.scorer.requests[fold]
        if rows is None:
            return self.scorer.counts[fold]
        return size_of(None if truth is None else truth.take(rows), request.take(rows))

    @property
    def metric(self) -> Metric:
        """What is being judged by."""
        return self.scorer.metric

    def requests(self, kind: type[Combiner]) -> Sequence[Request]:
        """Per fold, what a combiner of this class is shown."""
        return self.shown if kind.needs_features and self.shown is not None else self.scorer.requests

    def cell_values(self, folds: Sequence[Predictions]) -> list[float]:
        """The metric, in its own direction, on the held units of each part and fold."""
        return [self._cell(folds, {fold: rows}) for _, fold, rows in self.cells]

    def known(self, part: int) -> FloatArray:
        """(n_members,) scores on the units outside a part, higher is better."""
        kept = [c for c, (p, _, _) in enumerate(self.cells) if p != part and self.usable[c]]
        sizes = [self.cell_sizes[c] for c in kept]
        return np.array([total(self.metric, [row[c] for c in kept], sizes) for row in self.values])

    def single(self) -> Crossed:
        """The member that was best on the other parts."""
        chosen = [best_of(self.known(p), self.costs) for p in range(len(self.parts))]
        pieces = [cut(self.members[m], part.held) for m, part in zip(chosen, self.parts, strict=True)]
        return Crossed(self._joined(pieces), tuple((m,) for m in chosen), (None,) * len(chosen))

    def combined(self, kind: type[Combiner], ctx: CombineContext) -> Crossed:
        """Combiners fitted on the other parts, which know the members' scores there.

        Each part gets an equal share of the time until the deadline; `ctx.calls` are those of one part.
        """
        fitted, keeps, pieces = [], [], []
        for p, part in enumerate(self.parts):
            told = replace(self._told(ctx, p), scores=self.known(p))
            rest = [cut(member, part.rest) for member in self.members]
            combiner = self._fitted(kind, rest, part, told)
            held = [cut(member, part.held) for member in self.members]
            asked = cut_requests(self.requests(kind), part.held)
            pieces.append([combiner.apply([m[i] for m in held], request) for i, request in enumerate(asked)])
            fitted.append(combiner)
            keeps.append(tuple(int(m) for m in np.flatnonzero(combiner.weights())))
        return Crossed(self._joined(pieces), tuple(keeps), tuple(fitted))

    def stacked(self, kind: type[Combiner], base: Crossed, ctx: CombineContext) -> Crossed:
        """Combiners of the second layer over the base's answer and members, fitted and chosen on the other parts."""
        pieces = []
        for p, part in enumerate(self.parts):
            first, keep = base.combiners[p], base.keeps[p]
            told = self._told(ctx.of_members(keep), p)
            combiner = self._fitted(kind, self._inputs(first, keep, part.rest), part, told)
            asked = cut_requests(self.requests(kind), part.held)
            held = self._inputs(first, keep, part.held)
            pieces.append([combiner.apply([m[i] for m in held], request) for i, request in enumerate(asked)])
        return replace(base, predictions=self._joined(pieces))

    def _inputs(self, first: Combiner | None, keep: tuple[int, ...], places: Places) -> list[list[Predictions]]:
        """What a second layer is given on these places: the first answer and its members, each fold by fold."""
        members = [cut(member, places) for member in self.members]
        requests = cut_requests(self.requests(type(first)) if first else self.scorer.requests, places)
        folds = []
        for i, request in enumerate(requests):
            of_fold = [member[i] for member in members]
            answer = of_fold[keep[0]] if first is None else first.apply(of_fold, request)
            folds.append(stacked(answer, [of_fold[m] for m in keep]))
        return [list(member) for member in zip(*folds, strict=True)]

    def _fitted(
        self, kind: type[Combiner], members: Sequence[Sequence[Predictions]], part: Part, ctx: CombineContext
    ) -> Combiner:
        truths, requests = cut_truths(self.scorer.truths, part.rest), cut_requests(self.requests(kind), part.rest)
        return kind().fit(members, truths, requests, ctx)

    def _told(self, ctx: CombineContext, part: int) -> CombineContext:
        now = time.monotonic()
        until = now + (ctx.deadline - now) / (len(self.parts) - part)
        return replace(ctx, seed=self.seed + part, deadline=until)

    def _joined(self, pieces: Sequence[Sequence[Predictions]]) -> tuple[Predictions, ...]:
        return joined(self.parts, pieces, len(self.scorer.sizes))

    def _cell(self, folds: Sequence[Predictions], places: dict[int, object]) -> float:
        ((fold, rows),) = places.items()
        if rows is None:
            return self.scorer.value(fold, folds[fold])
        where = {fold: np.asarray(rows)}
        truths: list[Truth | None] = cut_truths(self.scorer.truths, where)
        requests: list[Request] = cut_requests(self.scorer.requests, where)
        return Scorer(truths, requests, self.metric).value(0, cut(folds, where)[0])
