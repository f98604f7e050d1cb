"""Parts of the units that are held out in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupShuffleSplit

from automl import AutoML
from automl.ensemble import crossfit
from automl.ensemble.parts import Part, make_parts


def test_every_unit_is_held_once() -> None:
    for sizes in ([10], [7, 12], [3, 3, 3], [4] * 8):
        held = [part.held for part in make_parts(sizes, 0)]
        for fold, size in enumerate(sizes):
            rows = [places[fold] for places in held if fold in places]
            found = np.concatenate([np.arange(size) if r is None else r for r in rows])
            assert sorted(found) == list(range(size))


@pytest.mark.parametrize("sizes", [[60], [40, 80]])
def test_relatives_are_never_on_both_sides(sizes: list[int]) -> None:
    rng = np.random.default_rng(0)
    kin = [rng.integers(0, 12, size) for size in sizes]
    parts = make_parts(sizes, 0, kin)
    assert len(parts) == 5
    for part in parts:
        held, rest = (
            {int(k) for fold, rows in places.items() for k in kin[fold][rows]} for places in (part.held, part.rest)
        )
        assert held
        assert not held & rest


@pytest.mark.parametrize("groups", [3, 5, 10])
def test_groups_of_two_folds_that_share_none_can_always_be_parted(groups: int) -> None:
    for seed in range(20):
        kin = [np.arange(40) % groups + 100 * fold for fold in range(2)]
        parts = make_parts([40, 40], seed, kin)
        assert len(parts) == min(groups, 5)
        assert all(len(rows) for part in parts for rows in part.held.values() if rows is not None)


def test_one_family_cannot_be_parted() -> None:
    assert make_parts([30], 0, [np.zeros(30, dtype=np.int64)]) == []


@pytest.mark.parametrize("options", [{"groups": "who"}, {"time": "when"}, {}])
def test_a_run_keeps_groups_and_stretches_of_time_together(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    seen: list[Any] = []

    def noted(sizes: Sequence[int], seed: int, kin: Any = None) -> list[Part]:
        seen.append(kin)
        return make_parts(sizes, seed, kin)

    monkeypatch.setattr(crossfit, "make_parts", noted)
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.normal(size=240), "when": rng.permutation(240), "who": rng.integers(0, 30, 240)})
    data["y"] = data.a + rng.normal(size=240)
    folds = GroupShuffleSplit(1, test_size=0.3, random_state=0) if "groups" in options else None
    model = AutoML(
        n_trials=1, models=["linear-baseline", "tree-baseline"], executor="inline", verbose=0, random_state=0
    )
    model.fit(data, "y", folds=folds, **options)
    kin = seen[-1]
    assert (kin is None) == (not options)
    if "groups" in options:
        assert len(kin) == 1
        assert len(np.unique(kin[0])) == 9
    if "time" in options:
        assert all(len(np.unique(numbers)) == 5 for numbers in kin)
