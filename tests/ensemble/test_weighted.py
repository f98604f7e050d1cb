"""A task's own combiner finds weights, and ends in time however slow the metric is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from automl.contract import (
    ArrayPredictions,
    CombineContext,
    FloatArray,
    Metric,
    Predictions,
    Request,
    Truth,
    WeightedCombiner,
)


class Mean(WeightedCombiner):
    name = "mean"

    def merge(self, members: Sequence[Any], weights: FloatArray, request: Request) -> Any:
        mixed = sum(w * member.as_array() for w, member in zip(weights, members, strict=True))
        return ArrayPredictions("real", np.asarray(mixed))


class Error(Metric):
    name, greater_is_better = "error", False

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def __call__(self, truth: Truth | None, predictions: Predictions, request: Request) -> float:
        time.sleep(self.seconds)
        assert truth is not None
        return float(np.mean((truth.y - predictions.as_array()[:, 0]) ** 2))


def fitted(metric: Metric, **known: Any) -> Mean:
    """Three members: too high, too low by a third of that, and useless."""
    y = np.arange(12.0)
    members = [[ArrayPredictions("real", (y + off)[:, None])] for off in (3.0, -1.0, 50.0)]
    return Mean().fit(members, [Truth(y)], [Request(np.arange(12))], CombineContext(metric, **known))


def test_weights_cancel_errors() -> None:
    assert fitted(Error()).weights() == pytest.approx([0.25, 0.75, 0.0])


def test_a_slow_metric_does_not_outlast_the_deadline() -> None:
    started = time.monotonic()
    combiner = fitted(Error(0.05), deadline=started + 0.2)
    assert time.monotonic() - started < 0.4
    assert combiner.weights().sum() == pytest.approx(1.0)
    assert combiner.weights()[1] > 0


def test_a_deadline_that_has_passed_still_leaves_an_answer() -> None:
    assert fitted(Error(), deadline=time.monotonic() - 1.0).weights() == pytest.approx([1.0, 0.0, 0.0])


def test_members_beyond_the_budget_get_no_weight() -> None:
    assert fitted(Error(), costs=(2.0, 9.0, 1.0), budget=3.0).weights()[1] == 0
    assert fitted(Error(), costs=(2.0, 1.0, 1.0), budget=3.0).weights() == pytest.approx([0.25, 0.75, 0.0])


def test_when_the_budget_holds_none_the_cheapest_answers() -> None:
    assert fitted(Error(), costs=(2.0, 3.0, 1.0), budget=0.5).weights() == pytest.approx([0.0, 0.0, 1.0])
