"""What a trial takes to answer is known of all its folds when it was measured on one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from automl.contract import ArrayPredictions, FitInfo
from automl.execution.job import Candidate
from automl.search.trial import FoldResult, Trial


def timed(bench: Any, seconds: list[float]) -> Trial:
    one, nothing = (
        Trial(0, "t", bench.family("a"), Candidate("a", {}), "start"),
        ArrayPredictions("real", np.ones((1, 1))),
    )
    one.results = {f: FoldResult(0.1, nothing, FitInfo(), 1.0, 1.0, 0.0, row_s) for f, row_s in enumerate(seconds)}
    return one


def test_folds_that_were_not_measured_take_as_long_as_those_that_were(bench: Any) -> None:
    assert timed(bench, [math.nan, 0.002, math.nan]).row_seconds([0, 1, 2]) == 0.006


def test_nothing_is_known_when_none_was_measured(bench: Any) -> None:
    assert math.isnan(timed(bench, [math.nan, math.nan]).row_seconds([0]))
