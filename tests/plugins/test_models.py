"""What every model for tables owes, tried on each of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contract import Column, Table

MODELS = (
    "prior-baseline",
    "linear-baseline",
    "tree-baseline",
    "k-nearest",
    "random-forest",
    "extra-trees",
    "lightgbm",
    "xgboost",
    "catboost",
    "real-mlp",
    "tab-m",
)
BOOSTERS = ("lightgbm", "xgboost", "catboost")
PROBLEMS = ("two", "three", "real")

pytestmark = pytest.mark.parametrize("name", MODELS)


def _loss(data: Any, predictions: Any) -> float:
    """Log loss, or mean squared error in units of the target's variance."""
    if data.kind == "real":
        return float(np.mean((predictions.ravel() - data.y) ** 2) / data.y.var())
    return float(-np.log(np.clip(predictions[np.arange(len(data.y)), data.y], 1e-12, 1)).mean())


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_saved_model_predicts_the_same(
    bench: Any, problems: Mapping[str, Any], name: str, problem: str, tmp_path: Path
) -> None:
    data = problems[problem]
    train, valid = data.rows(np.arange(160)), data.rows(np.arange(160, 240))
    fitted = bench.fit(name, train, valid)
    before = fitted.predict(valid.table)
    assert before.shape in ((80, data.n_outputs), (80,))
    assert np.isfinite(before).all()
    if data.kind == "class_proba":
        np.testing.assert_allclose(before.sum(axis=1), 1, atol=1e-6)
        assert before.min() >= 0
    after = fitted.predict(valid.table, bench.reloaded(fitted.model, tmp_path))
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".pkl", ".pickle", ".joblib", ".skops")]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_row_is_predicted_alone_as_in_a_batch(
    bench: Any, problems: Mapping[str, Any], name: str, problem: str
) -> None:
    data = problems[problem]
    fitted = bench.fit(name, data.rows(np.arange(160)))
    together = fitted.predict(data.table)
    for row in (0, 100, 200, 239):
        alone = fitted.predict(data.table.take(np.array([row])))
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-6, atol=1e-6)


