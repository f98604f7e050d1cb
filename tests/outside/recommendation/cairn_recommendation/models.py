"""Its models: what most users had, and what users with the same items had."""

from __future__ import annotations

import numpy as np

from automl.contract import Batch, Choice, FitContext, Float, Int, ModelPlugin, Request, SearchSpace

from .task import Rankings


class MostPopular(ModelPlugin):
    name = "most-popular"
    produces = "ranking"
    view = "events"
    baseline = True

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        self.counts = np.bincount(np.concatenate(train.X), minlength=ctx.n_outputs).astype(np.float64)

    def predict(self, request: Request) -> Rankings:
        return Rankings.of(np.tile(self.counts, (len(request), 1)), request.X)


class ItemNeighbours(ModelPlugin):
    """Cosine between items that the same users touched; a user's score is the sum over the history."""

    name = "item-neighbours"
    produces = "ranking"
    view = "events"
    space = SearchSpace(
        knobs={"shrink": Float(0.1, 100.0, log=True), "neighbours": Int(3, 60), "idf": Choice((False, True))},
        default={"shrink": 5.0, "neighbours": 20, "idf": False},
    )

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        seen = np.zeros((len(train.X), ctx.n_outputs))
        for row, items in zip(seen, train.X, strict=True):
            row[items] = 1.0
        popular = seen.sum(axis=0)
        together = seen.T @ seen
        similar = together / (np.sqrt(np.outer(popular, popular)) + self.params["shrink"])
        np.fill_diagonal(similar, 0.0)
        if self.params["idf"]:
            similar *= np.log1p(len(seen) / (1.0 + popular))[:, None]
        floor = np.sort(similar, axis=1)[:, -min(self.params["neighbours"], ctx.n_outputs)]
        self.similar = np.where(similar >= floor[:, None], similar, 0.0)
        self.popular = 1e-6 * popular / max(1.0, popular.max())

    def predict(self, request: Request) -> Rankings:
        scores = np.array([self.similar[history].sum(axis=0) for history in request.X]).reshape(len(request), -1)
        return Rankings.of(scores + self.popular, request.X)
