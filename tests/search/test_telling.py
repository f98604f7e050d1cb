"""What callbacks are told of trials and of the budget, and how often."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any, get_args

import pytest

from automl.search.events import (
    BudgetLeft,
    RunEvent,
    RunStarted,
    TrialFailed,
    TrialFinished,
    TrialReported,
    TrialRetried,
    TrialStarted,
)


def of(found: Any, kind: type[Any]) -> list[Any]:
    return [event for event in found.told if type(event) is kind]


def test_a_run_begins_with_what_it_is_about(bench: Any) -> None:
    found = bench.search([bench.family("a")], lambda job: 0.1, n_trials=2, slots=3)
    assert found.told[0] == RunStarted("regression", found.told[0].metric, 60, 3, 3, math.inf, 2, 0, True)
    assert len(of(found, RunStarted)) == 1


@pytest.mark.parametrize("slots", [1, 3])
def test_every_trial_is_told_to_start_once_and_then_to_end_once(bench: Any, slots: int) -> None:
    lost: list[int] = []

    def answer(job: Any) -> Any:
        if job.candidate.model == "a" and not lost:
            lost.append(job.id)
            return "node_lost"
        return "error" if job.candidate.model == "bad" else 0.1

    found = bench.search([bench.family(n) for n in ("a", "bad")], answer, n_trials=5, slots=slots)
    names = [trial.name for trial in found.board.trials]
    started = [event.model for event in of(found, TrialStarted)]
    assert sorted(started) == sorted(names)
    assert Counter(event.model for event in found.ends()) == Counter(names)
    for name in names:
        order = [type(e) for e in found.told if isinstance(e, TrialStarted | TrialFinished) and e.model == name]
        assert order[0] is TrialStarted


def test_a_lost_trial_is_told_with_the_kind_of_its_failure_also_to_those_who_listen_for_any_end(bench: Any) -> None:
    found = bench.search(
        [bench.family("good"), bench.family("bad")], lambda job: "oom" if "bad" in job.model.name else 0.1
    )
    failed = of(found, TrialFailed)
    assert {event.family for event in failed} == {"bad"}
    assert {(event.state, event.kind) for event in failed} == {("failed", "oom")}
    assert all(isinstance(event, TrialFinished) for event in failed)
    assert all(event.state != "failed" for event in of(found, TrialFinished))


def test_a_fold_that_runs_again_is_told_with_what_was_lost(bench: Any) -> None:
    lost: list[int] = []

    def answer(job: Any) -> Any:
        if job.fold == 1 and not lost:
            lost.append(job.id)
            return "node_lost"
        return 0.1

    found = bench.search([bench.family("a")], answer, n_trials=1)
    (again,) = of(found, TrialRetried)
    assert (again.model, again.fold, again.attempt) == ("a", 1, 1)
    assert again.reason == "node_lost: node_lost on purpose"
    assert found.trial("a").state == "ok"


@pytest.mark.parametrize(("gap", "expected"), [(0.0, 1), (0.3, 2), (0.6, 3)])
def test_a_trial_is_heard_of_at_most_twice_a_second(bench: Any, now: list[float], gap: float, expected: int) -> None:
    def answer(job: Any) -> float:
        now[0] += gap
        return 0.1

    found = bench.search([bench.family("a")], answer, n_trials=1)
    reports = of(found, TrialReported)
    assert len(reports) == expected  # of the three folds that each report once
    assert reports[0] == TrialReported("a", 0, 1, 0.5)


def test_the_budget_is_told_once_a_second_with_who_runs_and_who_waits(bench: Any, now: list[float]) -> None:
    def answer(job: Any) -> float:
        now[0] += 0.25
        return 1.0 if job.candidate.model == "base" else 0.1

    families = [bench.family("base", baseline=True), bench.family("a"), bench.family("b")]
    found = bench.search(families, answer, n_trials=4, slots=2)
    told = of(found, BudgetLeft)
    spent = now[0] - 1000.0
    assert 2 <= len(told) <= spent + 1
    assert told[0].running == ("base",)
    assert (told[0].slots, told[0].busy, told[0].best, told[0].best_baseline) == (2, 2, None, None)
    assert told[-1].best_baseline == found.trial("base").score
    assert told[-1].best is None or told[-1].best > told[-1].best_baseline
    assert all(event.busy <= event.slots and event.waiting >= 0 for event in told)


def test_long_runs_are_told_of_their_budget_less_often(bench: Any, now: list[float]) -> None:
    def answer(job: Any) -> float:
        now[0] += 2.0
        return 0.1

    limits = {"n_trials": 6, "seconds": 7200.0, "deadline": 8200.0}
    found = bench.search([bench.family("a")], answer, **limits)
    told = of(found, BudgetLeft)
    assert 1 <= len(told) <= (now[0] - 1000.0) / 7.2 + 1
    assert told[0].seconds == 7200.0
    assert told[0].seconds_left == 7200.0


@pytest.mark.parametrize("kind", get_args(RunEvent), ids=lambda kind: kind.__name__)
def test_an_event_is_frozen_and_documented(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")
    assert dataclasses.fields(kind)


def test_what_callbacks_do_with_events_does_not_reach_the_search(bench: Any) -> None:
    families = [bench.family("a"), bench.family("b")]
    quiet = bench.search(families, lambda job: 0.1 + 0.01 * job.fold, n_trials=5)
    assert [trial.name for trial in quiet.board.trials] == [event.model for event in of(quiet, TrialStarted)]
    with pytest.raises(dataclasses.FrozenInstanceError):
        quiet.told[0].slots = 9
