"""One search from the first baseline to the last commit: trials come in, ensembles go out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contract import ADDITIVE, ArtifactError, Combiner, Metric, NothingFitted, Problem, Table, TaskPlugin
from automl.discovery import PluginRef
from automl.ensemble import Blend, blend, selection_optimism
from automl.execution.job import Dataset, Job, Outcome
from automl.execution.protocol import Executor
from automl.execution.unit import facts_of
from automl.search.board import Board
from automl.search.clock import Clock
from automl.search.deploy import (
    Deployment,
    Honest,
    Member,
    deployment,
    member_of,
    problem_state,
    refit_key,
    refitted,
)
from automl.search.events import EnsembleImproved, PhaseStarted, RunEvent, RunFinished
from automl.search.families import Field
from automl.search.fingerprint import fingerprint
from automl.search.folding import Folding, training_rows
from automl.search.planner import Planner
from automl.search.refine import Refined, refined
from automl.search.rows import board_rows
from automl.search.scheduler import Scheduler
from automl.search.scorer import Scorer
from automl.search.settings import Settings
from automl.search.trial import Trial
from automl.store import RunFolder

_POOL = 40
_BLEND_EVERY = 5
_BLEND_SHARE = 8.0
_REFIT_SHARE = 0.2


class Run:
    """A search and what it commits.

    Args:
        schema: state of the intake's schema, committed with the model.
        wanted: the metric as the user named it, for what `TaskPlugin.refine` changes.
    """

    def __init__(
        self,
        task: TaskPlugin,
        task_reference: PluginRef,
        problem: Problem,
        table: Table,
        schema: dict[str, Any],
        wanted: Any,
        field: Field,
        folding: Folding,
        settings: Settings,
        executor: Executor,
        folder: RunFolder,
        clock: Clock,
        emit: Callable[[RunEvent], None],
        stopped: Callable[[], bool],
    ) -> None:
        self.task, self.problem, self.table, self.schema, self.wanted = task, problem, table, schema, wanted
        self.field, self.folding, self.settings = field, folding, settings
        self.executor, self.folder, self.clock = executor, folder, clock
        self.emit, self.stopped = emit, stopped
        clock.folds = folding.judged
        self.metric: Metric = task.metric(problem, wanted)
        self.scorer = Scorer(task, problem, table, folding, self.metric)
        self.board = Board(folding.judged, facts_of(problem, table, training_rows(folding)), settings)
        self.dataset = Dataset(table, problem, folding.folds, task_reference)
        self.plan: Deployment | None = None
        self.honest: Honest | None = None
        self._blended_at, self._blended_trials = -math.inf, 0
        self._combiner: Combiner | None = None
        self._committing = 0.0
        self._best: tuple[Blend, list[Trial]] | None = None

    def search(self) -> None:
        """Run trials until time, trials or ideas are used up; every improvement is committed."""
        self.executor.open(self.dataset)
        self.folder.journal.append(
            {
                "type": "run",
                "task": self.task.name,
                "metric": self.metric.name,
                "seed": self.settings.seed,
                "n_trials": self.settings.n_trials,
                "folds": self.folding.judged,
                "repeats": self.folding.repeats,
                "data": fingerprint(self.table),
            }
        )
        planner = Planner(self.field, self.board, self.clock, self.settings, self.task.name, self.folding.repeats)
        Scheduler(
            self.executor,
            planner,
            self.board,
            self.scorer,
            self.clock,
            self.settings,
            keep=self._keep,
            finished=self._finished,
            drop=lambda trial: self.folder.drop_model(trial.candidate.key),
            emit=self.emit,
            note=self.folder.journal.append,
            stopped=self.stopped,
        ).run()

    def finish(self) -> Deployment:
        """The last blend, refit where fold models cannot be averaged, and the last commit. Raises NothingFitted."""
        if not self.board.ok():
            raise NothingFitted(self._why_nothing())
        self.emit(PhaseStarted("ensemble", self.clock.left()))
        chosen, pool = self._last_blend()
        learnt = self._refine(chosen)
        plan = replace(deployment(self._worth_keeping(), pool, chosen, self._folds_of), score=learnt.score)
        if self.problem.kind not in ADDITIVE:
            self.clock.refitting = 0.0  # what it was kept for is now
            self.clock.finishing = self._committing
            plan = self.refit(plan)
        self.honest = self._honest(chosen, learnt.optimism)
        self._commit(plan, honest=True)
        baseline = self.board.best(baseline=True)
        self.emit(
            RunFinished(
                plan.score,
                baseline.score if baseline else None,
                len(self.board.trials),
                self.board.failures(),
                self.clock.elapsed(),
            )
        )
        return plan

    def refit(self, plan: Deployment) -> Deployment:
        """The plan with the ensemble's members fitted on all rows; those that fail or run out of time stay as is."""
        trials = {trial.name: trial for trial in self.board.ok()}
        waiting = {}
        for number, name in enumerate(plan.chosen):
            trial = trials[name]
            soft = max(0.1, self.clock.work_left()) if self.settings.clocked else math.inf
            family, params = trial.family, refit_params(trial)
            candidate = replace(trial.candidate, params=params)
            references = family.encoder_references
            job = Job(
                -1 - number,
                candidate,
                -1,
                family.reference,
                references,
                family.resources,
                soft,
                soft,
                self.settings.memory,
            )
            self.executor.submit(job)
            waiting[job.id] = trial
        done = []
        while waiting and self.clock.work_left() > 0 and not self.stopped():
            for event in self.executor.wait(min(0.5, max(0.0, self.clock.work_left()))):
                if event.kind == "progress" or event.job not in waiting:
                    continue
                trial = waiting.pop(event.job)
                if event.outcome is not None:
                    self.folder.write_model(refit_key(trial.candidate.key), -1, event.outcome.files)
                    done.append(trial.name)
        return refitted(plan, done)

    def refit_all(self, executor: Executor, settings: Settings, stopped: Callable[[], bool]) -> None:
        """After the search: fit the ensemble's members on all rows and commit them."""
        if self.plan is None:
            raise NothingFitted(self._why_nothing())
        self.executor, self.stopped = executor, stopped
        self.settings = replace(settings, deadline=math.inf, seconds=math.inf)
        self.clock = Clock(self.settings)
        executor.open(self.dataset)
        self._commit(self.refit(self.plan), honest=True)

    def rows(self, plan: Deployment | None = None) -> list[dict[str, Any]]:
        """The leaderboard's rows."""
        return board_rows(self.board.trials, self.field.skipped, plan or self.plan, "weight" in self.problem.roles)

    # -- while trials come in --------------------------------------------------------------------------------------

    def _keep(self, trial: Trial, fold: int, outcome: Outcome) -> None:
        if fold < self._kept():
            self.folder.write_model(trial.candidate.key, fold, outcome.files)

    def _kept(self) -> int:
        """How many of the first folds keep their models: the deployed, or one where they cannot be averaged."""
        return self.folding.deployed if self.problem.kind in ADDITIVE else 1

    def _folds_of(self, trial: Trial) -> list[int]:
        """Folds whose models answer for a trial."""
        return trial.folds(self.folding.judged, self._kept())

    def _finished(self, trial: Trial) -> None:
        """Commit what is better than before; blend now and then."""
        self._improve(trial)
        self._keep_time_to_refit()

    def _improve(self, trial: Trial) -> None:
        if trial.baseline or self.plan is None:
            if self.board.best() is trial and (self.plan is None or not self.plan.score >= trial.score):
                self._commit_single(trial)
            return
        if self._blend_due():
            chosen = self._blend()
            if self.plan is None or not self.plan.score >= chosen.score:
                self._commit(deployment(self._worth_keeping(), self._pool(), chosen, self._folds_of))
                self._announce()

    def _keep_time_to_refit(self) -> None:
        """Where fold models cannot be averaged, the ensemble's members are fitted on all rows at the end."""
        if self.plan is None or self.problem.kind in ADDITIVE or not self.settings.clocked:
            return
        walls = [max(r.wall for r in t.results.values()) for t in self.board.ok() if t.name in self.plan.chosen]
        rounds = math.ceil(len(walls) / self.settings.slots)
        self.clock.refitting = min(_REFIT_SHARE * self.settings.seconds, 1.5 * rounds * max(walls))

    def _blend_due(self) -> bool:
        new = len(self.board.ok()) - self._blended_trials
        if not self.settings.clocked:
            return new >= _BLEND_EVERY
        return self.clock.elapsed() - self._blended_at >= max(1.0, _BLEND_SHARE * self.clock.finishing)

    def _blend(self) -> Blend:
        started = time.monotonic()
        pool = self._pool()
        costs = [trial.row_seconds(self._folds_of(trial)) for trial in pool]
        budget = self.settings.preset.row_ms / 1000
        chosen = blend(
            [trial.judged for trial in pool],
            self.scorer.truths[: self.scorer.judged],
            self.scorer.requests[: self.scorer.judged],
            self.metric,
            self.task.combiners(self.problem),
            self.settings.seed,
            costs if self.settings.clocked else None,
            budget if self.settings.clocked else math.inf,
            families=[trial.family.name for trial in pool],
            deadline=self._blend_deadline(started),
        )
        self._combiner = chosen.combiner
        if chosen.combiner is not None and (self._best is None or chosen.score >= self._best[0].score):
            self._best = chosen, pool
        self._blended_at, self._blended_trials = self.clock.elapsed(), len(self.board.ok())
        if self.settings.clocked:
            self.clock.finishing = max(self.clock.finishing, time.monotonic() - started)
        return chosen

    def _last_blend(self) -> tuple[Blend, list[Trial]]:
        """The final blend and its pool; an earlier combination that was better when the clock left only a single."""
        chosen, pool = self._blend(), self._pool()
        if chosen.combiner is None and self._best is not None and self._best[0].score > chosen.score:
            chosen, pool = self._best
            self._combiner = chosen.combiner
        return chosen, pool

    def _blend_deadline(self, started: float) -> float:
        """A blend may take a twentieth of the time limit, and half of the reserve when it is the last."""
        if not self.settings.clocked:
            return math.inf
        kept = 0.5 * (self.clock.reserve() + self.clock.refitting)
        return min(self.settings.deadline - kept, started + max(1.0, 0.05 * self.settings.seconds))

    def _pool(self) -> list[Trial]:
        """The best complete trials, and the best of every family."""
        ranked = sorted(self.board.ok(), key=lambda trial: (-trial.score, trial.number))
        leaders = {trial.family.name: trial for trial in reversed(ranked)}.values()
        chosen = {trial.number for trial in [*ranked[:_POOL], *leaders]}
        return [trial for trial in ranked if trial.number in chosen]

    def everyone(self) -> list[Member]:
        """All complete trials whose models are in the run's folder, committed or not."""
        return [member_of(trial, self._folds_of(trial)) for trial in self.board.ok()]

    def _worth_keeping(self) -> list[Trial]:
        """Trials that can answer by name beside the ensemble's: the baselines and the best single one."""
        best = self.board.best()
        return [t for t in self.board.ok() if t.baseline or t is best]

    def _commit_single(self, trial: Trial) -> None:
        """Make the best single trial the committed model."""
        alone = Blend(None, (0,), (1.0,), (), trial.score, 0.0, 0.0)
        self._commit(deployment(self._worth_keeping(), [trial], alone, self._folds_of))
        self._announce()

    def _announce(self) -> None:
        baseline = self.board.best(baseline=True)
        if self.plan is not None:
            self.emit(
                EnsembleImproved(
                    self.plan.score, baseline.score if baseline else None, len(self.plan.chosen), self.clock.left()
                )
            )

    # -- committing ------------------------------------------------------------------------------------------------

    def _commit(self, plan: Deployment, honest: bool = False) -> None:
        started = time.monotonic()
        states: dict[str, Any] = {"schema": self.schema, "problem": problem_state(self.problem)}
        if plan.combiner and self._combiner is not None:
            states["combiner"] = dict(self._combiner.state())
        content = {
            "task": self.task.name,
            "metric": self.metric.name,
            "deployment": plan.content(),
            "board": self.rows(plan),
        }
        keys = [member.key for member in plan.members]
        if honest and self.honest is not None:
            try:
                self.folder.commit(content, {**states, "honest": self.honest.state()}, keys)
                self.plan = plan
                return
            except ArtifactError:  # a truth of the task's own that cannot be written: commit without it
                pass
        self.folder.commit(content, states, keys)
        self.plan = plan
        if self.settings.clocked:
            self._committing = max(self._committing, time.monotonic() - started)
            self.clock.finishing = max(self.clock.finishing, self._committing)

    def _refine(self, chosen: Blend) -> Refined:
        """Let the task learn from the ensemble's honest predictions, for example a threshold."""
        judged = self.scorer.judged
        learnt = refined(
            self.task,
            self.problem,
            self.wanted,
            self.metric,
            chosen.fold_predictions,
            self.scorer.truths[:judged],
            self.scorer.requests[:judged],
            seed=self.settings.seed,
            seconds=max(0.0, self.clock.left() - 0.5 * self.clock.reserve()),
        )
        self.problem, self.metric = learnt.problem, learnt.metric
        return learnt

    def _honest(self, chosen: Blend, learnt: float) -> Honest:
        """`learnt`: optimism of what the task learnt from these predictions."""
        judged = self.scorer.judged
        table = np.array([[t.results[f].score for f in range(judged)] for t in self._pool()])
        sizes = [len(request) for request in self.scorer.requests[:judged]]
        optimism = max(chosen.optimism, selection_optimism(table, sizes) if judged > 1 else 0.0)
        return Honest(
            chosen.fold_predictions,
            tuple(self.scorer.truths[:judged]),
            tuple(self.scorer.requests[:judged]),
            float(optimism + learnt),
            len(self.table),
        )

    def _why_nothing(self) -> str:
        lines = [f"{trial.name}: {trial.reason}" for trial in self.board.trials if trial.reason][:8]
        reason = "; ".join(lines) or "there was no time for a single model"
        return f"no model was fitted to the end: {reason}"


def refit_params(trial: Trial) -> dict[str, Any]:
    """The candidate's settings, with what its folds found out (the median over folds) for a fit on all rows."""
    found = [result.info.refit for result in trial.results.values()]
    params = dict(trial.candidate.params)
    for name in {name for refit in found for name in refit}:
        values = [refit[name] for refit in found if name in refit]
        if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            params[name] = round(float(np.median(values)))
        elif all(isinstance(value, float) for value in values):
            params[name] = float(np.median(values))
        else:
            params[name] = values[0]
    return params
