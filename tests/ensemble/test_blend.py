"""A mean ships unless it is clearly worse than the best single member; anything else only when it is better."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pytest

from automl.contract import ArrayPredictions, CombineContext, Combiner, FloatArray, Metric, Predictions, Request, Truth
from automl.ensemble import Blend, GreedyMean, VariedMean, WeightedMean, blend


def layer(chosen: Blend) -> Combiner | None:
    """The first layer of what ships."""
    return None if chosen.combiner is None else chosen.combiner.first


class First(Combiner):
    """Answers with the first member; cannot drop the others."""

    name = "first"

    def fit(
        self,
        members: Sequence[Sequence[Predictions]],
        truths: Sequence[Truth | None],
        requests: Sequence[Request],
        ctx: CombineContext,
    ) -> Self:
        self.n_members = len(members)
        return self

    def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
        assert len(members) == self.n_members
        return members[0]

    def weights(self) -> FloatArray:
        return np.asarray(np.eye(self.n_members)[0])


class Broken(First):
    name = "broken"

    def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
        raise RuntimeError("no such luck")


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_independent_members_are_combined_and_the_gain_is_real(
    case: Callable[..., Any], log_loss: Metric, folds: int
) -> None:
    data = case(1500, folds, [1.0] * 6)
    chosen = data.blend(log_loss, seed=0)
    first = layer(chosen)
    assert isinstance(first, WeightedMean)
    assert chosen.gain > 2 * chosen.gain_se > 0
    assert sum(chosen.weights) == pytest.approx(1)
    assert len(chosen.keep) == len(chosen.weights) == len(first.weights()) <= 5
    values = [
        log_loss.score(t, p, r) for t, p, r in zip(data.truths, chosen.fold_predictions, data.requests, strict=True)
    ]
    assert chosen.score == pytest.approx(np.mean(values))
    assert [len(p) for p in chosen.fold_predictions] == [len(r) for r in data.requests]


def test_one_good_member_among_hopeless_ones_answers_alone(case: Callable[..., Any], auc: Metric) -> None:
    data = case(4000, 4, [0.0, 30.0, 30.0])
    chosen = data.blend(auc, seed=0)
    assert (chosen.keep, chosen.weights, chosen.single) == ((0,), (1.0,), 0)
    assert chosen.gain <= 0
    fold = [data.members[0][0]]
    assert chosen.apply(fold, data.requests[0]).distance(fold[0]) < 0.02


def test_asked_for_one_member_alone_it_answers_as_it_is(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(1500, 5, [1.0] * 6)
    chosen = data.blend(log_loss, seed=0, alone=True)
    assert chosen.combiner is None
    assert len(chosen.keep) == 1
    fold = [data.members[chosen.keep[0]][0]]
    assert chosen.apply(fold, data.requests[0]) is fold[0]
    assert chosen.score <= chosen.apparent


def test_asked_for_greedy_selection_the_means_are_selected_greedily(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(800, 5, [1.0] * 6)
    assert isinstance(layer(data.blend(log_loss, seed=0)), WeightedMean)
    assert isinstance(layer(data.blend(log_loss, seed=0, greedy=True)), GreedyMean)


def test_the_kept_members_give_the_answer_the_combiner_was_fitted_for(
    case: Callable[..., Any], log_loss: Metric
) -> None:
    data = case(3000, 3, [0.5, 30.0, 0.5, 0.5])
    chosen = data.blend(log_loss, seed=0)
    assert 1 not in chosen.keep
    fold = [data.members[m][0] for m in chosen.keep]
    whole = VariedMean().fit(data.members, data.truths, data.requests, CombineContext(log_loss))
    expected = whole.apply([member[0] for member in data.members], data.requests[0])
    first = layer(chosen)
    assert first is not None
    assert first.apply(fold, data.requests[0]).distance(expected) < 1e-12


def test_the_score_is_not_flattered_by_choosing_among_many_lucky_members(log_loss: Metric) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    rows = np.array_split(np.arange(200), 5)
    members = []
    for _ in range(40):
        p = np.clip(0.5 + 0.2 * rng.normal(size=200), 0.01, 0.99)
        whole = ArrayPredictions("class_proba", np.column_stack([1 - p, p]))
        members.append([whole.take(r) for r in rows])
    chosen = blend(members, [Truth(y[r]) for r in rows], [Request(r) for r in rows], log_loss, seed=0)
    assert chosen.score < -math.log(2)
    assert chosen.apparent > chosen.score
    assert chosen.optimism == pytest.approx(chosen.apparent - chosen.score)


def test_the_same_seed_gives_the_same_blend(case: Callable[..., Any], auc: Metric) -> None:
    data = case(500, 2, [1.0] * 6)
    first, again = (data.blend(auc, seed=3) for _ in range(2))
    assert (first.keep, first.weights, first.score) == (again.keep, again.weights, again.score)


@pytest.mark.parametrize("folds", [1, 4])
def test_one_member_answers_alone(case: Callable[..., Any], log_loss: Metric, folds: int) -> None:
    data = case(100, folds, [1.0])
    chosen = data.blend(log_loss, seed=0)
    assert (chosen.keep, chosen.weights, chosen.gain) == ((0,), (1.0,), 0.0)
    assert layer(chosen) is None


def test_too_few_units_to_split_leave_the_best_single_member(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(1, 1, [0.1, 5.0])
    chosen = data.blend(log_loss, seed=0)
    assert chosen.combiner is None
    assert math.isfinite(chosen.score)


def test_tasks_without_truth_are_blended_too() -> None:
    class Tightness(Metric):
        def __call__(self, truth: Truth | None, predictions: Predictions, request: Request) -> float:
            assert truth is None
            return -float(predictions.as_array().std())

    rng = np.random.default_rng(0)
    members = [[ArrayPredictions("real", rng.normal(size=(60, 1)))] for _ in range(4)]
    chosen = blend(members, [None], [Request(np.arange(60))], Tightness(), seed=0)
    assert chosen.combiner is not None
    assert chosen.gain > 0


def test_a_tasks_own_combiner_goes_the_same_way(case: Callable[..., Any], log_loss: Metric) -> None:
    class Product(First):
        name = "product"

        def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
            values = np.prod([m.as_array() for m in members], axis=0) ** (1 / len(members))
            return ArrayPredictions(members[0].kind, values / values.sum(axis=1, keepdims=True))

    data = case(800, 4, [1.5, 1.0, 1.0])
    assert isinstance(layer(data.blend(log_loss, [First], seed=0)), WeightedMean)
    for member in data.members:
        for fold in member:
            fold.kind = "ranking"
    assert layer(data.blend(log_loss, [First], seed=0)) is None
    chosen = data.blend(log_loss, [First, Product], seed=0)
    assert isinstance(layer(chosen), Product)
    assert len(chosen.apply([m[0] for m in data.members], data.requests[0])) == 200


def test_members_that_a_combiner_cannot_drop_are_kept(log_loss: Metric, case: Callable[..., Any]) -> None:
    data = case(300, 3, [2.0, 1.0])
    for member in data.members:
        for fold in member:
            fold.kind = "ranking"

    class Sure(First):
        name, margin = "sure", -99.0

    assert data.blend(log_loss, [Sure], seed=0).keep == (0, 1)


def test_every_combiner_is_told_the_same_about_the_members_that_fit_the_budget(
    case: Callable[..., Any], log_loss: Metric
) -> None:
    told: list[CombineContext] = []

    class Listener(First):
        name = "listener"

        def fit(
            self,
            members: Sequence[Sequence[Predictions]],
            truths: Sequence[Truth | None],
            requests: Sequence[Request],
            ctx: CombineContext,
        ) -> Self:
            told.append(ctx)
            return super().fit(members, truths, requests, ctx)

    options = {"costs": [9.0, 1.0, math.nan, 2.0], "families": ["a", "b", "c", "d"], "calls": 100.0}
    case(800, 4, [1.0, 1.0, 1.0, 1.0]).blend(log_loss, [Listener], seed=3, budget=9.5, **options)
    case(800, 4, [1.0, 1.0, 1.0, 1.0]).blend(log_loss, [Listener], seed=3, budget=5.0, **options)
    small = [ctx for ctx in told if ctx.budget == 5.0]
    assert {ctx.families for ctx in told} == {("a", "b", "c", "d"), ("b", "d")}
    assert {ctx.costs for ctx in small} == {(1.0, 2.0)}
    assert all(ctx.scores is not None and ctx.scores.shape == (2,) for ctx in small)
    assert all(ctx.metric is log_loss and ctx.calls is not None and 0 < ctx.calls <= 40 for ctx in told)
    assert {ctx.seed for ctx in small} >= {3, 4}


def test_other_kinds_without_a_combiner_of_their_own_use_the_best_single(
    case: Callable[..., Any], log_loss: Metric
) -> None:
    data = case(300, 3, [1.0, 0.1])
    for member in data.members:
        for fold in member:
            fold.kind = "ranking"
    assert data.blend(log_loss, seed=0).keep == (1,)


def test_a_combiner_that_raises_is_skipped_and_recorded(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(800, 4, [1.0, 1.0, 1.0])
    chosen = data.blend(log_loss, [Broken, GreedyMean], seed=0)
    assert isinstance(layer(chosen), WeightedMean)
    assert chosen.failures == ("broken: RuntimeError: no such luck",)


def test_a_metric_that_always_fails_still_leaves_an_answer(case: Callable[..., Any]) -> None:
    class Never(Metric):
        def __call__(self, truth: Any, predictions: Any, request: Request) -> float:
            raise ZeroDivisionError

    chosen = case(90, 3, [1.0, 1.0]).blend(Never(), seed=0)
    assert (chosen.combiner, chosen.keep, chosen.score) == (None, (0,), -math.inf)


def test_the_latency_budget_holds_for_every_choice(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(800, 4, [0.1, 1.0, 1.0, 1.0])
    costs = [9.0, 1.0, 2.0, 3.0]
    for combiners in ([GreedyMean], [First]):
        chosen = data.blend(log_loss, combiners, seed=0, costs=costs, budget=4.0)
        assert 0 not in chosen.keep
        assert sum(costs[m] for m in chosen.keep) <= 4.0


def test_without_time_the_best_single_answers_and_says_why(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(800, 4, [1.0, 1.0, 1.0])
    chosen = data.blend(log_loss, seed=0, deadline=time.monotonic() - 1)
    assert layer(chosen) is None
    assert "no time left" in chosen.failures[0]


def test_values_that_the_caller_knows_are_not_computed_again(case: Callable[..., Any], auc: Any) -> None:
    data = case(600, 3, [1.0, 1.0, 0.5])
    plain = data.blend(auc, seed=0)
    pairs = [list(zip(data.truths, member, data.requests, strict=True)) for member in data.members]
    values = np.array([[auc(*fold) for fold in member] for member in pairs])
    known = data.blend(auc, seed=0, fold_values=values)
    assert (known.keep, known.weights, known.score) == (plain.keep, plain.weights, plain.score)
