"""Stackers correct what the first answer gets wrong, leave alone what it gets right, and survive being saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from automl.plugins.tabular.scores import log_loss_units, mean_metric, squared_units
from automl.plugins.tabular.stackers import BoostedStacker, LinearStacker, stackers

from automl.contract import (
    AnyArray,
    ArrayPredictions,
    Column,
    CombineContext,
    Combiner,
    Problem,
    Request,
    Table,
    Truth,
)
from automl.ensemble import blend, restored

N, FOLDS = 3000, 4
LOSS, RMSE = mean_metric("log_loss", log_loss_units), mean_metric("rmse", squared_units, finish="sqrt")


def classes(z: AnyArray) -> ArrayPredictions:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return ArrayPredictions("class_proba", e / e.sum(axis=1, keepdims=True))


class Case:
    """Two members that see half of the truth each; neither sees that one level of a category shifts it."""

    def __init__(self, outputs: int, shift: float = 0.0, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        level, z = rng.integers(0, 3, N), rng.normal(size=(N, max(outputs, 1)))
        moved = z.copy()
        moved[:, 0] += shift * (level == 1)
        if outputs == 1:
            self.truth = Truth(moved[:, 0] + 0.1 * rng.normal(size=N))
            self.members = [ArrayPredictions("real", z + 0.3 * rng.normal(size=z.shape)) for _ in range(2)]
        else:
            p = classes(moved).as_array()
            self.truth = Truth((p.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1).clip(0, outputs - 1))
            self.members = [classes(z + 0.3 * rng.normal(size=z.shape)) for _ in range(2)]
        number = Column("f0", "x", "numeric", rng.normal(size=N))
        self.table = Table((number, Column("f1", "level", "category", level.astype(np.int32), ("a", "b", "c"))), N)
        self.rows = np.array_split(np.arange(N), FOLDS)
        self.metric = RMSE if outputs == 1 else LOSS

    def requests(self, features: bool = True) -> list[Request]:
        return [Request(r, self.table.take(r) if features else None) for r in self.rows]

    def folds(self) -> list[list[ArrayPredictions]]:
        return [[member.take(r) for r in self.rows] for member in self.members]

    def truths(self) -> list[Truth]:
        return [self.truth.take(r) for r in self.rows]

    def fit(self, kind: type[Combiner], seed: int = 0) -> Combiner:
        return kind().fit(self.folds(), self.truths(), self.requests(), CombineContext(self.metric, seed))

    def blend(self, *kinds: type[Combiner]) -> Any:
        features = [self.table.take(r) for r in self.rows]
        return blend(self.folds(), self.truths(), self.requests(False), self.metric, kinds, features=lambda: features)


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_trees_find_what_no_member_knows_and_ship(outputs: int) -> None:
    case = Case(outputs, shift=1.5)
    chosen = case.blend(LinearStacker, BoostedStacker)
    assert isinstance(chosen.combiner.second, BoostedStacker)
    assert chosen.combiner.needs_features
    plain = case.blend()
    assert chosen.score > plain.score + 2 * plain.gain_se
    answer = chosen.apply([case.members[m] for m in chosen.keep], Request(np.arange(N)), case.table)
    assert answer.as_array().shape == (N, outputs)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("kind", [LinearStacker, BoostedStacker])
def test_where_there_is_nothing_to_learn_the_first_answer_stays(kind: type[Combiner], outputs: int) -> None:
    case = Case(outputs)
    rng = np.random.default_rng(1)
    if outputs == 1:
        case.truth = Truth(case.members[0].values[:, 0] + rng.normal(size=N))
    else:
        case.truth = Truth(
            (case.members[0].values.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1).clip(0, outputs - 1)
        )
    case.members = [case.members[0], case.members[0]]
    stack = case.fit(kind)
    moved = stack.apply(case.members, Request(np.arange(N), case.table))
    assert moved.distance(case.members[0]) < 0.5
    recipe = case.blend(kind).combiner
    assert recipe is None or recipe.second is None


def test_weights_that_sum_to_more_than_one_are_found() -> None:
    case = Case(1)
    case.members = [ArrayPredictions("real", 0.5 * member.values) for member in case.members]
    stack = case.fit(LinearStacker)
    assert isinstance(stack, LinearStacker)
    assert stack.w.sum() == pytest.approx(2, abs=0.15)
    assert (stack.w >= 0).all()


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("kind", [LinearStacker, BoostedStacker])
def test_the_answer_is_the_same_after_saving_and_for_the_same_seed(
    kind: type[Combiner], outputs: int, tmp_path: Path
) -> None:
    case = Case(outputs, shift=1.0)
    stack, again = case.fit(kind, 3), case.fit(kind, 3)
    asked = Request(np.arange(N), case.table)
    before = stack.apply(case.members, asked)
    assert before.distance(again.apply(case.members, asked)) == 0
    stack.save(tmp_path)
    assert before.distance(kind.load(tmp_path).apply(case.members, asked)) == 0
    assert sorted(file.suffix for file in tmp_path.iterdir()) in ([".json"], [".json", ".safetensors"])
    if outputs > 1:
        assert np.allclose(before.as_array().sum(axis=1), 1)
    one = kind.load(tmp_path).apply([m.take(np.array([7])) for m in case.members], asked.take(np.array([7])))
    assert np.allclose(one.as_array()[0], before.as_array()[7], atol=1e-12)


def test_a_recipe_of_two_layers_is_restored_with_the_tasks_own_combiners() -> None:
    case = Case(2, shift=1.5)
    chosen = case.blend(BoostedStacker)
    again = restored(chosen.combiner.state(), [LinearStacker, BoostedStacker])
    kept = [case.members[m] for m in chosen.keep]
    before = chosen.apply(kept, Request(np.arange(N)), case.table)
    assert before.distance(again.apply(kept, Request(np.arange(N)), case.table)) == 0
    assert chosen.combiner.name.startswith("varied-mean + boosted-stack")


def test_few_units_and_tasks_without_a_table_are_spared() -> None:
    case = Case(2, shift=1.5)
    without = blend(case.folds(), case.truths(), case.requests(False), LOSS, [BoostedStacker])
    assert without.combiner is None or without.combiner.second is None
    case.rows = [r[:500] for r in case.rows]
    assert case.blend(BoostedStacker).combiner.second is None


def test_stackers_suit_metrics_of_values_and_boosting_few_classes() -> None:
    def offered(metric: str, kind: str = "class_proba", outputs: int = 2) -> tuple[type[Combiner], ...]:
        found: tuple[type[Combiner], ...] = stackers(Problem("x", kind, {}, ("f0",), outputs, metric=metric))
        return found

    assert offered("log_loss") == (LinearStacker, BoostedStacker)
    assert offered("rmse", "real", 1) == (LinearStacker, BoostedStacker)
    assert offered("log_loss", outputs=26) == (LinearStacker,)
    assert offered("f1") == offered("function profit") == ()


def test_a_fold_without_truth_is_refused() -> None:
    case = Case(2)
    with pytest.raises(TypeError, match="a fold has none"):
        LinearStacker().fit(case.folds(), [None] * FOLDS, case.requests(), CombineContext(LOSS))


def test_boosting_ends_at_the_deadline() -> None:
    case = Case(2, shift=1.5)
    ctx = CombineContext(LOSS, deadline=time.monotonic() - 1)
    with pytest.raises(TimeoutError, match="than there is time for"):
        BoostedStacker().fit(case.folds(), case.truths(), case.requests(), ctx)


def test_a_number_that_is_missing_for_the_first_time_goes_with_most_rows() -> None:
    case = Case(1)
    years = np.random.default_rng(1).uniform(1900, 2000, N)
    case.truth = Truth(case.truth.y + 3.0 * (years > 1920))
    case.table = Table((case.table["f0"].over(years), case.table["f1"]), N)
    stacker = case.fit(BoostedStacker)
    unknown = Table((case.table["f0"].over(np.full(N, np.nan)), case.table["f1"]), N)
    moved = stacker.apply(case.members, Request(np.arange(N), unknown)).as_array() - case.members[0].as_array()
    assert np.median(moved) > 1.5


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_a_row_alone_is_corrected_as_in_a_batch(outputs: int) -> None:
    case = Case(outputs, shift=1.5)
    stacker = case.fit(BoostedStacker)
    together = stacker.apply(case.members, Request(np.arange(N), case.table)).as_array()
    for row in (0, 7):
        at = np.array([row])
        alone = stacker.apply([member.take(at) for member in case.members], Request(at, case.table.take(at)))
        np.testing.assert_allclose(alone.as_array(), together[at], rtol=1e-9)
