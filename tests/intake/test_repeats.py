"""Rows that were copied are told of; rows that are equal by chance, or belong together, are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.intake import ingest

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"size": RNG.normal(size=200), "colour": RNG.choice(["red", "blue"], 200), "y": [0, 1] * 100})


def told(data: Any, **roles: Any) -> list[str]:
    return [f.what for f in ingest(data, target="y", **roles).findings if f.code == "rows-repeated"]


def test_copied_rows_are_told() -> None:
    copied = pd.concat([FRAME, FRAME[:30], FRAME[:30]])
    assert told(copied) == ["60 of 260 rows repeat other rows, the target too"]
    gaps = copied.assign(size=copied["size"].where(copied.index != 3), word=copied["colour"] + " is a colour")
    assert told(gaps) == ["60 of 260 rows repeat other rows, the target too"]


@pytest.mark.parametrize(
    "data",
    [FRAME, pd.concat([FRAME, FRAME[:1]]), pd.concat([FRAME, FRAME.assign(y=1 - FRAME.y)]), FRAME.round({"size": 0})],
    ids=["all-different", "one", "other-targets", "by-chance"],
)
def test_what_may_be_chance_is_not_told(data: pd.DataFrame) -> None:
    assert told(data) == []


def test_rows_that_belong_together_are_not_told_again() -> None:
    copied = pd.concat([FRAME, FRAME[:60]])
    assert told(copied, groups=copied["size"].to_numpy()) == []
