"""Models that are told what the metric wants of a number predict that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl import AutoML

TOLD = ("prior-baseline", "lightgbm", "xgboost", "catboost", "real-mlp", "additive-trees")


@pytest.fixture(scope="module")
def skewed(as_data: Any) -> Any:
    """Lognormal noise about an effect: the mean is well above the median. The first 600 rows are for training."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 3))
    y = np.exp(0.7 * X[:, 0] + 1.2 * rng.normal(size=900))
    return as_data(X, y, "real", 1)


def answers(bench: Any, data: Any, name: str, aim: str, **params: Any) -> Any:
    train, valid = data.rows(np.arange(600)), data.rows(np.arange(600, 900))
    return bench.fit(name, train, valid, params, aim=aim).predict(valid.table).ravel()


@pytest.mark.parametrize("name", TOLD)
def test_medians_have_smaller_absolute_errors_and_lie_below_the_means(bench: Any, skewed: Any, name: str) -> None:
    mean, median = (answers(bench, skewed, name, aim) for aim in ("mean", "median"))
    y = skewed.y[600:]
    assert np.abs(median - y).mean() < 0.95 * np.abs(mean - y).mean()
    assert median.mean() < 0.9 * mean.mean()


@pytest.mark.parametrize("name", TOLD)
def test_relative_medians_have_the_smallest_relative_errors(bench: Any, skewed: Any, name: str) -> None:
    median, relative = (answers(bench, skewed, name, aim) for aim in ("median", "relative-median"))
    y = skewed.y[600:]
    assert (np.abs(relative - y) / y).mean() < 0.9 * (np.abs(median - y) / y).mean()


def test_logarithms_are_turned_back_into_medians_where_those_are_wanted(bench: Any, skewed: Any) -> None:
    mean, median = (answers(bench, skewed, "lightgbm", aim, target="log") for aim in ("mean", "median"))
    y = skewed.y[600:]
    assert np.abs(median - y).mean() < 0.95 * np.abs(mean - y).mean()


def test_a_target_that_is_mostly_zero_is_no_trouble(bench: Any, as_data: Any) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(900, 2))
    data = as_data(X, np.where(rng.random(900) < 0.7, 0.0, np.exp(X[:, 0])), "real", 1)
    for aim in ("median", "relative-median"):
        assert np.isfinite(answers(bench, data, "lightgbm", aim)).all()


def test_a_search_for_small_absolute_errors_tells_its_models(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(400, 2)), columns=["a", "b"])
    data["y"] = np.exp(data.a + 1.2 * rng.normal(size=400))
    means = {}
    for metric in ("rmse", "mae"):
        model = AutoML(
            metric=metric, models=["lightgbm"], n_trials=1, random_state=0, path=tmp_path / metric, verbose=0
        )
        means[metric] = model.fit(data, target="y").predict(data).mean()
    assert means["mae"] < 0.8 * means["rmse"]
