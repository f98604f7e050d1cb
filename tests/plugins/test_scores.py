"""Every metric says what scikit-learn's says, with ties and with weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from automl.plugins.tabular.binary import Binary
from automl.plugins.tabular.multiclass import Multiclass
from automl.plugins.tabular.regression import Regression
from sklearn import metrics as reference

from automl.contract import ArrayPredictions, Metric, Problem, Request, Truth, size_of

SEEDS = range(6)
Figure = Callable[..., float]


def scored(metric: Metric, y: Any, values: Any, weight: Any) -> float:
    kind = "class_proba" if values.shape[1] > 1 else "real"
    return metric(Truth(y, weight), ArrayPredictions(kind, values), Request(np.arange(len(y))))


def weights(rng: np.random.Generator, n: int, weighted: bool) -> Any:
    """Positive weights with some zeros, or none."""
    return np.where(rng.random(n) < 0.1, 0.0, rng.exponential(size=n)) if weighted else None


def probabilities(rng: np.random.Generator, n: int, k: int) -> Any:
    """Rows that sum to one, on a coarse grid so that many are tied."""
    raw = rng.integers(1, 6, (n, k)).astype(float)
    return raw / raw.sum(axis=1, keepdims=True)


def binary(positive: int = 1, **facts: Any) -> Problem:
    shares = np.array([0.5, 0.5])
    known = {"classes": [0, 1], "origin": "int64", "positive": positive, "shares": shares, **facts}
    return Problem("binary", "class_proba", {"target": "f0"}, (), 2, known)


def many(k: int) -> Problem:
    facts = {"classes": list(range(k)), "origin": "int64", "shares": np.full(k, 1 / k)}
    return Problem("multiclass", "class_proba", {"target": "f0"}, (), k, facts)


NUMBERS = Problem("regression", "real", {"target": "f0"}, (), 1, {})

BINARY: dict[str, Figure] = {
    "roc_auc": lambda y, p, w: reference.roc_auc_score(y, p[:, 1], sample_weight=w),
    "average_precision": lambda y, p, w: reference.average_precision_score(y, p[:, 1], sample_weight=w),
    "log_loss": lambda y, p, w: reference.log_loss(y, p, sample_weight=w, labels=[0, 1]),
    "brier": lambda y, p, w: reference.brier_score_loss(y, p[:, 1], sample_weight=w),
    "accuracy": lambda y, p, w: reference.accuracy_score(y, p[:, 1] >= 0.5, sample_weight=w),
    "balanced_accuracy": lambda y, p, w: reference.balanced_accuracy_score(y, p[:, 1] >= 0.5, sample_weight=w),
    "f1": lambda y, p, w: reference.f1_score(y, p[:, 1] >= 0.5, sample_weight=w, zero_division=0),
    "matthews_corrcoef": lambda y, p, w: reference.matthews_corrcoef(y, p[:, 1] >= 0.5, sample_weight=w),
    "precision": lambda y, p, w: reference.precision_score(y, p[:, 1] >= 0.5, sample_weight=w, zero_division=0),
    "recall": lambda y, p, w: reference.recall_score(y, p[:, 1] >= 0.5, sample_weight=w, zero_division=0),
}
MANY: dict[str, Figure] = {
    "log_loss": lambda y, p, w: reference.log_loss(y, p, sample_weight=w, labels=range(p.shape[1])),
    "accuracy": lambda y, p, w: reference.accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: reference.balanced_accuracy_score(y, p.argmax(1), sample_weight=w),
    "f1_macro": lambda y, p, w: reference.f1_score(y, p.argmax(1), sample_weight=w, average="macro"),
    "f1_weighted": lambda y, p, w: reference.f1_score(y, p.argmax(1), sample_weight=w, average="weighted"),
    "brier": lambda y, p, w: reference.brier_score_loss(
        y, p, sample_weight=w, labels=range(p.shape[1]), scale_by_half=False
    ),
    "roc_auc_ovr": lambda y, p, w: reference.roc_auc_score(np.eye(p.shape[1])[y], p, average="macro", sample_weight=w),
}
NUMERIC: dict[str, Figure] = {
    "rmse": lambda y, p, w: reference.root_mean_squared_error(y, p, sample_weight=w),
    "mse": lambda y, p, w: reference.mean_squared_error(y, p, sample_weight=w),
    "mae": lambda y, p, w: reference.mean_absolute_error(y, p, sample_weight=w),
    "r2": lambda y, p, w: reference.r2_score(y, p, sample_weight=w),
    "mape": lambda y, p, w: reference.mean_absolute_percentage_error(y, p, sample_weight=w),
}


def test_every_metric_of_the_row_tasks_is_compared_here() -> None:
    assert set(Binary().metrics(binary())) == set(BINARY)
    assert set(Multiclass().metrics(many(3))) == set(MANY)
    assert set(Regression().metrics(NUMBERS)) == {*NUMERIC, "median_absolute_error"}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", BINARY)
def test_metrics_of_two_classes_equal_scikit_learns(name: str, weighted: bool) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        y, p, w = rng.integers(0, 2, 60), probabilities(rng, 60, 2), weights(rng, 60, weighted)
        assert scored(Binary().metrics(binary())[name], y, p, w) == pytest.approx(BINARY[name](y, p, w), abs=1e-9)


@pytest.mark.parametrize("name", BINARY)
def test_the_other_class_may_count_as_positive(name: str) -> None:
    rng = np.random.default_rng(3)
    y, p = rng.integers(0, 2, 80), probabilities(rng, 80, 2)
    p = np.where(np.isclose(p, 0.5), 0.5, p)
    p[np.isclose(p[:, 0], 0.5)] = [0.6, 0.4]  # a tie of the classes goes to the positive one, which differs here
    own = scored(Binary().metrics(binary(0))[name], y, p, None)
    assert own == pytest.approx(BINARY[name](1 - y, p[:, ::-1], None), abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", MANY)
def test_metrics_of_many_classes_equal_scikit_learns(name: str, weighted: bool) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        y, p, w = rng.integers(0, 4, 80), probabilities(rng, 80, 4), weights(rng, 80, weighted)
        assert scored(Multiclass().metrics(many(4))[name], y, p, w) == pytest.approx(MANY[name](y, p, w), abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", NUMERIC)
def test_metrics_of_numbers_equal_scikit_learns(name: str, weighted: bool) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        y = rng.normal(size=50).round(1)
        p, w = y + rng.normal(size=50), weights(rng, 50, weighted)
        own = scored(Regression().metrics(NUMBERS)[name], y, p[:, None], w)
        assert own == pytest.approx(NUMERIC[name](y, p, w), rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 50, 51])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_the_median_error_is_scikit_learns(n: int, weighted: bool) -> None:
    rng = np.random.default_rng(n)
    y, p, w = rng.normal(size=n), rng.normal(size=n), rng.integers(1, 4, n).astype(float) if weighted else None
    own = scored(Regression().metrics(NUMBERS)["median_absolute_error"], y, p[:, None], w)
    assert own == pytest.approx(reference.median_absolute_error(y, p, sample_weight=w))


def test_functions_that_take_weights_are_given_them() -> None:
    rng = np.random.default_rng(0)
    y, p, w = rng.normal(size=30), rng.normal(size=(30, 1)), rng.exponential(size=30)
    metric = Regression().metric(NUMBERS, reference.mean_absolute_error)
    assert scored(metric, y, p, w) == pytest.approx(reference.mean_absolute_error(y, p, sample_weight=w))
    assert scored(metric, y, p, None) == pytest.approx(reference.mean_absolute_error(y, p))
    plain = Regression().metric(NUMBERS, lambda truth, said: reference.mean_absolute_error(truth, said))
    assert scored(plain, y, p, w) == pytest.approx(reference.mean_absolute_error(y, p))


def test_rows_of_weight_0_at_the_top_leave_a_precision_area() -> None:
    p = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    y, w = np.array([1, 1, 0, 1, 0]), np.array([0.0, 1, 1, 1, 1])
    own = scored(Binary().metrics(binary())["average_precision"], y, np.column_stack([1 - p, p]), w)
    assert own == pytest.approx(reference.average_precision_score(y, p, sample_weight=w))


def test_a_certain_mistake_costs_much_but_not_infinitely_much() -> None:
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    own = scored(Binary().metrics(binary())["log_loss"], np.array([1, 1]), p, None)
    assert 10 < own < 40


def test_areas_of_one_class_are_undefined_and_left_out_of_the_aggregate() -> None:
    metric = Binary().metrics(binary())["roc_auc"]
    p = np.array([[0.3, 0.7], [0.6, 0.4]])
    assert np.isnan(scored(metric, np.array([1, 1]), p, None))
    assert metric.aggregate([np.nan, 0.8], [10, 30]) == 0.8
    assert np.isnan(metric.aggregate([np.nan], [10]))


@pytest.mark.parametrize("name", BINARY)
def test_rows_without_any_weight_have_no_score(name: str) -> None:
    p = np.array([[0.3, 0.7], [0.6, 0.4]])
    assert np.isnan(scored(Binary().metrics(binary())[name], np.array([1, 0]), p, np.zeros(2)))


def test_rmse_of_folds_is_the_rmse_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=90), rng.normal(size=(90, 1))
    metric = Regression().metrics(NUMBERS)["rmse"]
    parts = [slice(0, 20), slice(20, 50), slice(50, 90)]
    folds = [scored(metric, y[part], p[part], None) for part in parts]
    assert metric.aggregate(folds, [20, 30, 40]) == pytest.approx(scored(metric, y, p, None))


def test_folds_count_by_the_weight_of_their_rows() -> None:
    rng = np.random.default_rng(0)
    y, p, w = rng.normal(size=90), rng.normal(size=(90, 1)), rng.exponential(size=90) * np.repeat([1, 9], [60, 30])
    metric = Regression().metrics(NUMBERS)["mae"]
    parts = [slice(0, 20), slice(20, 60), slice(60, 90)]
    sizes = [size_of(Truth(y[part], w[part]), Request(np.arange(90)[part])) for part in parts]
    folds = [scored(metric, y[part], p[part], w[part]) for part in parts]
    assert metric.aggregate(folds, sizes) == pytest.approx(scored(metric, y, p, w))


def test_classes_that_neither_occur_nor_are_decided_for_do_not_lower_f1_macro() -> None:
    p = np.eye(5)[[0, 1, 1, 2]]
    assert scored(Multiclass().metrics(many(5))["f1_macro"], np.array([0, 1, 1, 0]), p, None) == pytest.approx(
        reference.f1_score([0, 1, 1, 0], [0, 1, 1, 2], average="macro", zero_division=0)
    )
    assert scored(Multiclass().metrics(many(5))["f1_macro"], np.array([0, 1, 1, 2]), p, None) == 1.0


def test_metrics_that_weigh_rare_classes_alike_decide_for_them_more_often() -> None:
    rng = np.random.default_rng(0)
    shares = np.array([0.9, 0.08, 0.02])
    y = rng.choice(3, 4000, p=shares)
    x = rng.normal(size=(4000, 3)) + 1.5 * np.eye(3)[y]
    p = shares * np.exp(1.5 * x)
    p /= p.sum(axis=1, keepdims=True)
    for name, gain in (("balanced_accuracy", 0.05), ("f1_macro", 0.0)):
        problem = replace(many(3), metric=name, facts={**many(3).facts, "shares": shares})
        predicted, truth = [ArrayPredictions("class_proba", p[:2000])], [Truth(y[:2000])]
        learnt = Multiclass().refine(problem, predicted, truth, Multiclass().metrics(problem)[name])
        metric = Multiclass().metrics(learnt)[name]
        decided = Multiclass().decide(learnt, p[2000:])
        own = scored(metric, y[2000:], p[2000:], None)
        assert own == pytest.approx(MANY[name](y[2000:], np.eye(3)[decided], None))
        assert own > MANY[name](y[2000:], p[2000:], None) + gain


def test_contributions_of_units_average_to_the_square_of_rmse() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=40), rng.normal(size=(40, 1))
    metric = Regression().metrics(NUMBERS)["rmse"]
    each = metric.per_unit(Truth(y), ArrayPredictions("real", p), Request(np.arange(40)))
    assert each is not None
    assert each.mean() == pytest.approx(scored(metric, y, p, None) ** 2)


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("rmse", False),
        ("weighted_mape", False),
        ("neg_rmse", True),
        ("pinball_loss", False),
        ("profit_and_loss_ratio", True),
    ],
)
def test_the_name_of_a_function_tells_which_way_is_better(name: str, better: bool) -> None:
    def function(y_true: Any, y_pred: Any) -> float:
        return 0.0

    function.__name__ = name
    assert Regression().metric(NUMBERS, function).greater_is_better is better


def test_contributions_of_units_average_to_the_metric() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 40), probabilities(rng, 40, 2)
    for name in ("log_loss", "brier"):
        metric = Binary().metrics(binary())[name]
        each = metric.per_unit(Truth(y), ArrayPredictions("class_proba", p), Request(np.arange(40)))
        assert each is not None
        assert each.mean() == pytest.approx(scored(metric, y, p, None))


def test_errors_are_lower_and_the_rest_higher_when_better() -> None:
    lower = {"log_loss", "brier", "rmse", "mse", "mae", "mape", "median_absolute_error"}
    every = {
        **Binary().metrics(binary()),
        **Multiclass().metrics(many(3)),
        **Regression().metrics(NUMBERS),
    }
    assert {name for name, metric in every.items() if not metric.greater_is_better} == lower


def test_a_tuned_threshold_decides_the_metrics_that_look_at_labels() -> None:
    y, p = np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    assert scored(Binary().metrics(binary())["accuracy"], y, p, None) == 0.5
    assert scored(Binary().metrics(binary(threshold=0.25))["accuracy"], y, p, None) == 1.0
    assert scored(Binary().metrics(binary(threshold=0.25))["roc_auc"], y, p, None) == 1.0


def test_refining_finds_a_threshold_that_does_better() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.2).astype(np.int64)
    score = np.clip(0.15 + 0.2 * y + rng.normal(scale=0.08, size=400), 0.01, 0.99)
    values = ArrayPredictions("class_proba", np.column_stack([1 - score, score]))
    problem, task = replace(binary(shares=np.array([0.8, 0.2])), metric="f1"), Binary()
    metric = task.metric(problem, "f1")
    refined = task.refine(problem, [values], [Truth(y)], metric)
    before = float(reference.f1_score(y, score >= 0.5))
    after = scored(task.metric(refined, "f1"), y, values.as_array(), None)
    assert after > before + 0.1
    assert task.refine(problem, [values], [Truth(y)], task.metric(problem, "roc_auc")) is problem


def test_the_threshold_of_a_rare_class_is_found_among_its_own_rows() -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(8000) % 200 == 0).astype(np.int64)
    score = np.clip(np.where(y == 1, 0.7, 0.1) + rng.normal(scale=0.1, size=8000), 0.001, 0.999)
    values = ArrayPredictions("class_proba", np.column_stack([1 - score, score]))
    problem, task = replace(binary(shares=np.array([0.995, 0.005])), metric="matthews_corrcoef"), Binary()
    refined = task.refine(problem, [values], [Truth(y)], task.metric(problem, "mcc"))
    assert 0.35 < refined.facts["threshold"] < 0.65
    assert scored(task.metric(refined, "mcc"), y, values.as_array(), None) > 0.9


@pytest.mark.parametrize("name", ["precision", "recall"])
def test_metrics_of_one_side_tune_no_threshold(name: str) -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 100), probabilities(rng, 100, 2)
    problem = replace(binary(), metric=name)
    predictions = [ArrayPredictions("class_proba", p)]
    assert Binary().refine(problem, predictions, [Truth(y)], Binary().metric(problem, name)) is problem


@pytest.mark.parametrize("k", [2, 4])
def test_no_score_lies_beyond_its_bounds_and_the_best_reaches_them(k: int) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, k, 60)
    metrics = Binary().metrics(binary()) if k == 2 else Multiclass().metrics(many(k))
    for metric in metrics.values():
        low, high = metric.bounds
        found = [scored(metric, y, probabilities(rng, 60, k), None) for _ in range(20)]
        assert low <= min(found)
        assert max(found) <= high
        assert scored(metric, y, np.eye(k)[y], None) == pytest.approx(high if metric.greater_is_better else low)
    for metric in Regression().metrics(NUMBERS).values():
        perfect = scored(metric, y + 1.0, (y + 1.0)[:, None], None)
        assert perfect == pytest.approx(metric.bounds[1] if metric.greater_is_better else metric.bounds[0])
