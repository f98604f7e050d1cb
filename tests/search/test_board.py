"""The book of trials keeps up with what happens, without looking at all of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from automl.contract import ArrayPredictions, FitInfo
from automl.execution.job import Candidate
from automl.search.board import Board
from automl.search.settings import Settings
from automl.search.trial import FoldResult, Trial


def result(score: float, wall: float = 1.0) -> FoldResult:
    return FoldResult(score, ArrayPredictions("real", np.zeros((1, 1))), FitInfo(), wall, wall, 0.0, 0.0)


class Book:
    """A board of three folds, and what it should say by looking at every trial."""

    def __init__(self, bench: Any) -> None:
        self.board = Board(3, bench.facts, Settings(deadline=1e9, seconds=100.0, slots=4))
        self.families = [bench.family("a"), bench.family("b"), bench.family("base", baseline=True)]
        self.rng = np.random.default_rng(0)
        self.walls: dict[str, list[float]] = {}

    def begin(self, which: int) -> Trial:
        family, number = self.families[which], len(self.board.trials)
        trial = self.board.add(family, Candidate(family.name, {"n": number}), "baseline" if which == 2 else "search")
        assert trial is not None
        return trial

    def fold(self, trial: Trial) -> None:
        fold = len(trial.results)
        trial.submitted.add(fold)
        trial.results[fold] = result(float(self.rng.normal()), float(self.rng.random()))
        self.walls.setdefault(trial.family.name, []).append(trial.results[fold].wall)
        self.board.noted(trial, fold)

    def end(self, trial: Trial, state: str) -> None:
        trial.score = trial.mean() if state == "ok" else math.nan
        trial.end(state)

    def agrees(self) -> None:
        board, trials = self.board, self.board.trials
        assert board.running() == [t for t in trials if t.running]
        assert {t.number for t in board.partial()} == {t.number for t in trials if t.running and t.results}
        assert [t.number for t in board.startable()] == [t.number for t in trials if t.running and len(t.submitted) < 3]
        assert board.ok() == [t for t in trials if t.state == "ok"]
        assert board.n_ok() == len(board.ok())
        assert board.tried == sum(not t.baseline for t in trials)
        for baseline in (None, True, False):
            chosen = [t for t in board.ok() if baseline is None or t.baseline == baseline]
            assert board.best(baseline) is max(chosen, key=lambda t: t.score, default=None)
        for family in self.families:
            own = [t for t in trials if t.family is family]
            account = board.account(family)
            assert board.of(family) == own
            assert account.ended == sum(not t.running for t in own)
            assert account.lost == sum(t.state in ("pruned", "failed") for t in own)
            means = [t.mean() for t in own if t.results and t.state != "failed"]
            assert account.best_mean() == pytest.approx(max(means, default=math.nan), nan_ok=True)
            assert account.spent(4, 0.2) == pytest.approx(sum(max(t.seconds() / 4, 0.2) for t in own))
            assert list(account.walls) == self.walls.get(family.name, [])[-8:]


def test_it_says_at_every_step_what_a_look_at_all_trials_would(bench: Any) -> None:
    book = Book(bench)
    for _ in range(150):
        running = book.board.running()
        trial = running[int(book.rng.integers(len(running)))] if running else book.begin(0)
        what = int(book.rng.integers(4))
        if what == 0:
            book.begin(int(book.rng.integers(3)))
        elif what == 1 and trial.results:
            book.end(trial, str(book.rng.choice(["ok", "pruned", "failed"])))
        elif len(trial.results) < 3:
            book.fold(trial)
        book.agrees()


def test_what_was_given_up_is_named_once(bench: Any) -> None:
    book = Book(bench)
    trials = [book.begin(0) for _ in range(3)]
    for trial in trials[:2]:
        trial.end("pruned")
    assert book.board.just_pruned() == trials[:2]
    assert book.board.just_pruned() == []


def test_a_better_score_of_a_trial_that_had_ended_counts(bench: Any) -> None:
    book = Book(bench)
    first, second = book.begin(0), book.begin(1)
    for trial, score in ((first, 0.1), (second, 0.2)):
        trial.results[0] = result(score)
        book.end(trial, "ok")
    assert book.board.best() is second
    first.results[1], first.score = result(0.9), 0.5
    book.board.rescored()
    assert book.board.best() is first
    assert book.board.account(book.families[0]).best_mean() == pytest.approx(0.5)


def test_with_fewer_folds_what_trials_have_of_the_others_is_forgotten(bench: Any) -> None:
    book = Book(bench)
    trial = book.begin(0)
    for _ in range(3):
        book.fold(trial)
    assert book.board.startable() == []
    book.board.narrow(2)
    assert sorted(trial.results) == [0, 1]
    book.board.narrow(1)
    assert book.board.n_folds == 1


def test_a_family_without_a_score_has_none(bench: Any) -> None:
    book = Book(bench)
    family = book.families[0]
    assert math.isnan(book.board.account(family).best_mean())
    trial = book.begin(0)
    trial.results[0] = result(math.nan)
    book.end(trial, "failed")
    assert math.isnan(book.board.account(family).best_mean())
    other = book.begin(0)
    other.results[0] = result(0.3)
    book.end(other, "ok")
    assert book.board.account(family).best_mean() == 0.3


def test_a_fold_on_which_the_metric_is_undefined_condemns_nobody(bench: Any) -> None:
    book = Book(bench)
    best, late = book.begin(0), book.begin(1)
    best.results = {0: result(math.nan), 1: result(0.8), 2: result(0.9)}
    book.end(best, "ok")
    late.results = {0: result(math.nan), 1: result(0.85)}
    assert book.board.hopeless(late) == ""
    late.results[1] = result(0.1)
    assert "is below the worst fold 0.8 of a" in book.board.hopeless(late)


def test_unlucky_folds_of_further_repeats_forgive_nothing_and_make_no_score_surer(bench: Any) -> None:
    book = Book(bench)
    best, late = book.begin(0), book.begin(1)
    for trial, scores in ((best, (0.8, 0.9, 1.0)), (late, (0.6,))):
        for fold, score in enumerate(scores):
            trial.results[fold] = result(score)
            book.board.noted(trial, fold)
    book.end(best, "ok")
    assert "is below the worst fold 0.8 of a" in book.board.hopeless(late)
    for fold, score in enumerate((0.3, 0.9, 1.5), start=3):
        best.results[fold] = result(score)
        book.board.noted(best, fold)
    assert best.spread(3) == pytest.approx(np.std([0.8, 0.9, 1.0, 0.3, 0.9, 1.5], ddof=1) / math.sqrt(3))
    best.results = {fold: r for fold, r in best.results.items() if fold < 3} | {3: result(0.3), 4: result(0.9)}
    late.results[0] = result(0.5)
    assert "is below the worst fold 0.8 of a" in book.board.hopeless(late)


@pytest.mark.parametrize(
    ("scores", "said"), [([0.1], "score on one fold 0.1 is"), ([0.1, 0.1], "mean of 2 folds 0.1 is")]
)
def test_why_a_trial_is_hopeless_is_said_in_words_that_fit_its_folds(
    bench: Any, scores: list[float], said: str
) -> None:
    book = Book(bench)
    best, late = book.begin(0), book.begin(1)
    best.results = {0: result(0.8), 1: result(0.8), 2: result(0.9)}
    book.end(best, "ok")
    late.results = {fold: result(score) for fold, score in enumerate(scores)}
    assert book.board.hopeless(late).startswith(said)
