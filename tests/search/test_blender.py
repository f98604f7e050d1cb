"""Blends are made beside the search where the clock decides, and every few trials where it does not."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from automl.contract import ArrayPredictions, FitInfo
from automl.execution.job import Candidate
from automl.search import blender
from automl.search.blender import Blender
from automl.search.board import Board
from automl.search.budget import Budget
from automl.search.clock import Clock
from automl.search.settings import Settings
from automl.search.trial import FoldResult, Trial

KEPT = 8


class Bench:
    """A blender over trials with made-up scores, and a blend that says which trials it saw."""

    def __init__(self, make: Any, monkeypatch: pytest.MonkeyPatch, settings: Settings, beside: bool) -> None:
        self.family, self.made, self.row_s = make.family("a"), 0, 0.0
        self.gate, self.error = threading.Event(), ""
        self.gate.set()
        self.board = Board(1, make.facts, settings)
        self.clock = Clock(settings)
        monkeypatch.setattr(blender, "blend", self.blend)
        task: Any = SimpleNamespace(combiners=lambda problem: (), bounds=lambda problem: (-np.inf, np.inf))
        scorer: Any = SimpleNamespace(judged=1, truths=[None], requests=[None], kin=None)
        given: Any = SimpleNamespace()
        self.budget = Budget(settings)
        told = (settings, self.clock, self.folds_of, KEPT, self.budget)
        self.blender = Blender(task, given, given, self.board, scorer, *told, beside)

    def folds_of(self, trial: Trial, most: int) -> list[int]:
        return list(range(most))

    def blend(self, members: Any, *rest: Any, **options: Any) -> Any:
        self.gate.wait(10)
        self.alone = options["alone"]
        if self.error and not self.alone:
            raise RuntimeError(self.error)
        self.costs = options["costs"]
        return SimpleNamespace(score=float(len(members)), combiner="mean", keep=(0,), weights=(1.0,))

    def complete(self, count: int) -> None:
        """That many more complete trials."""
        for _ in range(count):
            trial = self.board.add(self.family, Candidate("a", {"n": self.made}), "start")
            assert trial is not None
            nothing = ArrayPredictions("real", np.zeros((1, 1)))
            trial.results = {f: FoldResult(0.1, nothing, FitInfo(), 1, 1, 0, self.row_s) for f in range(KEPT)}
            trial.score = self.made / 100
            trial.end("ok")
            self.made += 1

    def polled(self) -> Any:
        """The next blend that a poll gives, after the thread has ended."""
        assert self.blender.poll() is None
        for thread in threading.enumerate():
            if thread.name == "automl-blend":
                thread.join(10)
        return self.blender.poll()


@pytest.fixture
def clocked(bench: Any, monkeypatch: pytest.MonkeyPatch, now: list[float]) -> Bench:
    return Bench(bench, monkeypatch, Settings(deadline=now[0] + 100.0, seconds=100.0), beside=True)


def test_counted_trials_are_blended_at_once_and_every_five(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Bench(bench, monkeypatch, Settings(n_trials=20), beside=False)
    found.complete(4)
    assert found.blender.poll() is None
    found.complete(1)
    made = found.blender.poll()
    assert made is not None
    assert made.complete == 5
    assert found.blender.poll() is None


def test_with_a_clock_a_blend_is_made_in_a_thread_and_found_by_a_later_poll(clocked: Bench) -> None:
    clocked.complete(2)
    made = clocked.polled()
    assert made is not None
    assert made.complete == 2


def test_the_search_goes_on_while_a_blend_is_made(clocked: Bench) -> None:
    clocked.gate.clear()
    clocked.complete(1)
    assert clocked.blender.poll() is None
    assert clocked.blender.poll() is None
    clocked.gate.set()
    assert clocked.blender.last().complete == 1


def test_the_last_blend_has_every_complete_trial(clocked: Bench) -> None:
    clocked.complete(1)
    assert clocked.blender.poll() is None
    clocked.complete(2)
    assert clocked.blender.last().complete == 3


def test_a_blend_that_fails_costs_no_more_than_itself(clocked: Bench) -> None:
    clocked.error = "no such luck"
    clocked.complete(1)
    assert clocked.blender.poll() is None
    with pytest.warns(UserWarning, match=r"failed \(RuntimeError: no such luck\); the search goes on"):
        clocked.blender.narrow(KEPT)
    clocked.error = ""
    assert clocked.blender.last().complete == 1


def test_the_best_model_answers_alone_where_the_last_blend_fails(clocked: Bench) -> None:
    clocked.error = "no such luck"
    clocked.complete(2)
    with pytest.warns(UserWarning, match="the best model answers alone"):
        assert clocked.blender.last().complete == 2
    assert clocked.alone


def test_nothing_new_is_nothing_to_blend(clocked: Bench) -> None:
    clocked.complete(1)
    assert clocked.polled() is not None
    assert clocked.blender.poll() is None
    assert not any(thread.name == "automl-blend" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("row_s", "folds"), [(0.1e-3, KEPT), (0.2e-3, KEPT // 2), (0.5e-3, KEPT // 4), (9e-3, KEPT // 4)]
)
def test_fewer_folds_answer_where_several_families_are_too_dear_together(
    bench: Any, monkeypatch: pytest.MonkeyPatch, row_s: float, folds: int
) -> None:
    dear = Bench(bench, monkeypatch, Settings(deadline=time.monotonic() + 1e6, seconds=1e6), beside=False)
    dear.row_s = row_s
    for name in "abc":
        dear.family = bench.family(name)
        dear.complete(1)
    made = dear.blender.now()
    assert made.folds == folds
    assert dear.costs == [dear.budget.share(trial, range(folds)) for trial in made.pool]
