"""Many rows are climbed towards: scouts on few rows order the families, and the better half goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.contract import ArrayPredictions, FitInfo
from automl.execution.job import Candidate
from automl.search.families import Family
from automl.search.ladder import Ladder, rungs
from automl.search.trial import FoldResult, Trial


@pytest.mark.parametrize(
    ("rows", "expected"), [(39_999, []), (40_000, [0.25]), (100_000, [0.1, 0.4]), (1_000_000, [0.01, 0.04, 0.16])]
)
def test_rungs_grow_fourfold_to_at_most_half_of_the_rows(rows: int, expected: list[float]) -> None:
    assert rungs(rows) == pytest.approx(expected)


def climb(
    families: list[Family], quality: dict[str, float], rows: int = 100_000
) -> tuple[Ladder, list[tuple[str, float]]]:
    """Run all scouts, one at a time, each scoring its family's quality; returns (family, share) in order."""
    ladder = Ladder(families, rows)
    order: list[tuple[str, float]] = []
    while (climber := ladder.next()) is not None:
        share, name = ladder.share(climber), climber.family.name
        trial = Trial(len(order), name, climber.family, Candidate(name, {}, fidelity=share), "scout")
        score = quality[name] - 0.01 * climber.point
        nothing = ArrayPredictions("real", np.zeros((1, 1)))
        trial.results[0] = FoldResult(score, nothing, FitInfo(), 1.0, 1.0, 0.0, 0.0)
        climber.trials.append(trial)
        order.append((name, share))
    return ladder, order


def test_every_family_is_scouted_on_the_lowest_rung_and_the_worse_half_goes_no_further(bench: Any) -> None:
    families = [bench.family(name, starts=1) for name in "abcd"]
    _, order = climb(families, {"a": 0.1, "b": 0.4, "c": 0.3, "d": 0.2})
    low = [name for name, share in order if share == pytest.approx(0.1)]
    high = [name for name, share in order if share == pytest.approx(0.4)]
    assert sorted(low) == sorted("abcd" * 2)
    assert set(high) <= {"b", "c", "d"}
    assert "a" not in high


def test_families_come_in_the_order_of_their_scouts_and_four_at_most(bench: Any) -> None:
    families = [bench.family(name) for name in "abcdef"]
    ladder, _ = climb(families, dict(zip("abcdef", [0.1, 0.5, 0.2, 0.6, 0.3, 0.4], strict=True)))
    assert ladder.families() == ["d", "b", "f", "e"]


def test_a_family_starts_with_its_best_scouted_point(bench: Any) -> None:
    family = bench.family("a", starts=3)
    ladder, _ = climb([family], {"a": 0.5})
    assert ladder.points(family) == [0, 1, 2, 3]
    worse_first = Ladder([family], 40_000)
    for score in (0.1, 0.9):
        climber = worse_first.next()
        assert climber is not None
        trial = Trial(0, "a", family, Candidate("a", {}, fidelity=0.25), "scout")
        trial.results[0] = FoldResult(score, ArrayPredictions("real", np.zeros((1, 1))), FitInfo(), 1.0, 1.0, 0.0, 0.0)
        climber.trials.append(trial)
    assert worse_first.points(family) == [1, 0, 2, 3]


def test_few_rows_need_no_ladder(bench: Any) -> None:
    assert Ladder([bench.family("a")], 5_000).next() is None
