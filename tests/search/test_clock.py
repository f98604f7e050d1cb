"""The clock leaves room for finishing, and shows nothing at all when trials are counted."""

from __future__ import annotations

import math

import pytest

from automl.search.clock import Clock
from automl.search.settings import Settings


def clocked(now: list[float], seconds: float = 100.0) -> Clock:
    return Clock(Settings(deadline=now[0] + seconds, seconds=seconds), started=now[0])


def test_time_runs_down(now: list[float]) -> None:
    clock = clocked(now)
    assert (clock.elapsed(), clock.left()) == (0.0, 100.0)
    now[0] += 40
    assert (clock.elapsed(), clock.left()) == (40.0, 60.0)


def test_work_ends_before_the_deadline_and_earlier_when_finishing_takes_longer(now: list[float]) -> None:
    clock = clocked(now)
    early = clock.work_left()
    assert 98.0 < early < 100.0
    clock.blending, clock.committing = 2.0, 1.0
    assert clock.work_left() == pytest.approx(early - 3.9)


def test_time_to_refit_is_kept_until_it_is_given_back(now: list[float]) -> None:
    clock = clocked(now)
    early = clock.work_left()
    clock.refitting = 5.0
    assert clock.work_left() == pytest.approx(early - 5.0)
    clock.refitting = 0.0
    assert clock.work_left() == pytest.approx(early)


def test_a_short_run_keeps_most_of_its_time_for_work(now: list[float]) -> None:
    assert clocked(now, 2.0).work_left() > 1.5


def test_no_job_may_last_longer_than_the_work(now: list[float]) -> None:
    clock = clocked(now)
    for passed in (0, 50, 45, 3):
        now[0] += passed
        soft, hard = clock.job_limits(baseline=False)
        assert soft <= hard <= max(0.05, clock.work_left())


def test_a_job_gets_a_share_of_the_time_a_baseline_more_and_the_hard_limit_leaves_room(now: list[float]) -> None:
    clock = clocked(now)
    soft, hard = clock.job_limits(baseline=False)
    assert soft <= 25.0
    assert hard > soft
    assert clock.job_limits(baseline=True)[0] > soft


def test_limits_stay_positive_when_time_is_over(now: list[float]) -> None:
    clock = clocked(now)
    now[0] += 500
    assert clock.work_left() < 0
    assert all(limit > 0 for limit in clock.job_limits(baseline=False))


def test_nothing_depends_on_the_clock_when_trials_are_counted(now: list[float]) -> None:
    clock = Clock(Settings(n_trials=5))
    now[0] += 1e6
    assert clock.left() == math.inf
    assert clock.work_left() == math.inf
    assert clock.reserve() == 0.0
    assert clock.job_limits(baseline=True) == (math.inf, math.inf)


def test_fits_end_a_little_before_the_time_for_them_does(now: list[float]) -> None:
    clock = clocked(now)
    assert now[0] + 90.0 < clock.works_until() < now[0] + clock.work_left()
    assert math.isinf(Clock(Settings()).works_until())
