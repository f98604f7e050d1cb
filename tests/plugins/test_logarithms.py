"""Targets learnt as logarithms: what is answered is a mean in the target's own unit, and nothing is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from automl.plugins.tabular import logarithms

BOOSTERS = ("lightgbm", "xgboost", "catboost")


@pytest.fixture(scope="module")
def skewed(as_data: Any) -> Any:
    """Lognormal noise about an effect: the mean is well above the median. The first 600 rows are for training."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 3))
    y = np.exp(X[:, 0] + 0.8 * rng.normal(size=900))
    return as_data(X, y, "real", 1)


def split(data: Any) -> Any:
    return data.rows(np.arange(600)), data.rows(np.arange(600, 900))


@pytest.mark.parametrize("name", BOOSTERS)
def test_the_mean_is_answered_and_not_the_median(bench: Any, skewed: Any, name: str) -> None:
    train, valid = split(skewed)
    fitted = bench.fit(name, train, valid, {"target": "log"})
    answer = fitted.predict(valid.table)
    assert fitted.model.logs["smearing"] > 1.2
    assert np.mean(answer) == pytest.approx(np.mean(valid.y), rel=0.15)
    assert answer.min() >= train.y.min()
    assert answer.max() <= train.y.max()


@pytest.mark.parametrize("name", BOOSTERS)
def test_it_is_the_same_after_save_and_load(bench: Any, skewed: Any, name: str, tmp_path: Path) -> None:
    train, valid = split(skewed)
    fitted = bench.fit(name, train, valid, {"target": "log"})
    again = bench.reloaded(fitted.model, tmp_path)
    np.testing.assert_array_equal(fitted.predict(valid.table, again), fitted.predict(valid.table))


def test_a_fit_on_all_rows_keeps_what_the_folds_learnt(bench: Any, skewed: Any) -> None:
    train, valid = split(skewed)
    first = bench.fit("lightgbm", train, valid, {"target": "log"})
    second = bench.fit("lightgbm", skewed, None, {"target": "log", **first.info.refit})
    assert second.model.logs["smearing"] == first.model.logs["smearing"]
    alone = bench.fit("lightgbm", skewed, None, {"target": "log"})
    assert 1.0 < alone.model.logs["smearing"] < first.model.logs["smearing"]


def test_models_asked_together_answer_as_each_does(bench: Any, skewed: Any) -> None:
    train, valid = split(skewed)
    models = [bench.fit("lightgbm", train, valid, {"target": kind}) for kind in ("plain", "log")]
    from automl.contract import Request

    request = Request(np.arange(300), models[0].view.transform(valid.table))
    together = type(models[0].model).together([fitted.model for fitted in models])(request)
    for fitted, answer in zip(models, together, strict=True):
        np.testing.assert_allclose(answer, fitted.predict(valid.table), rtol=1e-6)


def test_targets_below_zero_are_learnt_as_they_are(bench: Any, skewed: Any, as_data: Any) -> None:
    lower = as_data(skewed.table.matrix().astype(np.float64), skewed.y - 5.0, "real", 1)
    plain, log = (bench.fit("lightgbm", lower, None, {"target": kind}) for kind in ("plain", "log"))
    assert log.model.logs is None
    np.testing.assert_array_equal(log.predict(lower.table), plain.predict(lower.table))


def test_there_and_back_is_where_one_came_from() -> None:
    y = np.array([0.0, 1e-9, 3.0, 700.0])
    logs = logarithms.fitted(y)
    assert logs is not None
    np.testing.assert_allclose(logarithms.back(logarithms.there(y, logs), logs), y, atol=1e-9)
    assert np.ptp(logarithms.there(y, logs)) < 12
    assert logarithms.fitted(np.array([-1.0, 1.0])) is None
    assert logarithms.fitted(np.zeros(2)) is None


def test_one_far_error_does_not_decide_the_smearing() -> None:
    wrong = np.append(np.random.default_rng(0).normal(0, 0.1, 500), 30.0)
    assert logarithms.smearing(wrong, None) < np.exp(30.0) / 501 / 1e6
    assert logarithms.smearing(wrong[:-1], None) == pytest.approx(np.exp(0.005), rel=0.01)
