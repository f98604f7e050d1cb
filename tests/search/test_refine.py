"""What a task learns from honest predictions is judged on units that it was not learnt from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from automl.plugins.tabular.binary import Binary
from automl.plugins.tabular.regression import Regression

from automl.contract import ArrayPredictions, Problem, Request, Truth
from automl.search.refine import refined

FACTS = {"classes": [0, 1], "origin": "int64", "shares": np.array([0.5, 0.5]), "positive": 1}
NUMBERS = Problem("regression", "real", {"target": "f1"}, ("f0",), 1, {}, "rmse")


def noise(seed: int, sizes: list[int]) -> tuple[list[Any], list[Any], list[Any]]:
    """Predictions that say nothing about the truth, per fold."""
    rng = np.random.default_rng(seed)
    chances = [rng.random(n) for n in sizes]
    predictions = [ArrayPredictions("class_proba", np.column_stack([1 - p, p])) for p in chances]
    return predictions, [Truth(rng.integers(0, 2, n)) for n in sizes], [Request(np.arange(n)) for n in sizes]


def judged(seed: int, sizes: list[int], metric: str, **more: Any) -> Any:
    problem = Problem("binary", "class_proba", {"target": "f1"}, ("f0",), 2, FACTS, metric)
    return refined(Binary(), problem, metric, Binary().metric(problem, metric), *noise(seed, sizes), **more)


@pytest.mark.parametrize("sizes", [[20, 20, 20], [60], [30, 30]])
def test_a_threshold_tuned_on_noise_promises_nothing(sizes: list[int]) -> None:
    found = [judged(seed, sizes, "balanced_accuracy") for seed in range(30)]
    assert np.mean([one.score for one in found]) == pytest.approx(0.5, abs=0.025)
    assert np.mean([one.score + one.optimism for one in found]) > 0.53
    assert all("threshold" in one.problem.facts for one in found)


def test_without_time_to_judge_it_the_score_is_that_of_the_threshold_found() -> None:
    found = judged(3, [60], "balanced_accuracy", seconds=0.0)
    assert found.optimism == 0.0
    assert found.score >= judged(3, [60], "balanced_accuracy").score


def test_where_nothing_is_learnt_the_score_is_the_metric() -> None:
    predictions, truths, requests = noise(0, [30, 30, 30])
    found = judged(0, [30, 30, 30], "log_loss")
    metric = found.metric
    values = [metric(t, p, r) for t, p, r in zip(truths, predictions, requests, strict=True)]
    assert found.score == pytest.approx(-np.mean(values))
    assert found.optimism == 0.0


def test_a_metric_that_fails_at_the_end_leaves_the_run_without_a_score_but_alive() -> None:
    class Moody(type(Regression().metric(NUMBERS, "rmse"))):  # type: ignore[misc]
        def __call__(self, *given: Any) -> float:
            raise ValueError("not today")

    moody = Moody("rmse", lambda y, p, w: 0.0)
    task = type("Task", (Regression,), {"metric": lambda self, problem, wanted: moody})()
    given = [ArrayPredictions("real", np.ones((9, 1)))], [Truth(np.zeros(9))], [Request(np.arange(9))]
    assert math.isnan(refined(task, NUMBERS, "rmse", moody, *given).score)


def test_a_refinement_that_fails_is_done_without() -> None:
    class Failing(Regression):  # type: ignore[misc]
        def refine(self, *given: Any) -> Problem:
            raise ZeroDivisionError

    given = [ArrayPredictions("real", np.ones((9, 1)))], [Truth(np.zeros(9))], [Request(np.arange(9))]
    found = refined(Failing(), NUMBERS, "rmse", Failing().metric(NUMBERS, "rmse"), *given)
    assert found.problem is NUMBERS
    assert math.isclose(found.score, -1.0)
