"""One row asked the fast way is answered as `Booster.predict` answers it, by any number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from automl.plugins.tabular import single_row as door


@pytest.fixture(scope="module")
def booster() -> Any:
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is a core dependency; skipped only without it")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), rng.integers(3, size=300)
    X[::7, 1] = np.nan
    params = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    return lightgbm.train(params, lightgbm.Dataset(X, y), 20)


@pytest.fixture(scope="module")
def rows() -> Any:
    X = np.random.default_rng(1).normal(size=(64, 4)).astype(np.float32)
    X[::5, 1] = np.nan
    return X


def test_one_row_gives_what_the_booster_says(booster: Any, rows: Any) -> None:
    one = door.SingleRow(booster, 4, 3)
    for row in rows[:10]:
        np.testing.assert_array_equal(one(row[None]), booster.predict(row[None], raw_score=True))


def test_threads_do_not_mix_up_their_rows(booster: Any, rows: Any) -> None:
    one = door.SingleRow(booster, 4, 3)
    expected = booster.predict(rows, raw_score=True)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            found = list(pool.map(lambda row: one(row[None]), rows))
            np.testing.assert_array_equal(np.concatenate(found), expected)


def test_a_row_of_another_form_is_refused(booster: Any, rows: Any) -> None:
    one = door.SingleRow(booster, 4, 3)
    for wrong in (rows[:2], rows[:1, :3], rows[:1].astype(np.float64), np.asfortranarray(rows)[:1]):
        with pytest.raises(ValueError, match="one float32 row of 4 columns"):
            one(wrong)


def test_without_the_library_s_function_there_is_no_fast_way(booster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_library", lambda: object())
    assert door.single_row(booster, 4, 3) is None
