"""The three row-wise tasks: which data they claim, what they refuse, and in which type labels come back."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from automl.plugins.tabular.binary import Binary
from automl.plugins.tabular.multiclass import Multiclass
from automl.plugins.tabular.regression import Regression
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error, mean_squared_error

from automl.contract import (
    ArrayPredictions,
    DataError,
    FoldPlan,
    OptionError,
    Problem,
    Request,
    Table,
    TaskPlugin,
    Truth,
)
from automl.intake import ingest

N = 40


def loaded(task: TaskPlugin, y: Any, **more: Any) -> tuple[Problem, Table]:
    """The problem of a small table with this target; `more` are settings of the task."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=len(y)), "b": rng.normal(size=len(y))})
    beside = {role: more.pop(role, None) for role in ("sample_weight", "groups", "time")}
    intake = ingest(X, y, **beside)
    rows = np.arange(len(intake.table), dtype=np.int64)
    return task.load(intake.table, {**intake.roles, **more}, rows), intake.table


def claims(y: Any) -> dict[str, float]:
    intake = ingest(pd.DataFrame({"a": np.random.default_rng(0).normal(size=len(y))}), y)
    return {task.name: task.claims(intake.table, intake.roles) for task in (Binary(), Multiclass(), Regression())}


def answered(task: TaskPlugin, problem: Problem, codes: list[int]) -> Any:
    values = np.eye(problem.n_outputs)[codes]
    return task.answer(problem, ArrayPredictions("class_proba", values), Request(np.arange(len(codes))))


@pytest.mark.parametrize(
    ("y", "winner"),
    [
        ([0, 1] * 20, "binary"),
        ([True, False] * 20, "binary"),
        (["no", "yes"] * 20, "binary"),
        ([1.0, 2.0] * 20, "binary"),
        ([-1, 1] * 20, "binary"),
        (["a", "b", "c", "d"] * 10, "multiclass"),
        ([0, 1, 2] * 20, "multiclass"),
        ([1.0, 2.0, 3.0] * 20, "multiclass"),
        (np.arange(40), "regression"),
        (np.linspace(0, 1, 40), "regression"),
        ([0.5, 1.5, 2.5, 3.5] * 10, "regression"),
        (np.arange(60) % 30, "regression"),
    ],
)
def test_the_kind_and_number_of_labels_choose_the_task(y: Any, winner: str) -> None:
    found = claims(np.asarray(y))
    assert max(found, key=lambda name: found[name]) == winner


def test_without_a_target_no_row_task_claims_anything() -> None:
    intake = ingest(pd.DataFrame({"a": np.random.default_rng(0).normal(size=20)}))
    assert [task.claims(intake.table, intake.roles) for task in (Binary(), Multiclass(), Regression())] == [0, 0, 0]


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        (np.array([False, True]), np.bool_),
        (np.array([3, 8]), np.int64),
        (np.array([3, 8], dtype=np.int8), np.int8),
        (np.array([0.5, 2.0]), np.float64),
        (np.array(["no", "yes"], dtype=object), np.object_),
    ],
    ids=["bool", "int64", "int8", "float", "str"],
)
def test_labels_come_back_in_their_type(labels: Any, dtype: Any) -> None:
    task = Binary()
    problem, _ = loaded(task, np.tile(labels, 20))
    found = answered(task, problem, [0, 1, 1])
    assert found.dtype == dtype
    assert found.tolist() == labels[[0, 1, 1]].tolist()
    _, named = task.answer_proba(
        problem, ArrayPredictions("class_proba", np.array([[0.2, 0.8]])), Request(np.arange(1))
    )
    assert list(named) == labels.tolist()


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "string", "category"])
def test_labels_of_pandas_own_types_come_back_as_plain_ones(dtype: str) -> None:
    values: dict[str, list[Any]] = {"boolean": [True, False], "Int64": [1, 2]}
    y = values.get(dtype, ["x", "y"]) * 20
    task = Binary()
    problem, _ = loaded(task, pd.Series(y, dtype=dtype))
    assert sorted(answered(task, problem, [0, 1]).tolist()) == sorted(set(y))


def test_three_labels_come_back_sorted_as_columns() -> None:
    problem, _ = loaded(Multiclass(), np.array(["c", "a", "b"] * 15, dtype=object))
    assert problem.facts["classes"] == ["a", "b", "c"]
    assert problem.n_outputs == 3


def test_the_later_label_counts_as_positive_unless_named() -> None:
    y = np.array(["churned", "stayed"] * 20, dtype=object)
    assert loaded(Binary(), y)[0].facts["positive"] == 1
    assert loaded(Binary(), y, positive="churned")[0].facts["positive"] == 0
    with pytest.raises(DataError, match=r"positive-unknown.*'left'"):
        loaded(Binary(), y, positive="left")


