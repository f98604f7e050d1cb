"""The interval covers the score on new data about as often as it says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from automl.contract import ArrayPredictions, Metric, Predictions, Request, Truth
from automl.ensemble import score_interval, selection_optimism


def coverage(case: Callable[..., Any], metric: Metric, seen: int, folds: int, new: int, runs: int) -> float:
    """Share of simulations in which a fresh test score lies in the 90 % interval."""
    hits = 0
    for seed in range(runs):
        data = case(seen, folds, [0.7], seed)
        fresh = case(new, 1, [0.7], 10_000 + seed)
        low, high = score_interval(data.members[0], data.truths, data.requests, metric, new, 0.9, seed=seed)
        hits += low <= metric.score(fresh.truths[0], fresh.members[0][0], fresh.requests[0]) <= high
    return hits / runs


@pytest.mark.parametrize(("seen", "folds", "new"), [(400, 5, 100), (250, 1, 1000)])
def test_ninety_percent_intervals_of_a_mean_cover(
    case: Callable[..., Any], log_loss: Metric, seen: int, folds: int, new: int
) -> None:
    assert 0.85 <= coverage(case, log_loss, seen, folds, new, 100) <= 0.97


@pytest.mark.parametrize(("seen", "folds", "new"), [(400, 5, 150), (250, 1, 1000)])
def test_ninety_percent_intervals_of_a_ranking_metric_cover(
    case: Callable[..., Any], auc: Metric, seen: int, folds: int, new: int
) -> None:
    assert 0.85 <= coverage(case, auc, seen, folds, new, 100) <= 0.97


def test_a_ranking_metric_is_called_a_bounded_number_of_times(case: Callable[..., Any], auc: Any) -> None:
    data = case(2000, 5, [0.7])
    score_interval(data.members[0], data.truths, data.requests, auc, 500)
    assert auc.calls <= 205


def test_the_interval_narrows_with_more_new_units_but_not_below_what_is_known(
    case: Callable[..., Any], log_loss: Metric
) -> None:
    data = case(500, 5, [0.7])
    widths = []
    for n in (1, 20, 500, 10**9):
        low, high = score_interval(data.members[0], data.truths, data.requests, log_loss, n)
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > 0.03


def test_a_higher_level_gives_a_wider_interval(case: Callable[..., Any], auc: Metric) -> None:
    data = case(500, 5, [0.7])
    narrow = score_interval(data.members[0], data.truths, data.requests, auc, 100, 0.5)
    wide = score_interval(data.members[0], data.truths, data.requests, auc, 100, 0.95)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_a_score_that_cannot_exceed_one_has_no_interval_that_does(case: Callable[..., Any], auc: Metric) -> None:
    data = case(400, 5, [0.0])
    for member in data.members[0]:
        member.values = np.round(member.values)
    truths = [Truth(member.values[:, 1].astype(np.int64)) for member in data.members[0]]
    truths[0].y[0] = 1 - truths[0].y[0]
    low, high = score_interval(data.members[0], truths, data.requests, auc, 50)
    assert low < high <= 1


def test_optimism_lowers_the_lower_end_only(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(500, 5, [0.7])
    plain = score_interval(data.members[0], data.truths, data.requests, log_loss, 100)
    wary = score_interval(data.members[0], data.truths, data.requests, log_loss, 100, optimism=0.1)
    assert wary[0] == pytest.approx(plain[0] - 0.1)
    assert wary[1] == plain[1]


def test_a_square_root_of_a_mean_stays_above_zero(rmse: Metric) -> None:
    y = np.zeros(30)
    values = np.zeros((30, 1))
    values[0] = 5.0
    predictions = [ArrayPredictions("real", values)]
    low, high = score_interval(predictions, [Truth(y)], [Request(np.arange(30))], rmse, 10)
    assert low < -1
    assert high <= 0


def test_a_metric_that_cannot_be_computed_promises_nothing(case: Callable[..., Any], auc: Metric) -> None:
    data = case(100, 2, [0.7])
    truths = [Truth(np.zeros(50, dtype=np.int64)) for _ in range(2)]
    assert score_interval(data.members[0], truths, data.requests, auc, 10) == (-math.inf, math.inf)


def test_resamples_on_which_the_metric_fails_are_left_out(case: Callable[..., Any], auc: Metric) -> None:
    data = case(300, 3, [0.7])
    truths = [Truth((np.arange(100) < 4).astype(np.int64)) for _ in range(3)]
    low, high = score_interval(data.members[0], truths, data.requests, auc, 40)
    assert 0 <= low < high <= 1


def test_the_best_of_many_equal_candidates_is_flattered_and_one_that_is_truly_better_is_not() -> None:
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=(30, 5))
    assert selection_optimism(noise, [100] * 5) > 0.002
    noise[3] += 1
    assert selection_optimism(noise, [100] * 5) == pytest.approx(0)
    undefined = np.column_stack([noise, np.full(len(noise), np.nan)])
    assert selection_optimism(undefined, [100] * 6) == pytest.approx(selection_optimism(noise, [100] * 5))
    assert selection_optimism(noise[:1], [100] * 5) == 0
    assert selection_optimism(noise[:, :1], [100]) == 0


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
def test_an_interval_holds_where_units_of_a_group_err_alike(request: pytest.FixtureRequest, metric: str) -> None:
    """Sixty times 40 groups of 25 units: 90 % intervals of what 40 new groups will score, with and without."""
    figure, kept = request.getfixturevalue(metric), {"groups": 0, "none": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sides = [_grouped(rng) for _ in range(2)]
        told, later = [(p, t, r) for p, t, r, _ in sides]
        score = float(figure.score(later[1], later[0], later[2]))
        for name, groups in (("groups", [sides[0][3]]), ("none", None)):
            low, high = score_interval([told[0]], [told[1]], [told[2]], figure, 1000, groups=groups)
            kept[name] += low <= score <= high
    assert kept["groups"] >= 47
    assert kept["none"] <= 40


def _grouped(rng: np.random.Generator) -> tuple[Predictions, Truth, Request, Any]:
    """Units that the model and the truth hardly tell apart within their group."""
    groups = np.repeat(np.arange(40), 25)
    seen, unseen = rng.normal(size=(2, 40))[:, groups]
    truth = (seen + unseen + 0.3 * rng.normal(size=1000) > 0).astype(np.int64)
    said = 1 / (1 + np.exp(-(seen + 0.3 * rng.normal(size=1000))))
    return ArrayPredictions("class_proba", np.column_stack([1 - said, said])), Truth(truth), Request(groups), groups


@pytest.mark.parametrize("n", [1, 5, 50])
def test_no_score_is_promised_that_cannot_be(case: Callable[..., Any], log_loss: Metric, n: int) -> None:
    data = case(200, 4, [0.7])
    log_loss.bounds = (0.0, math.inf)
    low, high = score_interval(data.members[0], data.truths, data.requests, log_loss, n)
    assert low < high <= 0.0


def test_where_most_samples_of_that_size_have_no_score_anything_may_come(case: Callable[..., Any], auc: Metric) -> None:
    data = case(200, 4, [0.7])
    auc.bounds = (0.0, 1.0)
    assert score_interval(data.members[0], data.truths, data.requests, auc, 1) == (0.0, 1.0)
    low, high = score_interval(data.members[0], data.truths, data.requests, auc, 100)
    assert 0.0 < low < high <= 1.0
