"""The weighted mean finds the members that matter, keeps to its budgets and survives being saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contract import ArrayPredictions, CombineContext, Metric, Request, Truth
from automl.ensemble import WeightedMean
from automl.ensemble.evidence import Evidence, absolute_weights, error_weights, mixture_weights
from automl.ensemble.mean import VariedMean, power_mean


def fitted(case: Any, metric: Metric, seed: int = 0, **options: Any) -> WeightedMean:
    return WeightedMean().fit(case.members, case.truths, case.requests, CombineContext(metric, seed, **options))


def numbers(n: int, noise: list[float], seed: int = 0) -> tuple[list[list[ArrayPredictions]], Truth]:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    return [[ArrayPredictions("real", (y + s * rng.normal(size=n))[:, None])] for s in noise], Truth(y)


def test_few_members_are_kept_and_those_that_know_nothing_are_not(case: Callable[..., Any], log_loss: Metric) -> None:
    shares = fitted(case(3000, 3, [0.6] * 8 + [30.0] * 4), log_loss).weights()
    assert shares.sum() == pytest.approx(1)
    assert 3 <= np.count_nonzero(shares) <= 5
    assert shares[8:].sum() == 0


def test_of_every_family_only_the_best_is_weighed_where_units_are_few(
    case: Callable[..., Any], log_loss: Metric
) -> None:
    data = case(600, 3, [0.6, 0.5, 0.7, 0.6, 0.8, 0.6])
    ctx = CombineContext(log_loss, families=("a", "a", "b", "b", "c", "c"))
    shares = VariedMean().fit(data.members, data.truths, data.requests, ctx).weights()
    assert np.flatnonzero(shares).tolist() == [1, 3, 5]
    assert shares[[1, 3, 5]] == pytest.approx([1 / 3] * 3, abs=0.1)
    assert np.count_nonzero(fitted(data, log_loss).weights()) > 3


def test_more_members_may_have_a_share_where_more_are_allowed(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(4000, 3, [0.6] * 12)
    counts = [np.count_nonzero(fitted(data, log_loss, most=most).weights()) for most in (5, 16)]
    assert counts[0] <= 5 < counts[1] <= 12
    ctx = CombineContext(log_loss, families=("a",) * 6 + ("b",) * 6, most=16)
    assert np.count_nonzero(VariedMean().fit(data.members, data.truths, data.requests, ctx).weights()) > 5


def test_a_family_alone_may_send_several_members(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(600, 3, [0.6] * 6)
    ctx = CombineContext(log_loss, families=("a",) * 6)
    assert np.count_nonzero(VariedMean().fit(data.members, data.truths, data.requests, ctx).weights()) == 3


def test_weights_of_errors_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    E = np.array([0.5, 1.0, 2.0])[:, None] * rng.normal(size=(3, 20_000))
    w = error_weights(E, np.ones(20_000))
    assert w == pytest.approx(np.array([16, 4, 1]) / 21, abs=0.01)
    assert error_weights(np.zeros((2, 5)), np.ones(5)).tolist() == [1.0, 0.0]


def test_far_errors_of_one_member_count_less_where_absolute_errors_decide() -> None:
    rng = np.random.default_rng(0)
    E = rng.normal(size=(2, 20_000))
    E[0, ::200] *= 40
    squared, absolute = (weigh(E, np.ones(20_000)) for weigh in (error_weights, absolute_weights))
    assert squared[0] < 0.2
    assert absolute[0] > 0.4
    assert absolute_weights(np.zeros((2, 5)), np.ones(5)).sum() == pytest.approx(1)


def test_where_shares_of_the_truth_count_small_numbers_weigh_more() -> None:
    y = np.array([1.0, 100.0] * 500)
    near, far = np.where(y == 1, 0.1, 30.0), np.where(y == 1, 0.9, 3.0)
    members = [[ArrayPredictions("real", (y + wrong)[:, None])] for wrong in (near, far)]
    losses = {aim: Evidence.of(members, [Truth(y)], aim=aim).losses() for aim in ("median", "relative-median")}
    assert np.argmin(losses["median"]) == 1
    assert np.argmin(losses["relative-median"]) == 0


def test_weights_of_a_mixture_are_the_shares_it_was_mixed_with() -> None:
    rng = np.random.default_rng(0)
    from_first = rng.random(20_000) < 0.7
    x = np.where(from_first, rng.normal(size=20_000), 4 + rng.normal(size=20_000))
    L = np.exp(-0.5 * np.stack([x, x - 4]) ** 2)
    assert mixture_weights(L, np.ones(20_000)) == pytest.approx([0.7, 0.3], abs=0.01)


def test_units_without_weight_have_no_say() -> None:
    members, truth = numbers(4000, [1.0, 1.0])
    flawed = members[0][0].values.copy()
    flawed[:2000] += 50
    weight = np.repeat([0.0, 1.0], 2000)
    spoilt = [[ArrayPredictions("real", flawed)], members[1]]
    evidence = Evidence.of(spoilt, [Truth(truth.y, weight)])
    assert evidence.losses() == pytest.approx([1.0, 1.0], rel=0.1)
    assert evidence.weights(np.arange(2)) == pytest.approx([0.5, 0.5], abs=0.05)


def test_what_has_no_smooth_loss_is_refused(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(60, 2, [1.0, 1.0])
    data.truths = [None, None]
    with pytest.raises(TypeError, match="no smooth loss"):
        fitted(data, log_loss)
    wide = [[ArrayPredictions("real", np.zeros((5, 2)))]]
    with pytest.raises(TypeError, match="no smooth loss"):
        Evidence.of(wide, [Truth(np.zeros(5))])
    with pytest.raises(TypeError, match="no smooth loss"):
        Evidence.of([[ArrayPredictions("class_proba", np.ones((2, 2)))]], [Truth(np.array(["a", "b"]))])


def test_members_keep_to_the_latency_budget(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(1000, 3, [0.5, 1.0, 1.0, 1.0, 1.0, 1.0])
    costs = np.array([9.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    for budget in (1.0, 2.5, 4.0, 10.0):
        shares = fitted(data, log_loss, costs=tuple(costs.tolist()), budget=budget).weights()
        assert costs[shares > 0].sum() <= budget
    dear = fitted(data, log_loss, costs=(1.0,) * 6, budget=10.0).weights()
    cheap = fitted(data, log_loss, costs=(1.0,) * 6, budget=100.0).weights()
    assert [int(np.count_nonzero(shares)) for shares in (dear, cheap)] == [4, 5]


def test_probabilities_are_averaged_sharply_where_that_is_better(log_loss: Metric) -> None:
    rng = np.random.default_rng(0)
    z = 2 * rng.normal(size=4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-z))).astype(np.int64)

    def member(logits: Any) -> list[ArrayPredictions]:
        p = 1 / (1 + np.exp(-logits))
        return [ArrayPredictions("class_proba", np.column_stack([1 - p, p]))]

    part = rng.random(4000) < 0.5  # each member is timid where the other knows
    timid = [member(np.where(part, z * 2, 0)), member(np.where(part, 0, z * 2))]
    asked, ctx = [Request(np.arange(4000))], CombineContext(log_loss)
    assert WeightedMean().fit(timid, [Truth(y)], asked, ctx).exponent == 0.0
    rash = [member(np.where(part, z, 9 * rng.choice([-1, 1], 4000))), member(np.where(part, -9.0, z))]
    assert WeightedMean().fit(rash, [Truth(y)], asked, ctx).exponent == 1.0


def test_how_sharply_is_decided_by_the_weights_of_the_units(log_loss: Metric) -> None:
    """Units of no weight have no say: where timid members are right for them alone, all that counts is rash."""
    rng = np.random.default_rng(0)
    z = 2 * rng.normal(size=4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-z))).astype(np.int64)
    heavy, part = np.arange(4000) < 1000, rng.random(4000) < 0.5

    def member(logits: Any) -> list[ArrayPredictions]:
        p = 1 / (1 + np.exp(-logits))
        return [ArrayPredictions("class_proba", np.column_stack([1 - p, p]))]

    rash = [np.where(part, z, 9 * rng.choice([-1, 1], 4000)), np.where(part, -9.0, z)]
    timid = [np.where(part, z * 2, 0), np.where(part, 0, z * 2)]
    members = [member(np.where(heavy, bold, shy)) for bold, shy in zip(rash, timid, strict=True)]
    asked, ctx = [Request(np.arange(4000))], CombineContext(log_loss)
    weight = np.where(heavy, 1.0, 1e-6)
    assert WeightedMean().fit(members, [Truth(y, weight=weight)], asked, ctx).exponent == 1.0
    assert WeightedMean().fit(members, [Truth(y, weight=1.0 - weight)], asked, ctx).exponent == 0.0


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_a_power_mean_of_equals_is_the_same_and_of_others_a_distribution(exponent: float) -> None:
    p, q = np.array([[0.2, 0.3, 0.5]]), np.array([[0.0, 0.9, 0.1]])
    shares = np.array([0.25, 0.75])
    assert power_mean([p, p], shares, exponent) == pytest.approx(p)
    mixed = power_mean([p, q], shares, exponent)
    assert mixed.sum() == pytest.approx(1)
    assert mixed.argmax() == 1


def test_it_is_the_same_after_saving_and_for_the_same_seed(
    case: Callable[..., Any], log_loss: Metric, tmp_path: Path
) -> None:
    data = case(12_000, 3, [0.5, 0.6, 0.7, 30.0])
    one, other = fitted(data, log_loss, 3), fitted(data, log_loss, 3)
    assert np.array_equal(one.weights(), other.weights())
    keep = np.flatnonzero(one.weights()).tolist()
    fold = [member[0] for member in data.members]
    before = one.apply(fold, data.requests[0])
    one.without(keep).save(tmp_path)
    after = WeightedMean.load(tmp_path).apply([fold[m] for m in keep], data.requests[0])
    assert before.distance(after) == 0
