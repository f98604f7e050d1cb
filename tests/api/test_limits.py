"""What the user allows a model to take, it keeps to, or says what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from automl import AutoML
from automl.contract import OptionError


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def test_a_model_keeps_to_the_size_it_may_have(fast: Any, diabetes: pd.DataFrame, tmp_path: Path) -> None:
    boosted = fast(n_trials=3, models=["lightgbm"])
    free = AutoML(**boosted).fit(diabetes, "target")
    free.save(tmp_path / "free")
    limit = 0.7 * megabytes(tmp_path / "free")
    small = AutoML(**{**boosted, "max_size_mb": limit}).fit(diabetes, "target")
    small.save(tmp_path / "small")
    assert megabytes(tmp_path / "small") <= limit
    assert len(small.ensemble_) <= len(free.ensemble_)
    assert small.predict(diabetes).std() > 10


def test_a_size_that_nothing_has_is_said(fast: Any, wine: pd.DataFrame) -> None:
    with pytest.warns(UserWarning, match=r"MB, more than max_size_mb=0\.001"):
        model = AutoML(**fast(models=["tree-baseline"], max_size_mb=0.001)).fit(wine, "target")
    assert [finding.code for finding in model.findings_] == ["size-over"]
    assert len(model.predict(wine)) == len(wine)


def test_a_latency_that_nothing_has_is_said_with_what_was_measured(fast: Any, wine: pd.DataFrame) -> None:
    with pytest.warns(UserWarning, match=r"one row takes .* ms, more than max_latency_ms=0\.001"):
        model = AutoML(**fast(models=["tree-baseline"], max_latency_ms=0.001)).fit(wine, "target")
    assert "latency-over" in [finding.code for finding in model.findings_]


def test_a_latency_that_everything_has_changes_nothing(fast: Any, wine: pd.DataFrame) -> None:
    model = AutoML(**fast(max_latency_ms=60_000)).fit(wine, "target")
    assert len(model.ensemble_) >= 1
    assert not [finding for finding in model.findings_ if finding.code.endswith("-over")]


@pytest.mark.parametrize("name", ["max_latency_ms", "max_size_mb"])
@pytest.mark.parametrize("value", [0, -1.0, "5", True])
def test_limits_are_positive_numbers(fast: Any, wine: pd.DataFrame, name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{name}=.* must be a number above 0"):
        AutoML(**fast(**{name: value})).fit(wine, "target")
