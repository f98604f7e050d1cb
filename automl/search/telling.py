"""Tells a run's callbacks what happens to trials and to the budget: often enough to watch, and cheap."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from itertools import islice

from automl.execution.job import Event
from automl.execution.protocol import Capacity, NodeUse
from automl.search.board import Board
from automl.search.clock import Clock
from automl.search.events import (
    BudgetLeft,
    RunEvent,
    RunFinished,
    RunStarted,
    TrialFailed,
    TrialFinished,
    TrialReported,
    TrialRetried,
    TrialStarted,
)
from automl.search.scorer import Scorer
from automl.search.trial import Trial

REPORT_SECONDS = 0.5
BUDGET_SECONDS, SELDOM_SECONDS, BUDGET_SHARE = 1.0, 10.0, 0.001
NAMES = 16


class Teller:
    """Makes events of what the scheduler sees. Nothing here changes the run. `emit` takes the events."""

    def __init__(self, emit: Callable[[RunEvent], None], board: Board, clock: Clock) -> None:
        self._emit, self._board, self._clock = emit, board, clock
        self._started: set[int] = set()
        self._reported: dict[int, float] = {}
        self._next_budget = -math.inf

    def began(self, scorer: Scorer, slots: int) -> None:
        """The search begins, or goes on with the trials that the board has."""
        settings = self._board.settings
        rows, folds, trials = len(scorer.table), self._board.n_folds, len(self._board.trials)
        limits = (settings.seconds, settings.n_trials)
        negated = not scorer.metric.greater_is_better
        self._emit(RunStarted(scorer.task.name, scorer.metric.name, rows, folds, slots, *limits, trials, negated))

    def started(self, trial: Trial) -> None:
        """A job of the trial is handed over; only the first is told."""
        if trial.number in self._started:
            return
        self._started.add(trial.number)
        family = trial.family.label
        self._emit(TrialStarted(trial.name, family, trial.baseline, trial.phase, self._clock.left()))

    def reported(self, trial: Trial, fold: int, event: Event) -> None:
        """A job told how far it is; what comes too soon after the trial's last report is left out."""
        now = time.monotonic()
        if now - self._reported.get(trial.number, -math.inf) >= REPORT_SECONDS:
            self._reported[trial.number] = now
            self._emit(TrialReported(trial.name, fold, event.step, event.value))

    def retried(self, trial: Trial, fold: int, event: Event) -> None:
        """A fold runs again."""
        reason = f"{event.kind}: {event.message}" if event.message else event.kind
        self._emit(TrialRetried(trial.name, fold, trial.attempts, reason, self._clock.left()))

    def ended(self, trial: Trial) -> None:
        """The trial is complete, given up or lost."""
        self._reported.pop(trial.number, None)
        score = None if math.isnan(trial.score) else trial.score
        facts = (trial.name, trial.family.label, trial.state, score, trial.baseline, trial.reason)
        times = (trial.seconds(), self._clock.left())
        if trial.state == "failed":
            self._emit(TrialFailed(*facts, *times, trial.detail, trial.kind))
        else:
            self._emit(TrialFinished(*facts, *times, trial.detail))

    def budget(self, capacity: Callable[[], Capacity], in_flight: Collection[tuple[Trial, int]]) -> None:
        """What is left, unless that has just been told.

        Args:
            capacity: what the executor has.
            in_flight: (trial, fold) of jobs handed over that have not come back, oldest first.
        """
        now = time.monotonic()
        if now < self._next_budget:
            return
        board, slots, limit = self._board, capacity().slots, self._board.settings.seconds
        often = BUDGET_SHARE * limit if math.isfinite(limit) else BUDGET_SECONDS
        self._next_budget = now + min(SELDOM_SECONDS, max(BUDGET_SECONDS, often))
        busy = min(len(in_flight), slots)
        names = dict.fromkeys(trial.name for trial, _ in islice(in_flight, busy))
        jobs = (slots, busy, len(in_flight) - busy, tuple(islice(names, NAMES)))
        bests = [trial.score if trial else None for trial in (board.best(baseline=False), board.best(baseline=True))]
        self._emit(BudgetLeft(self._clock.left(), limit, *jobs, len(board.trials), *bests))


def run_finished(score: float, board: Board, clock: Clock, searched: float, nodes: Sequence[NodeUse]) -> RunFinished:
    """The last event. `searched`: seconds that the search took."""
    baseline = board.best(baseline=True)
    return RunFinished(
        score,
        baseline.score if baseline else None,
        len(board.trials),
        board.failures(),
        clock.elapsed(),
        board.useful_seconds() / max(1e-9, board.settings.slots * searched),
        tuple(nodes),
    )


def why_nothing(board: Board) -> str:
    """Why no model was fitted to the end, by what became of the trials."""
    lines = [f"{trial.name}: {trial.reason}" for trial in board.trials if trial.reason][:8]
    reason = "; ".join(lines) or "there was no time for a single model"
    return f"no model was fitted to the end: {reason}"
