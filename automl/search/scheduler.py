"""The loop: keep the slots busy, take in what comes back, and stop in time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from automl.contract import ArtifactError, ExecutionError, Resources
from automl.execution.job import Event, Job, Outcome
from automl.execution.protocol import Capacity, Executor
from automl.search.board import Board
from automl.search.clock import Clock
from automl.search.events import PhaseStarted, RunEvent
from automl.search.mishaps import deserves_another_try, last_words
from automl.search.planner import Planner
from automl.search.scorer import Scorer
from automl.search.settings import Settings
from automl.search.telling import Teller
from automl.search.trial import FoldResult, Trial

_TICK_SECONDS = 0.5
_LAST_SHARE = 0.15
_OURS, _RESORT_SECONDS = "automl.", 0.2
_MOST_PER_SLOT = 4


class Scheduler:
    """Drives one executor through the trials that a planner wants.

    Args:
        wants: asked with (trial, fold) whether the fold's model is to be saved, beside what it predicts.
        keep: called with (trial, fold, outcome) for every finished fold, to put away its model and what it predicted;
            returns where they are, for the journal, or None when the disk takes no more.
        finished: called with each trial that has a score on every fold.
        tick: called in every round, for what is done beside the trials.
        drop: called with each trial that is given up, to delete its models.
        note: called with a JSON record for the journal.
        narrow: called with the number of folds that count from now on, when time does not suffice for all.
        stopped: asked before every job; True ends the search.
        here: gives an executor that runs jobs in this process, for the last resort; None does without.

    Attributes:
        lost: why the executor can run nothing any more, or "".
    """

    def __init__(
        self,
        executor: Executor,
        planner: Planner,
        board: Board,
        scorer: Scorer,
        clock: Clock,
        settings: Settings,
        *,
        wants: Callable[[Trial, int], bool],
        keep: Callable[[Trial, int, Outcome], dict[str, Any] | None],
        finished: Callable[[Trial], None],
        tick: Callable[[], None],
        drop: Callable[[Trial], None],
        emit: Callable[[RunEvent], None],
        note: Callable[[dict[str, Any]], None],
        narrow: Callable[[int], None],
        stopped: Callable[[], bool],
        here: Callable[[], Executor] | None = None,
    ) -> None:
        self.executor, self.planner, self.board, self.scorer = executor, planner, board, scorer
        self.clock, self.settings = clock, settings
        self.wants, self.keep, self.finished, self.drop, self.emit, self.note = wants, keep, finished, drop, emit, note
        self.tell = Teller(emit, board, clock)
        self.tick = tick
        self.narrow, self.stopped, self.here = narrow, stopped, here
        self.lost = ""
        self._on_gpus = any(family.resources.gpus for family in planner.field.families)
        self._jobs: dict[int, tuple[Trial, int]] = {}
        self._count = 0
        self._phase = ""
        self._noted = {trial.number for trial in board.trials}

    def run(self) -> None:
        """Search until the planner has nothing left, the time is up, or the run is stopped."""
        self.tell.began(self.scorer, min(self.executor.capacity().slots, self.settings.slots))
        self._conclude()
        while not self._over():
            self._narrow(self.planner.folds_in_time())
            self._fill()
            self.tell.budget(self.executor.capacity, self._jobs.values())
            if not self._jobs:
                break
            wait = min(_TICK_SECONDS, max(0.0, self.clock.work_left()))
            for event in self.executor.wait(wait):
                self._take(event)
            self.tick()
        if not self.board.n_ok() and self.here is not None and not self.stopped():
            self._last_resort(self.here())
        if not self.stopped() and not (self.lost and self.board.n_ok()):
            self._narrow(self.planner.folds_done())
        self._abandon()

    def _last_resort(self, here: Executor) -> None:
        """Workers that did not even get a baseline done in time, on a machine far too busy for the limit: one of ours
        that takes next to nothing is fitted in this process, so that there is a model."""
        if not self.board.running():  # the workers took all of the time to come up
            self.planner.next()
            self._announce()
        waiting = [trial for trial in self.board.running() if trial.baseline and _harmless(trial, self.board)]
        for trial in waiting[:1]:
            for job, (other, _) in list(self._jobs.items()):
                if other is trial:
                    self.executor.kill(job)
                    del self._jobs[job]
            for fold in range(self.board.n_folds):
                if fold not in trial.results and trial.running:
                    self._submit(trial, fold, here)
                    for event in here.wait(0.0):
                        self._take(event)

    def _conclude(self) -> None:
        """End trials that have all their folds: of an earlier process, or since fewer count than before."""
        for trial in self.board.running():
            if trial.scout and trial.results:
                self._scouted(trial)
            elif trial.repeats(self.board.n_folds):
                self._complete(trial)

    def _narrow(self, folds: int) -> None:
        """Go on with fewer folds where time does not suffice for all: what has them is complete."""
        if folds == self.board.n_folds:
            return
        for job, (_, fold) in list(self._jobs.items()):
            if fold >= folds:
                self.executor.kill(job)
                del self._jobs[job]
        self.narrow(folds)
        self._conclude()

    def _over(self) -> bool:
        return bool(self.lost) or self.stopped() or self.clock.work_left() <= 0

    def _fill(self) -> None:
        """Start jobs until the slots are full or the planner holds back."""
        while not self._over() and self._room(self.executor.capacity()):
            wanted = self.planner.next()
            self._announce()
            self._close_pruned()
            if wanted is None:
                return
            self._submit(*wanted)

    def _room(self, capacity: Capacity) -> bool:
        """Is another job wanted? Beyond the slots, one that may suit cores or GPUs which those that wait do not."""
        self.lost = capacity.lost
        slots = self._followed(capacity.slots)
        if self.lost or len(self._jobs) < slots + self._ahead(slots):
            return not self.lost
        unused = capacity.free > 0 or (self._on_gpus and capacity.free_gpus > 0)
        return unused and self.settings.clocked and len(self._jobs) < _MOST_PER_SLOT * slots

    def _followed(self, there: int) -> int:
        """The jobs that can run at once now; who reckons with slots learns of it when a cluster grows or shrinks."""
        slots = max(1, there // self.settings.preset.threads)
        if slots != self.settings.slots:
            self.settings = replace(self.settings, slots=slots)
            for reckoner in (self.planner, self.board, self.clock):
                reckoner.settings = self.settings
        return slots

    def _ahead(self, slots: int) -> int:
        """Jobs to queue beyond the slots, so that none waits for the driver; none near the end, as a job's time counts
        from its start, and none when the clock must not matter."""
        if not (self.settings.clocked and self.executor.isolates):
            return 0
        return slots if self.clock.work_left() > _LAST_SHARE * self.settings.seconds else 0

    def _announce(self) -> None:
        if self.planner.phase != self._phase:
            self._phase = self.planner.phase
            self.emit(PhaseStarted(self._phase, self.clock.left()))

    def _submit(self, trial: Trial, fold: int, executor: Executor | None = None) -> None:
        """To the run's executor, or another one."""
        family = trial.family
        soft, hard = self.clock.job_limits(trial.baseline)
        job = Job(
            self._count,
            trial.candidate,
            fold,
            family.reference,
            family.references(trial.candidate.encoders),
            family.resources if family.resources.cpus else Resources(),
            soft,
            hard,
            self.settings.memory,
            measure=self.settings.measures and fold == 0 and not trial.scout,
            save=self.wants(trial, fold),
            until=math.inf if trial.baseline else self.clock.works_until(),
        )
        self._count += 1
        self._jobs[job.id] = (trial, fold)
        if trial.number not in self._noted:
            self._noted.add(trial.number)
            self._note_start(trial)
        self.tell.started(trial)
        trial.submitted.add(fold)
        try:
            (executor or self.executor).submit(job)
        except ExecutionError as error:  # what it needs can never be had here; others may fit
            del self._jobs[job.id]
            self._fail(trial, Event(job.id, "invalid", message=str(error)))

    def _note_start(self, trial: Trial) -> None:
        """All that is needed to make the same candidate again."""
        self.note(
            {
                "type": "start",
                "trial": trial.number,
                "name": trial.name,
                "phase": trial.phase,
                "key": trial.candidate.key,
                **asdict(trial.candidate),
            }
        )

    # -- what comes back -------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if event.job not in self._jobs:
            return
        if event.kind == "progress":
            self.tell.reported(*self._jobs[event.job], event)
            return
        trial, fold = self._jobs.pop(event.job)
        if trial.state not in ("running", "ok"):
            return
        if event.kind == "done" and event.outcome is not None and event.outcome.predictions is not None:
            self._fold_done(trial, fold, event.outcome)
        elif deserves_another_try(trial, event):
            trial.attempts += 1
            trial.submitted.discard(fold)
            self.board.again(trial)
            self.tell.retried(trial, fold, event)
        else:
            self._fail(trial, event)

    def _fold_done(self, trial: Trial, fold: int, outcome: Outcome) -> None:
        predictions = outcome.predictions
        if predictions is None:
            return
        try:
            score = self.scorer.fold_score(fold, predictions)
        except Exception as error:
            self._fail(trial, Event(0, "invalid", message=f"its predictions cannot be scored: {error}"))
            return
        try:
            kept = self.keep(trial, fold, outcome)
        except ArtifactError as error:  # a file name that leaves the folder, or predictions that cannot be saved
            self._fail(trial, Event(0, "invalid", message=str(error)))
            return
        if kept is None:
            return
        info, seconds = outcome.info, (outcome.wall, outcome.cpu, outcome.predict_s, outcome.row_s)
        trial.results[fold] = FoldResult(score, predictions, info, *seconds, outcome.size)
        self.board.noted(trial, fold)
        self._note_fold(trial, fold, kept)
        if trial.scout:
            self._scouted(trial)
        elif fold not in range(self.board.n_folds):
            self._repeated(trial, fold)
        elif len(trial.results) == self.board.n_folds:
            self._complete(trial)

    def _note_fold(self, trial: Trial, fold: int, kept: dict[str, Any]) -> None:
        """From here on, the fold is never run again."""
        result = trial.results[fold]
        self.note(
            {
                "type": "fold",
                "trial": trial.number,
                "fold": fold,
                "score": result.score,
                "wall": result.wall,
                "cpu": result.cpu,
                "predict_s": result.predict_s,
                "row_s": result.row_s,
                "size": result.size,
                "best_step": result.info.best_step,
                "refit": dict(result.info.refit),
                **kept,
            }
        )

    def _scouted(self, trial: Trial) -> None:
        """A scout ends with its fold; its model is not kept."""
        trial.end("pruned", reason=f"tried on {trial.candidate.fidelity:.2g} of the rows")
        self._tell(trial)

    def _repeated(self, trial: Trial, fold: int) -> None:
        """A fold of a further repeat: once the repeat is whole, the trial's predictions get steadier."""
        whole = trial.repeats(self.board.n_folds) > fold // self.board.n_folds
        if whole:
            self.scorer.judge(trial)
        self.board.rescored()
        if whole:
            self.finished(trial)

    def _complete(self, trial: Trial) -> None:
        self.scorer.judge(trial)
        if math.isnan(trial.score):
            self._fail(trial, Event(0, "invalid", message="the metric is undefined on every fold"))
            return
        trial.end("ok")
        self.planner.learn(trial)
        self._tell(trial)
        self.finished(trial)

    def _fail(self, trial: Trial, event: Event) -> None:
        """The trial is lost; one that was complete before only gets no further repeat."""
        if trial.state == "ok":
            trial.closed = True
            self.note({"type": "closed", "trial": trial.number, "reason": f"{event.kind}: {event.message}"})
            return
        trial.end("failed", event.kind, last_words(trial, event), event.detail)
        for job, (other, _) in list(self._jobs.items()):
            if other is trial:
                self.executor.kill(job)
        self.planner.learn(trial)
        self._tell(trial)
        self.drop(trial)

    def _close_pruned(self) -> None:
        """Report trials that the planner has just given up; their fits that have not begun are called off."""
        for trial in self.board.just_pruned():
            if not trial.told:
                for job in [job for job, (other, _) in self._jobs.items() if other is trial]:
                    if self.executor.withdraw(job):
                        del self._jobs[job]
                self._tell(trial)
                self.drop(trial)

    def _abandon(self) -> None:
        """Time is up: what has not finished counts as pruned; a run that was stopped, or that lost its cluster, can be
        resumed with it."""
        self._close_pruned()
        for job in list(self._jobs):
            self.executor.kill(job)
        self._jobs.clear()
        ended = "was stopped" if self.stopped() else "ended"
        for trial in self.board.running():
            trial.end("pruned", reason=f"the run {ended} with {len(trial.results)} of {self.board.n_folds} folds done")
            if self.stopped() or self.lost:
                self.tell.ended(trial)
            else:
                self._tell(trial)
                self.drop(trial)

    def _tell(self, trial: Trial) -> None:
        trial.told = True
        score = None if math.isnan(trial.score) else trial.score
        self.note(
            {
                "type": "trial",
                "trial": trial.number,
                "name": trial.name,
                "state": trial.state,
                "kind": trial.kind,
                "score": score,
                "reason": trial.reason,
                "detail": trial.detail,
            }
        )
        self.tell.ended(trial)


def _harmless(trial: Trial, board: Board) -> bool:
    """May it run in the driver: is its code ours, and does it say that it takes next to no time?"""
    ours = trial.family.reference.target.startswith(_OURS) and not trial.family.reference.payload
    return ours and trial.family.cost(board.facts, trial.candidate.params) * board.n_folds <= _RESORT_SECONDS
