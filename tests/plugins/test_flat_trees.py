"""Flat forests answer exactly as scikit-learn's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor


@pytest.fixture(scope="module")
def flat_trees(bench: Any) -> Any:
    """The module the forests use."""
    import sys

    return sys.modules[bench.model("random-forest").__module__.rpartition(".")[0] + ".flat_trees"]


def _rows(n: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 5)).astype(np.float32)
    X[:, 4] = np.round(X[:, 4], 1)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


@pytest.mark.parametrize("grower", [RandomForestRegressor, ExtraTreesRegressor])
def test_real_values_are_those_of_the_forest(flat_trees: Any, grower: Any) -> None:
    X, new = _rows(400, 0), _rows(3000, 1)
    y = np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 4]) ** 2
    forest = grower(40, random_state=0).fit(X, y)
    flat = flat_trees.flatten(forest.estimators_, classifies=False)
    np.testing.assert_allclose(flat_trees.predict(flat, new)[:, 0], forest.predict(new), rtol=1e-5, atol=1e-5)


def test_probabilities_are_those_of_the_forest(flat_trees: Any) -> None:
    X, new = _rows(400, 0), _rows(3000, 1)
    y = np.digitize(np.nan_to_num(X[:, 0] + X[:, 1]), [-1, 0.5])
    forest = RandomForestClassifier(40, random_state=0).fit(X, y)
    flat = flat_trees.flatten(forest.estimators_, classifies=True)
    np.testing.assert_allclose(flat_trees.predict(flat, new), forest.predict_proba(new), atol=1e-6)


def test_a_tree_that_never_splits_answers_its_mean(flat_trees: Any) -> None:
    forest = RandomForestRegressor(3, max_depth=1, min_samples_leaf=10, bootstrap=False).fit(
        _rows(10, 0), np.arange(10.0)
    )
    flat = flat_trees.flatten(forest.estimators_, classifies=False)
    np.testing.assert_allclose(flat_trees.predict(flat, _rows(4, 1)), 4.5)


def test_no_rows_give_no_answers(flat_trees: Any) -> None:
    forest = RandomForestRegressor(3).fit(_rows(30, 0), np.arange(30.0))
    flat = flat_trees.flatten(forest.estimators_, classifies=False)
    assert flat_trees.predict(flat, _rows(30, 0)[:0]).shape == (0, 1)


@pytest.mark.parametrize("classifies", [True, False])
def test_a_packed_forest_is_the_same_forest_in_less_space(flat_trees: Any, classifies: bool) -> None:
    import sys

    packed_trees = sys.modules[flat_trees.__name__.replace("flat", "packed")]
    X = _rows(400, 0)
    y = np.nan_to_num(X[:, 0] + X[:, 1])
    forest = (
        RandomForestClassifier(20, random_state=0).fit(X, y > 0)
        if classifies
        else RandomForestRegressor(20, random_state=0).fit(X, y)
    )
    flat = flat_trees.flatten(forest.estimators_, classifies)
    packed = packed_trees.pack(flat)
    back = packed_trees.unpack(packed)
    assert set(back) == set(flat)
    for name, values in flat.items():
        np.testing.assert_array_equal(back[name], values, err_msg=name)
    flattened = [part for value in packed.values() for part in (value if isinstance(value, list) else [value])]
    assert sum(part.nbytes for part in flattened) < 0.4 * sum(part.nbytes for part in flat.values())


def test_joined_forests_answer_each_for_itself(flat_trees: Any) -> None:
    X, new = _rows(300, 0), _rows(2000, 1)
    y = np.nan_to_num(X[:, 0] * X[:, 1])
    forests = [RandomForestRegressor(n, random_state=n).fit(X, y) for n in (3, 40, 1)]
    flats = [flat_trees.flatten(forest.estimators_, False) for forest in forests]
    whole, trees = flat_trees.joined(flats)
    for rows in (new, new[:1]):
        for threads in (1, 2):
            found = flat_trees.predict_each(whole, trees, rows, threads)
            for values, flat in zip(found, flats, strict=True):
                np.testing.assert_allclose(values, flat_trees.predict(flat, rows), rtol=1e-12)