def test_the_positive_class_turns_the_metric_round() -> None:
    y = np.array(["churned", "stayed"] * 20, dtype=object)
    problem, _ = loaded(Binary(), y, positive="churned")
    codes = np.array([0, 1] * 20)
    values = ArrayPredictions("class_proba", np.column_stack([0.3 + 0.4 * (codes == 0), 0.7 - 0.4 * (codes == 0)]))
    recall = Binary().metric(problem, "recall")
    assert recall(Truth(codes), values, Request(np.arange(40))) == 1.0


def test_a_threshold_moves_the_decision() -> None:
    from dataclasses import replace

    task = Binary()
    problem, _ = loaded(task, np.tile([0, 1], 20))
    values = ArrayPredictions("class_proba", np.array([[0.7, 0.3], [0.9, 0.1]]))
    request = Request(np.arange(2))
    assert task.answer(problem, values, request).tolist() == [0, 0]
    eager = replace(problem, facts={**problem.facts, "threshold": 0.25})
    assert task.answer(eager, values, request).tolist() == [1, 0]


def test_a_label_that_was_not_learnt_is_named_with_its_row() -> None:
    task = Multiclass()
    problem, table = loaded(task, np.array(["a", "b", "c"] * 15, dtype=object))
    few = Problem(**{**vars(problem), "facts": {**problem.facts, "classes": ["a", "b"]}})
    with pytest.raises(DataError, match=r"label-unknown.*'c'.*row 2"):
        task.truth(few, table, np.arange(5, dtype=np.int64))
    levels = table[problem.roles["target"]].over(np.full(N + 5, -1, dtype=np.int32))
    with pytest.raises(DataError, match=r"label-unknown.*missing or was not there at fit.*fit again"):
        task.codes(problem, levels)


@pytest.mark.parametrize(
    ("task", "y", "code"),
    [
        (Binary(), [1] * N, "target-one-class"),
        (Multiclass(), ["a"] * N, "target-one-class"),
        (Binary(), ["a", "b", "c", "d"] * 10, "target-not-binary"),
        (Regression(), ["a", "b", "c", "d"] * 10, "target-not-numeric"),
        (Regression(), [4.0] * N, "target-constant"),
    ],
)
def test_a_target_of_another_task_is_refused_with_a_code(task: TaskPlugin, y: Any, code: str) -> None:
    with pytest.raises(DataError) as caught:
        loaded(task, np.asarray(y))
    assert caught.value.code == code


def test_too_many_classes_are_refused() -> None:
    y = np.array([f"label {i % 1001}" for i in range(4004)], dtype=object)
    with pytest.raises(DataError, match="target-many-classes"):
        loaded(Multiclass(), y)


def test_one_class_with_weight_is_one_class() -> None:
    y = np.tile([0, 1], 20)
    with pytest.raises(DataError, match="target-one-class"):
        loaded(Binary(), y, sample_weight=y.astype(float))


def test_weights_reach_batch_and_truth_as_they_are() -> None:
    weight = np.linspace(0.1, 2, N)
    problem, table = loaded(Binary(), np.tile([0, 1], 20), sample_weight=weight)
    rows = np.array([3, 1, 20], dtype=np.int64)
    batch = Binary().batch(problem, table, rows, "matrix")
    truth = Binary().truth(problem, table, rows)
    assert batch.weight is not None
    assert truth is not None
    assert batch.weight.tolist() == truth.weight.tolist() == weight[rows].tolist()
    assert len(problem.features) == 2


def test_shares_of_classes_are_those_of_their_weight() -> None:
    problem, _ = loaded(Binary(), np.repeat([0, 1], [30, 10]), sample_weight=np.repeat([1.0, 3.0], [30, 10]))
    assert problem.facts["shares"].tolist() == [0.5, 0.5]


