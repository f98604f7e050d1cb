"""How many folds there are, how often over, and what a user's own folds must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from automl.plugins.tabular.regression import Regression
from sklearn.model_selection import GroupKFold, KFold, RepeatedKFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

from automl.contract import Column, DataError, Facts, FoldPlan, OptionError, PluginError, Problem, Table
from automl.search.folding import fold_count, given_folds, make_folds, training_rows
from automl.search.settings import PRESETS, Settings


def count(n_rows: int, *, cost: float = 0.001, bench: Any = None, **options: Any) -> int:
    families = [bench.family(f"m{i}", seconds=cost) for i in range(4)]
    facts = Facts("regression", "real", n_rows, 1, 0, 1)
    return fold_count(n_rows, facts, families, Settings(**options))[1]


def problem_of(table: Table, **roles: str) -> Problem:
    problem: Problem = Regression().load(table, {"target": "f1", **roles}, np.arange(len(table)))
    return problem


def folds_of(bench: Any, given: Any = None, n: int = 60, roles: dict[str, str] | None = None, **options: Any) -> Any:
    table = bench.table(n)
    groups = Column("f2", "g", "numeric", np.arange(n) % 12 + 0.0)
    table = Table((*table.columns, groups), n)
    problem = problem_of(table, **(roles or {}))
    settings = Settings(**{"n_trials": 3, **options})
    return make_folds(Regression(), problem, table, bench.facts, [bench.family("m")], settings, given)


@pytest.mark.parametrize(
    ("n_rows", "folds"), [(100, 8), (5_000, 8), (20_000, 5), (50_000, 4), (100_000, 3), (10**6, 1)]
)
def test_more_rows_need_fewer_folds(bench: Any, n_rows: int, folds: int) -> None:
    assert count(n_rows, bench=bench, deadline=1e9, seconds=1e6) == folds


def test_very_few_rows_have_fewer_folds_but_two(bench: Any) -> None:
    assert count(6, bench=bench, deadline=1e9, seconds=1e6) == 3
    assert count(2, bench=bench, deadline=1e9, seconds=1e6) == 2


def test_a_preset_bounds_the_folds(bench: Any) -> None:
    assert count(100, bench=bench, preset=PRESETS["fast"], deadline=1e9, seconds=1e6) == 3


def test_dear_models_have_fewer_folds(bench: Any) -> None:
    limit = Settings(deadline=1e9, seconds=60.0)
    facts = Facts("regression", "real", 1000, 1, 0, 1)

    def found(families: int, seconds: float, n_rows: int = 1000) -> tuple[int, int]:
        return fold_count(n_rows, facts, [bench.family(f"m{i}", seconds=seconds) for i in range(families)], limit)

    assert [found(6, seconds) for seconds in (0.1, 1.5, 2.4, 3.0)] == [(8, 8), (5, 5), (4, 4), (3, 3)]
    assert [found(families, 100.0) for families in (6, 10, 21)] == [(3, 3), (5, 2), (1, 1)]
    assert [found(6, seconds, 12_000) for seconds in (0.1, 2.4, 3.0)] == [(5, 5), (4, 4), (1, 1)]


def test_a_slow_machine_has_fewer_folds(bench: Any) -> None:
    limit = {"cost": 1.0, "bench": bench, "deadline": 1e9, "seconds": 60.0}
    assert count(1000, **limit) == 8
    assert count(1000, slowness=3.0, **limit) == 5


def test_the_latest_rows_are_judged_where_time_orders_them(bench: Any) -> None:
    options: dict[str, Any] = {"deadline": 1e9, "seconds": 12.0, "n_trials": None, "slowness": 4.0}
    folding = folds_of(bench, roles={"time": "f2"}, **options)
    assert max(int(fold.valid.max()) for fold in folding.folds) == 59
    assert int(folding.narrowed(1).folds[0].valid.max()) == 59


def test_counted_trials_have_folds_that_depend_on_nothing_but_size(bench: Any) -> None:
    assert {count(1000, cost=c, bench=bench, n_trials=3) for c in (0.001, 1.0, 1e6)} == {5}


def test_folds_of_our_own_are_made_once_however_few_the_rows(bench: Any) -> None:
    assert folds_of(bench, deadline=1e9, seconds=60.0, n_trials=None).repeats == 1


def test_all_models_get_the_same_folds_each_time(bench: Any) -> None:
    one, two, other = folds_of(bench, seed=3), folds_of(bench, seed=3), folds_of(bench, seed=4)
    assert all((a.valid == b.valid).all() for a, b in zip(one.folds, two.folds, strict=True))
    assert any(a.valid.tolist() != b.valid.tolist() for a, b in zip(one.folds, other.folds, strict=True))
    assert training_rows(one) == 48


FORMS: dict[str, Any] = {
    "pairs": [([0, 1, 2, 3], [4, 5]), ([2, 3, 4, 5], [0, 1])],
    "arrays": [(np.array([0, 1, 2, 3]), np.array([4, 5])), (np.array([2, 3, 4, 5]), np.array([0, 1]))],
    "numbers": [1, 1, -1, -1, 0, 0],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_users_folds_are_taken_in_each_form(form: str) -> None:
    pairs = given_folds(FORMS[form], 6)
    assert [valid.tolist() for _, valid in pairs] == [[4, 5], [0, 1]]
    assert [train.tolist() for train, _ in pairs] == [[0, 1, 2, 3], [2, 3, 4, 5]]


def test_a_splitter_is_taken_too() -> None:
    assert len(given_folds(KFold(4), 20)) == 4
    pairs = given_folds(TimeSeriesSplit(3), 20)
    assert all(train.max() < valid.min() for train, valid in pairs)


def test_a_users_folds_are_used_as_they_are(bench: Any) -> None:
    folding = folds_of(bench, [(range(40), range(40, 60))])
    assert (folding.repeats, folding.judged, folding.deployed) == (1, 1, 1)
    assert folding.folds[0].valid.tolist() == list(range(40, 60))


def test_a_splitter_that_repeats_itself_makes_repeats(bench: Any) -> None:
    folding = folds_of(bench, RepeatedKFold(n_splits=4, n_repeats=3, random_state=0))
    assert (folding.repeats, folding.judged, folding.deployed) == (3, 4, 4)


def test_a_row_is_validated_on_once_where_folds_overlap_otherwise(bench: Any) -> None:
    splitter = ShuffleSplit(5, test_size=0.3, random_state=0)
    asked = [valid for _, valid in splitter.split(np.zeros((60, 1)))]
    folding = folds_of(bench, splitter)
    validated = np.concatenate([fold.valid for fold in folding.folds])
    assert folding.repeats == 1
    assert sorted(validated) == sorted(set(np.concatenate(asked).tolist()))
    assert all(not set(fold.train) & set(fold.valid) for fold in folding.folds)


def test_folds_that_grow_are_as_those_of_a_time_the_largest_first(bench: Any) -> None:
    folding = folds_of(bench, TimeSeriesSplit(5))
    assert folding.in_time
    assert [len(fold.train) for fold in folding.folds] == [50, 40, 30, 20, 10]
    assert not folds_of(bench, KFold(5)).in_time


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([0, 1, 0], "shape"),
        ([([0, 1], [1, 2])], "disjoint"),
        ([([0, 1], [])], "empty"),
        ([([], [0, 1])], "empty"),
        ([([0, 1], [9])], "outside 0…5"),
        ([([0, -1], [3])], "outside 0…5"),
        ([], "empty"),
        ([-1] * 6, "empty"),
        ("abc", "folds"),
        (5, "folds"),
        ([0.5] * 6, "folds"),
        ([([0.5, 1], [3])], "row numbers"),
        ([([True, True, False, False], [False, False, True, True])], "row numbers"),
        (["a"] * 6, "folds"),
    ],
)
def test_what_is_wrong_with_a_users_folds_is_said(given: Any, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        given_folds(given, 6)


def test_a_splitter_is_given_the_target_and_the_groups(bench: Any) -> None:
    folding = folds_of(bench, GroupKFold(4), roles={"groups": "f2"})
    groups = np.arange(60) % 12
    assert len(folding.folds) == 4
    assert all(not set(groups[f.train]) & set(groups[f.valid]) for f in folding.folds)
    y = np.array([0, 1] * 10)
    assert all(y[valid].mean() == 0.5 for _, valid in given_folds(StratifiedKFold(5), 20, y))


def test_a_splitter_that_cannot_split_is_explained() -> None:
    with pytest.raises(OptionError, match=r"KFold.*number of splits"):
        given_folds(KFold(50), 6)


def test_a_task_that_makes_no_folds_is_an_error(bench: Any) -> None:
    task, table = Regression(), bench.table()
    task.folds = lambda problem, table, plan: []
    with pytest.raises((OptionError, DataError), match="no folds"):
        make_folds(task, problem_of(table), table, bench.facts, [], Settings(n_trials=1))


def test_folds_that_split_a_group_are_refused(bench: Any) -> None:
    class Careless(Regression):  # type: ignore[misc]
        def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Any:
            return plan.shuffled(len(table))

    table = bench.table(60)
    table = Table((*table.columns, Column("f2", "g", "numeric", np.arange(60) % 6 + 0.0)), 60)
    problem = problem_of(table, groups="f2")
    with pytest.raises(PluginError, match="rows of one group on both sides"):
        make_folds(Careless(), problem, table, bench.facts, [bench.family("m")], Settings(n_trials=3))


def test_what_a_window_leaves_out_has_not_been_seen(bench: Any) -> None:
    window = folds_of(bench, TimeSeriesSplit(5, max_train_size=10, test_size=5))
    assert window.unseen(60) == pytest.approx(50 / 60)
    assert folds_of(bench, KFold(5)).unseen(60) == pytest.approx(0.2)
