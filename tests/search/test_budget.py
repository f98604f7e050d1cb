"""Members are charged what they were measured to take, and what goes beyond the user's limits is made smaller."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from automl.contract import ArrayPredictions, FitInfo
from automl.execution.job import Candidate
from automl.search.budget import Budget, Footprint, kept_to
from automl.search.deploy import Deployment, Member
from automl.search.settings import PRESETS, Settings
from automl.search.trial import FoldResult, Trial

UNLIMITED, CLOCKED = Settings(), Settings(deadline=1e9, seconds=60.0)


def trial(bench: Any, row_s: float, size: int, number: int = 0) -> Trial:
    one = Trial(number, f"t{number}", bench.family("a"), Candidate("a", {}), "start", "ok")
    nothing = ArrayPredictions("real", np.zeros((1, 1)))
    one.results = {fold: FoldResult(0.1, nothing, FitInfo(), 1.0, 1.0, 0.0, row_s, size) for fold in range(2)}
    return one


def both(one: Trial) -> list[int]:
    return [0, 1]


def test_nothing_is_limited_without_a_clock(bench: Any) -> None:
    assert Budget(UNLIMITED).costs([trial(bench, 1.0, 10**9)], both) is None


def test_the_preset_limits_a_clocked_run(bench: Any) -> None:
    budget, row_s = Budget(CLOCKED), PRESETS["balanced"].row_ms / 1000
    assert budget.holds(trial(bench, row_s / 4, 10**9), [0, 1])
    assert not budget.holds(trial(bench, row_s, 0), [0, 1])


@dataclass
class Around:
    """A caller whose rows take so long to read."""

    seconds: float
    asked: int = 0

    def committed(self) -> Footprint:
        raise AssertionError("nothing is committed here")

    def around(self) -> float:
        self.asked += 1
        return self.seconds


def test_what_a_row_takes_to_be_read_is_not_there_for_the_members(bench: Any) -> None:
    around = Around(0.0015)
    budget = Budget(replace(UNLIMITED, max_latency_ms=4.8), scales=around)
    for _ in range(2):
        (cost,) = budget.costs([trial(bench, 0.001, 0)], both) or [math.nan]
        assert cost == pytest.approx(0.8)
    assert around.asked == 1


def test_part_of_the_time_is_the_members_however_long_a_row_takes_to_be_read(bench: Any) -> None:
    budget = Budget(replace(UNLIMITED, max_latency_ms=4.8), scales=Around(0.01))
    (cost,) = budget.costs([trial(bench, 0.0008, 0)], both) or [math.nan]
    assert cost == pytest.approx(1.0)


def test_rows_that_cannot_be_read_one_by_one_leave_the_usual_time(bench: Any) -> None:
    unread = Budget(replace(UNLIMITED, max_latency_ms=4.0), scales=Around(math.nan))
    usual = Budget(replace(UNLIMITED, max_latency_ms=4.0))
    assert unread.costs([trial(bench, 0.001, 0)], both) == usual.costs([trial(bench, 0.001, 0)], both)


def test_a_limit_of_the_user_counts_without_a_clock_too(bench: Any) -> None:
    budget = Budget(replace(UNLIMITED, max_latency_ms=4.8))
    (cost,) = budget.costs([trial(bench, 0.0017, 0)], both) or [math.nan]
    assert cost == pytest.approx(1.0)
    assert Settings(max_latency_ms=4.0).measures


def test_the_larger_share_of_time_and_space_counts(bench: Any) -> None:
    budget = Budget(replace(UNLIMITED, max_latency_ms=4.8, max_size_mb=3.0), beside=1e6)
    assert budget.share(trial(bench, 0.00034, 500_000), [0, 1]) == pytest.approx(0.5)
    assert budget.share(trial(bench, 0.00136, 500_000), [0, 1]) == pytest.approx(0.8)


def test_the_best_is_worth_more_time_than_the_preset_says_when_all_cheaper_ones_are_clearly_worse(bench: Any) -> None:
    budget = Budget(CLOCKED)
    best, near, far = (trial(bench, 0.01, 0, n) for n in range(3))
    for one, score in ((best, 0.9), (near, 0.899), (far, 0.5)):
        one.score = score
    best.results[1] = replace(best.results[1], score=0.105)
    assert budget.room([best, near], [3.0, 0.5], 3) == 1.0
    assert budget.room([best, far], [3.0, 0.5], 3) == 3.0
    assert budget.room([best, far], [0.8, 0.5], 3) == 1.0
    assert Budget(replace(CLOCKED, max_latency_ms=4.0)).room([best, far], [3.0, 0.5], 3) == 1.0


def test_what_was_not_measured_is_not_known(bench: Any) -> None:
    budget = Budget(CLOCKED)
    assert math.isnan(budget.share(trial(bench, math.nan, 5), [0, 1]))
    assert budget.holds(trial(bench, math.nan, 5), [0, 1])


def test_others_are_kept_while_there_is_space(bench: Any) -> None:
    budget = Budget(replace(UNLIMITED, max_size_mb=1.0))
    chosen, small, large = (trial(bench, 0.0, size, n) for n, size in enumerate((300_000, 100_000, 250_000)))
    assert budget.beside([chosen], [large, chosen, small], both) == [chosen, small]


class Committed:
    """A committed model of some members that takes as much as they do."""

    def __init__(self, members: int, each_ms: float) -> None:
        self.members, self.each_ms, self.times = members, each_ms, 0

    def plan(self) -> Deployment:
        names = [f"m{i}" for i in range(self.members)]
        members = tuple(Member(name, name, "a", (0,), (), {}) for name in names)
        return Deployment(members, tuple(names), (1.0,) * len(names), "", 0.0)

    def measure(self) -> Footprint:
        self.times += 1
        return Footprint(self.members * self.each_ms, 1.0)

    def again(self) -> Deployment:
        self.members = max(1, self.members // 2)
        return self.plan()


def test_a_model_that_is_slower_than_thought_is_made_again() -> None:
    budget, made = Budget(replace(UNLIMITED, max_latency_ms=4.0)), Committed(10, 1.5)
    plan, missed = kept_to(budget, made.plan(), made.measure, made.again, lambda: math.inf)
    assert (len(plan.chosen), missed, made.times) == (2, [], 3)


def test_what_cannot_be_kept_to_is_said_with_the_measured_value() -> None:
    budget, made = Budget(replace(UNLIMITED, max_latency_ms=4.0)), Committed(1, 7.25)
    plan, (finding,) = kept_to(budget, made.plan(), made.measure, made.again, lambda: math.inf)
    assert len(plan.chosen) == 1
    assert finding.code == "latency-over"
    assert "7.2 ms, more than max_latency_ms=4" in finding.what


def test_a_task_without_rows_has_no_latency_to_miss() -> None:
    budget = Budget(replace(UNLIMITED, max_latency_ms=4.0))
    assert budget.missed(Footprint(math.nan, 1.0)) == []
    assert budget.excess(Footprint(math.nan, 1.0)) <= 1.0
