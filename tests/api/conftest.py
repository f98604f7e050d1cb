"""Fitted models that many tests look at and none changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from automl import AutoML

FAST = ["tree-baseline", "lightgbm"]


def options(**more: Any) -> dict[str, Any]:
    """Two trials in this process, without a sound."""
    return {"n_trials": 2, "executor": "inline", "verbose": 0, "random_state": 0, "models": FAST, **more}


def mixed(n: int = 160, seed: int = 0) -> pd.DataFrame:
    """A number, a category, a date and gaps; `left` is what is to be told."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    colour = rng.choice(["red", "green", "blue"], n)
    since = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    left = size + (colour == "red") + rng.normal(scale=0.5, size=n) > 0.3
    frame = pd.DataFrame({"size": size, "colour": colour, "since": since, "left": np.where(left, "yes", "no")})
    frame.loc[rng.random(n) < 0.05, "size"] = np.nan
    return frame


@pytest.fixture(scope="session")
def breast() -> pd.DataFrame:
    return load_breast_cancer(as_frame=True).frame.iloc[::2].reset_index(drop=True)  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def wine() -> pd.DataFrame:
    return load_wine(as_frame=True).frame  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def diabetes() -> pd.DataFrame:
    return load_diabetes(as_frame=True).frame  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def binary(breast: pd.DataFrame) -> AutoML:
    return AutoML(**options()).fit(breast, "target")


@pytest.fixture(scope="session")
def many(wine: pd.DataFrame) -> AutoML:
    return AutoML(**options()).fit(wine, "target")


@pytest.fixture(scope="session")
def number(diabetes: pd.DataFrame) -> AutoML:
    return AutoML(**options()).fit(diabetes, "target")


@pytest.fixture(scope="session")
def words() -> AutoML:
    """Labels that are words, in a frame with a date and a category."""
    return AutoML(**options()).fit(mixed(), "left")


@pytest.fixture(scope="session")
def saved(words: AutoML, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `words` was saved to."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    words.save(folder)
    return folder


@pytest.fixture
def fast() -> Any:
    """`options`, for tests that fit on their own."""
    return options


@pytest.fixture
def frame() -> Any:
    """`mixed`, for tests that fit on their own."""
    return mixed
