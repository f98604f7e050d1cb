"""The shallow tree of the baselines, beyond what every model owes."""

from __future__ import annotations

import numpy as np
import pytest
from automl.plugins.tabular import tree

from automl.contract import Batch, Column, Table


def test_many_rows_are_thinned_and_every_class_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_MOST_ROWS", 50)
    y = np.where(np.arange(400) == 7, 2, np.arange(400) % 2)
    X = Table((Column("f0", "x", "numeric", np.arange(400.0) % 2),), 400)
    few = tree._thinned(Batch(X, y), 0, True)
    assert 50 <= len(few.X) <= 53
    assert set(np.asarray(few.y).tolist()) == {0, 1, 2}
