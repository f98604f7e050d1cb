"""The greedy mean finds members that help, keeps to its budgets and survives being saved."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contract import ArrayPredictions, CombineContext, Metric, Request, Truth
from automl.ensemble import GreedyMean


def score(fitted: GreedyMean, case: Any, metric: Metric) -> float:
    """The mean over folds of the combined predictions."""
    folds = [[member[f] for member in case.members] for f in range(len(case.requests))]
    values = [
        metric.score(truth, fitted.apply(fold, request), request)
        for fold, truth, request in zip(folds, case.truths, case.requests, strict=True)
    ]
    return float(np.mean(values))


def test_a_mean_of_independent_members_is_better_than_each(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(2000, 5, [1.0] * 8)
    fitted = data.greedy(log_loss)
    alone = []
    for member in range(8):
        one = GreedyMean.from_state({"shares": np.eye(8)[member]})
        alone.append(score(one, data, log_loss))
    assert score(fitted, data, log_loss) > max(alone) + 0.01
    assert fitted.weights().sum() == pytest.approx(1)
    assert np.count_nonzero(fitted.weights()) >= 4


def test_a_member_that_knows_nothing_gets_no_share(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(3000, 3, [0.8, 0.8, 0.8, 30.0, 30.0])
    shares = data.greedy(log_loss).weights()
    assert shares[3:].sum() == 0
    assert np.all(shares[:3] > 0)


def test_the_same_seed_gives_the_same_shares_and_another_need_not(case: Callable[..., Any], auc: Metric) -> None:
    data = case(600, 4, [1.0] * 12)
    first, again, other = (data.greedy(auc, seed=s).weights() for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_number_of_metric_calls_is_bounded(case: Callable[..., Any], auc: Any) -> None:
    data = case(600, 4, [1.0] * 30)
    data.greedy(auc, calls=500)
    assert auc.calls <= 600


def test_a_deadline_that_has_passed_still_gives_an_answer(case: Callable[..., Any], auc: Any) -> None:
    data = case(300, 3, [1.0] * 30)
    shares = data.greedy(auc, deadline=0.0).weights()
    assert shares.sum() == pytest.approx(1)
    assert auc.calls <= 3 * 30 + 20


def test_members_keep_to_the_latency_budget(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(1000, 3, [0.5, 1.0, 1.0, 1.0, 1.0, 1.0])
    costs = np.array([9.0, 1.0, 1.0, 1.0, 1.0, math.nan])
    for budget in (1.0, 2.5, 4.0, 10.0):
        shares = data.greedy(log_loss, costs=tuple(costs.tolist()), budget=budget).weights()
        assert np.nan_to_num(costs, nan=9.0)[shares > 0].sum() <= budget


def test_when_no_member_fits_the_budget_the_cheapest_ones_may_answer(
    case: Callable[..., Any], log_loss: Metric
) -> None:
    data = case(600, 3, [0.5, 1.0, 0.8])
    shares = data.greedy(log_loss, costs=(9.0, 1.0, 5.0), budget=0.1).weights()
    assert np.flatnonzero(shares).tolist() == [1]


def test_among_equal_members_the_cheaper_is_taken(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(500, 3, [1.0])
    data.members = [data.members[0], data.members[0]]
    shares = data.greedy(log_loss, costs=(2.0, 1.0), budget=2.5).weights()
    assert shares[1] >= 0.5


def test_on_little_data_the_shares_are_nearly_equal_and_on_much_they_are_not(
    case: Callable[..., Any], log_loss: Metric
) -> None:
    noise = [0.6, 0.9, 1.2, 1.5]
    small = case(200, 4, noise).greedy(log_loss).weights()
    large = case(12000, 4, noise).greedy(log_loss).weights()
    assert small[small > 0].min() >= 0.12
    assert large.max() > large.min() + 0.2


def test_on_little_data_every_family_selected_has_a_fair_share(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(200, 4, [0.8] * 6)
    mixed = data.greedy(log_loss, families=("a", "a", "a", "b", "b", "b")).weights()
    assert mixed[:3].sum() >= 0.3
    assert mixed[3:].sum() >= 0.3


def test_a_fold_that_the_metric_cannot_judge_is_left_out(case: Callable[..., Any], auc: Metric) -> None:
    data = case(400, 4, [0.3, 3.0, 3.0])
    data.truths[2] = Truth(np.zeros(100, dtype=np.int64))
    for known in (None, np.array([0.8, 0.6, 0.6])):
        shares = data.greedy(auc, scores=known).weights()
        assert np.argmax(shares) == 0


def test_several_outputs_are_averaged_together(rmse: Metric) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(300, 3))
    members = [[ArrayPredictions("real", y + rng.normal(size=y.shape))] for _ in range(5)]
    fitted = GreedyMean().fit(members, [Truth(y[:, 0])], [Request(np.arange(300))], CombineContext(rmse))
    out = fitted.apply([m[0] for m in members], Request(np.arange(300)))
    assert out.as_array().shape == (300, 3)
    assert out.kind == "real"


def test_dropping_members_without_a_share_changes_nothing(
    case: Callable[..., Any], log_loss: Metric, tmp_path: Path
) -> None:
    data = case(3000, 3, [0.8, 0.8, 30.0, 0.8])
    fitted = data.greedy(log_loss)
    keep = np.flatnonzero(fitted.weights()).tolist()
    assert len(keep) < 4
    fold = [member[0] for member in data.members]
    before = fitted.apply(fold, data.requests[0])
    fitted.without(keep).save(tmp_path)
    after = GreedyMean.load(tmp_path).apply([fold[m] for m in keep], data.requests[0])
    assert before.distance(after) == 0
    assert np.allclose(before.as_array().sum(axis=1), 1)


def test_a_large_pool_is_cut_but_keeps_what_is_unlike_the_rest(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(1500, 3, [1.0, 1.0])
    near = [
        [ArrayPredictions("class_proba", 0.998 * fold.as_array() + 0.001) for fold in data.members[0]]
        for _ in range(40)
    ]
    data.members = [data.members[0], *near, data.members[1]]
    shares = data.greedy(log_loss).weights()
    assert shares[-1] > 0.2


def test_predictions_that_cannot_be_averaged_are_refused() -> None:
    class Words(ArrayPredictions):
        def as_array(self) -> Any:
            raise TypeError("words have no mean")

    members = [[Words("words", np.zeros((4, 1)))] for _ in range(2)]
    with pytest.raises(TypeError, match="no mean"):
        GreedyMean().fit(members, [None], [Request(np.arange(4))], CombineContext(_Zero()))


class _Zero(Metric):
    def __call__(self, truth: Any, predictions: Any, request: Request) -> float:
        return 0.0