def test_the_same_seed_gives_the_same_model(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = problems["three"]
    train, valid = data.rows(np.arange(160)), data.rows(np.arange(160, 240))
    first, second = (bench.fit(name, train, valid).predict(valid.table) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_unseen_categories_and_missing_values_are_answered(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = problems["two"]
    seen = np.flatnonzero(data.table["f2"].values != 5)
    fitted = bench.fit(name, data.rows(seen))
    gone = [_all_missing(column) for column in data.table.take(np.arange(3))]
    for code in (5, len(data.table["f2"].levels)):
        unseen = replace(data.table["f2"], values=np.full(3, code, dtype=np.int32))
        columns = tuple(unseen if column.name == "f2" else column for column in gone)
        assert np.isfinite(fitted.predict(Table(columns, 3))).all()


def _all_missing(column: Column) -> Column:
    n = len(column)
    empty = {"category": np.full(n, -1, dtype=np.int32), "text": np.full(n, None, dtype=object)}
    return replace(column, values=empty.get(column.kind, np.full(n, np.nan)))


def test_a_class_absent_from_a_fold_gets_probability_zero(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = problems["three"]
    train = data.rows(np.flatnonzero(data.y != 1))
    predictions = bench.fit(name, train, data).predict(data.table)
    assert predictions.shape == (240, 3)
    assert (predictions[:, 1] == 0).all()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_constant_target_is_answered_with_itself(
    bench: Any, problems: Mapping[str, Any], name: str, problem: str, tmp_path: Path
) -> None:
    data = problems[problem]
    constant = replace(data, y=np.full_like(data.y, 1))
    fitted = bench.fit(name, constant, constant)
    predictions = fitted.predict(data.table, bench.reloaded(fitted.model, tmp_path)).reshape(240, -1)
    np.testing.assert_allclose(predictions[:, -1 if data.n_outputs < 3 else 1], 1.0)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_ten_rows_are_enough(bench: Any, problems: Mapping[str, Any], name: str, problem: str) -> None:
    data = problems[problem].rows(np.arange(10))
    valid = problems[problem].rows(np.arange(10, 13))
    assert np.isfinite(bench.fit(name, data, valid).predict(valid.table)).all()


def test_a_table_without_columns_gets_the_average(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = replace(problems["real"], table=Table((), 240))
    np.testing.assert_allclose(bench.fit(name, data).predict(data.table).ravel(), data.y.mean())


def test_columns_that_do_not_vary_get_about_the_average(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = problems["real"]
    columns = tuple(column.over(np.repeat(column.values[:1], len(column))) for column in data.table)
    data = replace(data, table=Table(columns, len(data.table)))
    said = bench.fit(name, data).predict(data.table)
    assert abs(said.mean() - data.y.mean()) < data.y.std()


def test_expired_time_still_gives_a_model(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = problems["two"]
    fitted = bench.fit(name, data, data.rows(np.arange(50)), seconds=-1.0)
    assert fitted.predict(data.table).shape == (240, 2)
    if fitted.model.truncatable and name != "linear-baseline":
        assert fitted.info is not None
        assert fitted.info.notes["truncated"]


def test_learning_beats_the_prior(bench: Any, make: Any, name: str) -> None:
    if name == "prior-baseline":
        pytest.skip("it is the prior")
    for kind, n_outputs, order in (("class_proba", 2, 0), ("class_proba", 3, 1), ("real", 1, 2)):
        data = make(kind, n_outputs, 400, seed=order)
        train, valid = data.rows(np.arange(270)), data.rows(np.arange(270, 400))
        prior = _loss(valid, bench.fit("prior-baseline", train).predict(valid.table))
        assert _loss(valid, bench.fit(name, train, valid).predict(valid.table)) < 0.97 * prior


def test_whole_weights_count_like_repeated_rows(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    cls = bench.model(name)
    if not cls.handles_weight:
        pytest.skip("says that it uses no weights")
    data = problems["two"]
    weight = np.where(data.y == 1, 4.0, 1.0)
    plain = bench.fit(name, data).predict(data.table)[:, 1]
    heavy = bench.fit(name, data, weight=weight).predict(data.table)[:, 1]
    assert heavy.mean() > plain.mean() - 1e-3
    if name == "prior-baseline":
        np.testing.assert_allclose(heavy, weight[data.y == 1].sum() / weight.sum())


def test_a_refit_takes_what_the_first_fit_found_out(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = problems["three"]
    first = bench.fit(name, data.rows(np.arange(160)), data.rows(np.arange(160, 240)))
    refit = dict(first.info.refit) if first.info else {}
    again = bench.fit(name, data, params=refit)
    assert np.isfinite(again.predict(data.table)).all()
    if name in BOOSTERS:
        assert again.info.best_step == refit["n_estimators"]


def test_costs_grow_with_rows_and_are_finite(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    ctx = bench.context(problems["three"])
    settings = bench.space(name).point("multiclass")
    small, large = (bench.model(name).estimate(replace(ctx.facts, n_rows=n), settings) for n in (100, 100_000))
    assert 0 < small.seconds < large.seconds < math.inf
    assert 0 <= small.memory <= large.memory
    assert bench.model(name).resources(ctx.facts, settings)[-1].gpus == 0


def test_every_option_can_be_fitted_validated_and_saved(
    bench: Any, problems: Mapping[str, Any], name: str, tmp_path: Path
) -> None:
    train, valid = problems["two"].rows(np.arange(100)), problems["two"].rows(np.arange(100, 160))
    for knob, range_ in bench.space(name).knobs.items():
        for option in getattr(range_, "options", ()):
            fitted = bench.fit(name, train, valid, params={knob: option})
            again = bench.reloaded(fitted.model, tmp_path / f"{knob}-{option}")
            np.testing.assert_allclose(fitted.predict(valid.table, again), fitted.predict(valid.table), atol=1e-9)


def test_every_start_point_can_be_fitted(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = problems["three"].rows(np.arange(60))
    limits = {"n_estimators": 5} if "epochs" not in bench.space(name).default else {"epochs": 16}
    for start in bench.space(name).starts:
        params = {**start.params, **limits}
        assert np.isfinite(bench.fit(name, data, params=params).predict(data.table)).all()
        assert start.source
