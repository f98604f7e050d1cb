"""Small metrics and members whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from automl.contract import (
    AnyArray,
    ArrayPredictions,
    CombineContext,
    Combiner,
    FloatArray,
    Metric,
    Predictions,
    Request,
    Truth,
)
from automl.ensemble import Blend, GreedyMean, blend


class LogLoss(Metric):
    name, greater_is_better = "log-loss", False

    def per_unit(self, truth: Any, predictions: Any, request: Request) -> FloatArray:
        chosen = predictions.values[np.arange(len(predictions)), truth.y]
        return np.asarray(-np.log(np.clip(chosen, 1e-15, 1)))

    def __call__(self, truth: Any, predictions: Any, request: Request) -> float:
        return float(self.per_unit(truth, predictions, request).mean())


class Rmse(Metric):
    name, greater_is_better = "rmse", False

    def per_unit(self, truth: Any, predictions: Any, request: Request) -> FloatArray:
        return np.asarray((predictions.values[:, 0] - truth.y) ** 2)

    def __call__(self, truth: Any, predictions: Any, request: Request) -> float:
        return float(np.sqrt(self.per_unit(truth, predictions, request).mean()))


class Auc(Metric):
    """Counts its calls; fails when one class is absent, as the usual ones do."""

    name = "auc"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, truth: Any, predictions: Any, request: Request) -> float:
        self.calls += 1
        ranks = np.argsort(np.argsort(predictions.values[:, 1])) + 1.0
        positive = truth.y == 1
        n = positive.sum()
        if n in (0, len(ranks)):
            raise ValueError("only one class")
        return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(ranks) - n)))


@dataclass
class Case:
    """Members over folds with their truths and requests, as `blend` takes them."""

    members: list[list[Predictions]]
    truths: list[Truth | None]
    requests: list[Request]

    def blend(self, metric: Metric, combiners: Sequence[type[Combiner]] = (), seed: int = 0, **options: Any) -> Blend:
        return blend(self.members, self.truths, self.requests, metric, combiners, seed, **options)

    def greedy(self, metric: Metric, seed: int = 0, **options: Any) -> GreedyMean:
        ctx = CombineContext(metric, seed, **options)
        return GreedyMean().fit(self.members, self.truths, self.requests, ctx)


def probabilities(logits: FloatArray) -> ArrayPredictions:
    p = 1 / (1 + np.exp(-logits))
    return ArrayPredictions("class_proba", np.column_stack([1 - p, p]))


def made(n: int, folds: int, noise: Sequence[float], seed: int = 0) -> Case:
    """Two classes; each member sees the truth's logit through noise of its own."""
    rng = np.random.default_rng(seed)
    logit = 1.5 * rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    rows: list[AnyArray] = np.array_split(np.arange(n), folds)
    members = [probabilities(logit + level * rng.normal(size=n)) for level in noise]
    return Case(
        [[member.take(r) for r in rows] for member in members], [Truth(y[r]) for r in rows], [Request(r) for r in rows]
    )


@pytest.fixture
def case() -> Callable[..., Case]:
    return made


@pytest.fixture
def log_loss() -> Metric:
    return LogLoss()


@pytest.fixture
def rmse() -> Metric:
    return Rmse()


@pytest.fixture
def auc() -> Auc:
    return Auc()