def test_rows_of_weight_0_make_no_class_and_no_bound() -> None:
    weight = np.where(np.arange(N) < N // 2, 0.0, 1.0)
    words = np.where(weight == 0, "unknown", np.where(np.arange(N) % 2, "yes", "no"))
    problem, table = loaded(Binary(), words.astype(object), sample_weight=weight)
    assert problem.facts["classes"] == ["no", "yes"]
    assert len(table) == N // 2
    problem, _ = loaded(Regression(), np.where(weight == 0, -999.0, np.linspace(0, 1, N)), sample_weight=weight)
    assert problem.facts["low"] >= 0


def test_customers_that_recur_are_learnt_from_only_while_they_are_not_judged() -> None:
    months, who = np.arange(N) // 4, np.arange(N) // 5
    problem, table = loaded(Regression(), np.linspace(0, 1, N) ** 2, time=months, groups=who)
    for fold in Regression().folds(problem, table, FoldPlan(3)):
        assert len(fold.train)
        assert not set(who[fold.train]) & set(who[fold.valid])
    problem, table = loaded(Regression(), np.linspace(0, 1, N) ** 2, time=months, groups=np.arange(N) % 2)
    with pytest.raises(DataError, match="groups-recur"):
        Regression().folds(problem, table, FoldPlan(3))


def test_rare_classes_are_noticed() -> None:
    problem, _ = loaded(Multiclass(), np.array(["a", "b"] * 20 + ["c", "c"], dtype=object))
    (finding,) = problem.findings
    assert finding.code == "class-rare"
    assert "'c'" in finding.what


def test_a_metric_goes_by_scikit_learns_names_too() -> None:
    binary, _ = loaded(Binary(), np.tile([0, 1], 20))
    number, _ = loaded(Regression(), np.random.default_rng(0).normal(size=N))
    assert Binary().metric(binary, "neg_log_loss").name == "log_loss"
    assert Regression().metric(number, "neg_mean_absolute_error").name == "mae"
    assert Regression().metric(number, "auto").name == "rmse"
    with pytest.raises(OptionError, match=r"'speed'.*rmse"):
        Regression().metric(number, "speed")
    with pytest.raises(OptionError, match="neither a name nor a function"):
        Regression().metric(number, 3)


def test_a_function_gets_labels_or_probabilities_as_it_asks() -> None:
    problem, _ = loaded(Binary(), np.tile(["no", "yes"], 20).astype(object))
    values = ArrayPredictions("class_proba", np.array([[0.2, 0.8], [0.6, 0.4]]))
    seen: list[Any] = []

    def labels(expected: Any, given: Any) -> float:
        seen.append((list(expected), list(given)))
        return 0.5

    def chances(expected: Any, given: Any) -> float:
        seen.append((list(expected), given.shape))
        return 0.25

    chances.needs_proba, chances.greater_is_better = True, False  # type: ignore[attr-defined]
    for function in (labels, chances):
        Binary().metric(problem, function)(Truth(np.array([1, 1])), values, Request(np.arange(2)))
    assert seen == [(["yes", "yes"], ["yes", "no"]), (["yes", "yes"], (2, 2))]
    assert Binary().metric(problem, chances).signed(0.25) == -0.25


def test_a_function_named_like_an_error_is_better_when_lower() -> None:
    problem, _ = loaded(Regression(), np.random.default_rng(0).normal(size=N))

    def biggest_error(expected: Any, given: Any) -> float:
        return float(np.abs(expected - given).max())

    def kept(expected: Any, given: Any) -> float:
        return 1.0

    def odd_loss(expected: Any, given: Any) -> float:
        return 1.0

    odd_loss.greater_is_better = True  # type: ignore[attr-defined]
    better = {f: Regression().metric(problem, f).greater_is_better for f in (biggest_error, kept, odd_loss)}
    assert better == {biggest_error: False, kept: True, odd_loss: True}
    tailored = Regression().metric(problem, functools.partial(biggest_error))
    assert (tailored.name, tailored.greater_is_better) == ("function biggest_error", False)


def test_a_function_that_measures_absolute_errors_has_models_learn_medians() -> None:
    problem, _ = loaded(Regression(), np.random.default_rng(0).normal(size=N))

    def cost(expected: Any, given: Any) -> float:
        return 1.0

    functions = (mean_absolute_error, mean_absolute_percentage_error, mean_squared_error, cost)
    aims = [Regression().metric(problem, function).aim for function in functions]
    assert aims == ["median", "relative-median", "mean", "mean"]
    cost.aim = "median"  # type: ignore[attr-defined]
    assert Regression().metric(problem, cost).aim == "median"
    cost.aim = "mode"  # type: ignore[attr-defined]
    with pytest.raises(OptionError, match="aim is 'mode'; choose one of"):
        Regression().metric(problem, cost)


def test_every_row_task_makes_folds_of_its_own_target() -> None:
    y = np.tile([0, 1, 1, 1], 20)
    problem, table = loaded(Binary(), y)
    for fold in Binary().folds(problem, table, FoldPlan(4, seed=0)):
        assert y[fold.valid].mean() == 0.75


def test_a_number_has_no_probabilities() -> None:
    problem, _ = loaded(Regression(), np.random.default_rng(0).normal(size=N))
    with pytest.raises(DataError, match="no-probabilities"):
        Regression().answer_proba(problem, ArrayPredictions("real", np.zeros((1, 1))), Request(np.arange(1)))
