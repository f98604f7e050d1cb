"""Boosted trees kept as text answer as the libraries that grew them."""

from __future__ import annotations

import gzip
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

CATEGORIES, LEVELS = [2, 3], [0, 0, 6, 40]
OBJECTIVES = {
    "regression": ("regression", "reg:squarederror", 1),
    "binary": ("binary", "binary:logistic", 1),
    "multiclass": ("multiclass", "multi:softprob", 4),
}


def _module(bench: Any, name: str) -> Any:
    return sys.modules[bench.model("xgboost").__module__.rpartition(".")[0] + f".{name}"]


@pytest.fixture(scope="module")
def tree_text(bench: Any) -> Any:
    return _module(bench, "tree_text")


@pytest.fixture(scope="module")
def data() -> Any:
    """(X, y) with gaps in numbers and categories, and values that only float64 could tell apart."""
    rng = np.random.default_rng(0)
    n = 600
    X = np.column_stack([rng.normal(size=n), 1e7 + rng.normal(size=n), rng.integers(0, 6, n), rng.integers(0, 40, n)])
    X = X.astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 1] = np.nan_to_num(X[:, 1], nan=1e7)
    y = (
        np.nan_to_num(X[:, 0])
        + 2.0 * np.isin(X[:, 3], [1, 5, 7, 22, 39])
        + np.isin(X[:, 2], [1, 4])
        + np.isnan(X[:, 2])
    )
    return X, y + 0.2 * rng.normal(size=n)


def _target(y: Any, kind: str) -> Any:
    return y if kind == "regression" else np.digitize(y, [0.5] if kind == "binary" else [0.0, 1.0, 2.0])


def _grown(X: Any, y: Any, kind: str, rounds: int = 30) -> Any:
    import lightgbm

    settings = {"objective": kind, "num_class": OBJECTIVES[kind][2], "min_data_per_group": 2, "cat_smooth": 1}
    fixed = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 3}
    data = lightgbm.Dataset(X, label=_target(y, kind), categorical_feature=CATEGORIES)
    return lightgbm.train({**settings, **fixed}, data, rounds)


@pytest.mark.parametrize("kind", list(OBJECTIVES))
def test_lightgbms_trees_keep_their_sums(tree_text: Any, data: Any, kind: str) -> None:
    X, y = data
    booster = _grown(X, y, kind)
    kept = tree_text.TreeText.read(booster.model_to_string())
    raw = booster.predict(X, raw_score=True).reshape(len(X), -1)
    np.testing.assert_allclose(tree_text.TreeSums([kept])(X), raw, rtol=1e-6, atol=1e-6)
    assert tree_text.TreeText.load(kept.write()) == kept


def test_a_number_that_is_missing_for_the_first_time_goes_with_most(bench: Any, as_data: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(1900, 2000, (400, 1))
    y = (X[:, 0] > 1920).astype(np.int64)
    fitted = bench.fit("lightgbm", as_data(X, y, "class_proba", 2))
    said = fitted.predict(as_data(np.array([[np.nan], [1905.0]]), y[:2], "class_proba", 2).table)[:, 1]
    assert said[0] > 0.9
    assert said[1] < 0.1


@pytest.mark.parametrize("policy", ["depthwise", "lossguide"])
@pytest.mark.parametrize("kind", list(OBJECTIVES))
def test_xgboosts_trees_keep_their_sums(bench: Any, tree_text: Any, data: Any, kind: str, policy: str) -> None:
    import xgboost

    X, y = data
    types = ["c" if i in CATEGORIES else "q" for i in range(4)]
    matrix = xgboost.QuantileDMatrix(X, label=_target(y, kind), feature_types=types, enable_categorical=True)
    settings = {"objective": OBJECTIVES[kind][1], "grow_policy": policy, "max_leaves": 15, "max_cat_to_onehot": 8}
    many = {"num_class": 4} if kind == "multiclass" else {}
    booster = xgboost.train({**settings, **many, "max_depth": 5, "nthread": 1}, matrix, 20)
    kept = _module(bench, "xgboost_trees").tree_text(booster, X, LEVELS)
    margin = np.asarray(booster.inplace_predict(X, predict_type="margin")).reshape(len(X), -1)
    np.testing.assert_allclose(tree_text.TreeSums([kept])(X), margin, rtol=1e-5, atol=1e-5)


def test_models_of_different_lengths_are_summed_together(tree_text: Any, data: Any) -> None:
    X, y = data
    boosters = [_grown(X, y, "regression", rounds) for rounds in (1, 90, 7)]
    texts = [tree_text.TreeText.read(b.model_to_string()) for b in boosters]
    raw = np.stack([b.predict(X) for b in boosters], axis=1)
    together = tree_text.TreeSums(texts)
    np.testing.assert_allclose(together(X), raw, rtol=1e-6, atol=1e-6)
    for row in (0, 5):
        np.testing.assert_allclose(together(X[row : row + 1]), raw[row : row + 1], rtol=1e-8, atol=1e-8)


def test_rows_batches_and_threads_may_alternate(tree_text: Any, data: Any) -> None:
    X, y = data
    booster = _grown(X, y, "regression", 300)
    sums = tree_text.TreeSums([tree_text.TreeText.read(booster.model_to_string())])
    raw = booster.predict(X)[:, None]
    for rows in (1, 100, 1, 20, 1):
        np.testing.assert_allclose(sums(X[:rows]), raw[:rows], rtol=1e-6, atol=1e-6)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(sums, [X, X[:1], X[:20]] * 10):
            np.testing.assert_allclose(found, raw[: len(found)], rtol=1e-6, atol=1e-6)


def test_a_sum_without_trees_is_0(tree_text: Any) -> None:
    X = np.zeros((2, 3), dtype=np.float32)
    assert tree_text.TreeSums([tree_text.TreeText(3, ((),))])(X).tolist() == [[0.0], [0.0]]


def test_what_is_no_text_of_trees_is_refused(tree_text: Any) -> None:
    from automl.contract import ArtifactError

    with pytest.raises(ArtifactError, match="no text of boosted trees"):
        tree_text.TreeText.load("tree\nversion=v4\n")


def test_trees_that_are_read_wrongly_are_an_error(bench: Any, data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import xgboost

    from automl.contract import PluginError

    X, y = data
    module = _module(bench, "xgboost_trees")
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(X, label=y), 3)
    monkeypatch.setattr(module, "between", lambda thresholds: thresholds.astype(np.float64) + 0.5)
    with pytest.raises(PluginError, match="read wrongly"):
        module.tree_text(booster, X, [0] * 4)


@pytest.mark.parametrize("kind", list(OBJECTIVES))
def test_packed_trees_answer_exactly_as_their_text(bench: Any, tree_text: Any, data: Any, kind: str) -> None:
    X, y = data
    packed = _module(bench, "packed_text")
    kept = tree_text.TreeText.read(_grown(X, y, kind).model_to_string())
    blob = packed.pack(kept)
    assert len(blob) < len(gzip.compress(kept.write().encode(), 6))
    np.testing.assert_array_equal(tree_text.TreeSums([packed.unpack(blob)])(X), tree_text.TreeSums([kept])(X))


def test_trees_with_what_the_packed_layout_does_not_know_are_left_as_text(bench: Any, tree_text: Any) -> None:
    block = tree_text.leaf_block(1.0) + "\nunheard_of=1"
    assert _module(bench, "packed_text").pack(tree_text.TreeText(3, ((block,),))) is None
