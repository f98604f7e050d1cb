"""One search from the first baseline to the last commit: trials come in, ensembles go out."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from automl.contract import ADDITIVE, ArtifactError, Finding, Metric, NothingFitted, Problem, Table, TaskPlugin
from automl.discovery import PluginRef
from automl.ensemble import Blend, Recipe, selection_optimism
from automl.execution.inline import opened
from automl.execution.job import Dataset
from automl.execution.protocol import Executor
from automl.execution.unit import facts_of
from automl.search.answering import AnswerTimes
from automl.search.blender import Blended, Blender, helpful_families
from automl.search.board import Board
from automl.search.budget import Budget, Footprint, Scales, kept_to
from automl.search.clock import Clock
from automl.search.deploy import (
    Deployment,
    Honest,
    Member,
    deployment,
    member_of,
    problem_state,
)
from automl.search.events import EnsembleImproved, Noticed, PhaseStarted, RunEvent
from automl.search.families import Field
from automl.search.folding import Folding, fewer_folds, training_rows
from automl.search.history import History, committed_plan, first_record
from automl.search.keeper import Keeper
from automl.search.planner import Planner
from automl.search.refine import Refined, refined
from automl.search.refitting import Refitting, seconds_to_refit, worth_refitting
from automl.search.remarks import remarks
from automl.search.rows import board_rows
from automl.search.scheduler import Scheduler
from automl.search.scorer import Scorer
from automl.search.settings import Settings
from automl.search.telling import run_finished, why_nothing
from automl.search.trial import Trial
from automl.store import RunFolder

_HONEST_BYTES, _COLUMN_BYTES, _BESIDE_BYTES = 4, 200, 10_000


class Run:
    """A search and what it commits.

    Args:
        schema: state of the intake's schema, committed with the model.
        wanted: the metric as the user named it, for what `TaskPlugin.refine` changes.
        scales: what measures the committed model; None leaves limits to the members' own figures.
        history: what an earlier process did; None for a new run.
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
        scales: Scales | None = None,
        history: History | None = None,
    ) -> None:
        self.task, self.problem, self.table, self.schema, self.wanted = task, problem, table, schema, wanted
        self.field, self.folding, self.settings = field, folding, settings
        self.executor, self.folder, self.clock = executor, folder, clock
        self.emit, self.scales, self.history = emit, scales, history
        self.keeper = Keeper(folder, clock, emit)
        self._asked = stopped
        honest, columns = len(table) * problem.n_outputs, len(table.columns)
        times = AnswerTimes(task, problem, table, folder.model_folder, settings.seconds)
        beside = _BESIDE_BYTES + _HONEST_BYTES * honest + _COLUMN_BYTES * columns
        self.budget = Budget(settings, beside, times, scales)
        clock.folds = folding.judged
        self.metric: Metric = task.metric(problem, wanted)
        self.scorer = Scorer(task, problem, table, folding, self.metric)
        self.board = Board(folding.judged, facts_of(problem, table, training_rows(folding)), settings)
        self.dataset = Dataset(table, problem, folding.folds, task_reference)
        self.plan: Deployment | None = None
        self.honest: Honest | None = None
        self._combiner: Recipe | None = None
        self._refitted: dict[str, list[int]] = {}
        self._searched, self._unneeded, self.broken_off = 0.0, 0.0, False
        parts = (task, problem, self.metric, self.board, self.scorer, settings, clock, self._folds_of, self._kept())
        self.blender = Blender(*parts, self.budget, settings.clocked and executor.isolates)

    def stopped(self) -> bool:
        """Shall the run end early: was it asked to, or does the disk take no more?"""
        return self._asked() or self.keeper.trouble is not None

    def search(self) -> None:
        """Run trials until time, trials or ideas are used up; every improvement is committed."""
        self.executor.open(self.dataset)
        started = self.clock.elapsed()
        self.planner = Planner(
            self.field, self.board, self.scorer, self.clock, self.settings, self.task.name, self.folding.repeats
        )
        self._begin()
        scheduler = Scheduler(
            self.executor,
            self.planner,
            self.board,
            self.scorer,
            self.clock,
            self.settings,
            wants=self._wants,
            keep=self.keeper.keep,
            finished=self._finished,
            tick=self._tick,
            drop=lambda trial: self.folder.drop_model(trial.candidate.key),
            emit=self.emit,
            note=self.keeper.note,
            narrow=self._narrow,
            stopped=self.stopped,
            here=partial(opened, self.dataset) if self.settings.clocked and self.executor.isolates else None,
        )
        with closing(self.planner):
            scheduler.run()
        self._searched = self.clock.elapsed() - started
        if scheduler.lost:
            self._mourn(scheduler.lost)
        elif self.planner.enough() and not self.stopped():
            self._unneeded = self.clock.left() / (self.clock.left() + self._searched)

    def _narrow(self, folds: int) -> None:
        """Judge on fewer folds from now on, baselines too: no contender can have all of them in time."""
        self._notice(fewer_folds(self.folding.judged, folds))
        self.keeper.note({"type": "narrowed", "folds": folds})
        self.folding = self.folding.narrowed(folds)
        self.blender.narrow(self._kept())
        self.board.narrow(folds)
        self.scorer.narrow(folds)
        self.clock.folds, self.planner.repeats.most = folds, 1
        self.scorer.again(self.board.ok())
        self.board.rescored()
        if self.plan is not None:
            self.plan = replace(self.plan, score=-math.inf)

    def _mourn(self, lost: str) -> None:
        """The executor is gone: the best so far is what there is, and a run with a folder can be resumed."""
        self.broken_off = True
        finding = Finding("cluster-lost", lost, done="the search ended early; the best model so far is kept")
        self._notice(finding)
        warnings.warn(f"{finding.what}; {finding.done}", stacklevel=2)

    def _notice(self, finding: Finding) -> None:
        """Keep it with the model, and tell it."""
        self.problem = replace(self.problem, findings=(*self.problem.findings, finding))
        self.emit(Noticed(finding))

    def _begin(self) -> None:
        """The first line of the journal, or the trials of the processes before."""
        if self.history is None or self.history.run is None:
            self.keeper.note(first_record(self.task.name, self.metric.name, self.settings, self.folding, self.table))
        if self.history is None:
            return
        self.history.check(self.metric.name)
        begun, ended = self.history.restore(self.field, self.board, self.scorer, self.task.container, self.folder)
        self.planner.take_over(begun, ended)
        self.plan = committed_plan(self.folder)
        if self.history.widened:  # its score is of fewer folds
            self.keeper.note({"type": "widened"})
            self.plan = self.plan and replace(self.plan, score=-math.inf)
        self._announce()
        self.keeper.note({"type": "resumed", "trials": len(begun)})
        for finding in self.history.findings:
            self._notice(finding)

    def finish(self) -> Deployment:
        """The last blend, refit where fold models are not averaged, and the last commit. Raises NothingFitted."""
        if not self.board.n_ok():
            raise NothingFitted(why_nothing(self.board))
        self.emit(PhaseStarted("ensemble", self.clock.left()))
        plan = self._concluded(self.blender.last())
        if self.budget.asked and self.scales is not None:
            plan = self._kept_to_limits(plan, self.scales.committed)
        if self.keeper.trouble is not None:
            plan = self._rescued(self.keeper.trouble)
        elif not (self.stopped() or self.broken_off):
            self.keeper.note({"type": "finished"})
        self.emit(run_finished(plan.score, self.board, self.clock, self._searched, self.executor.nodes()))
        return plan

    def _concluded(self, made: Blended) -> Deployment:
        """Learn what is learnt from the blend's honest predictions, refit, and commit."""
        self._combiner = made.blend.combiner
        learnt = self._refine(made.blend)
        plan = replace(self._planned(made.blend, made.pool, made.folds), score=learnt.score)
        if self._refits():
            self.clock.refitting = self.clock.blending = 0.0  # what they were kept for is over
            plan = self._refit(plan)
        self.honest = self._honest(made.blend, learnt.optimism)
        said = {finding.code for finding in self.problem.findings}
        for finding in remarks(plan.score, self.board, self.budget.asked, self._unneeded):
            if finding.code not in said:
                self._notice(finding)
        self._commit(plan, honest=True)
        return plan

    def _rescued(self, trouble: Finding) -> Deployment:
        """What the disk has. Raises ArtifactError when that is nothing."""
        if self.plan is None:
            raise ArtifactError(f"{trouble.what}; no model was committed before: free some space and fit again")
        self.problem = replace(self.problem, findings=(*self.problem.findings, trouble))
        return self.plan

    def _kept_to_limits(self, plan: Deployment, measure: Callable[[], Footprint]) -> Deployment:
        """With fewer members where the committed model was measured to go beyond the user's limits."""
        plan, missed = kept_to(self.budget, plan, measure, lambda: self._concluded(self.blender.now()), self.clock.left)
        for finding in missed:
            self._notice(finding)
            warnings.warn(f"{finding.what}; {finding.done}", stacklevel=2)
        if missed:
            self._commit(plan, honest=True)
        return plan

    def _refit(self, plan: Deployment) -> Deployment:
        """The plan with members that are fitted on all rows."""
        tools = (self.executor, self.clock, self.settings, self.keeper, self.stopped, self._refitted)
        trials = {trial.name: trial for trial in self.board.ok()}
        return Refitting(*tools, self.folding.in_time, self._averaged()).of(plan, trials)

    def refit_all(self, executor: Executor, settings: Settings, stopped: Callable[[], bool]) -> None:
        """After the search: fit the ensemble's members on all rows and commit them."""
        if self.plan is None:
            raise NothingFitted(why_nothing(self.board))
        self.executor, self._asked = executor, stopped
        self.settings = replace(settings, deadline=math.inf, seconds=math.inf)
        self.clock = Clock(self.settings)
        executor.open(self.dataset)
        self._commit(self._refit(self.plan), honest=True)
        if self.keeper.trouble is not None:
            raise ArtifactError(f"{self.keeper.trouble.what}; the model from before the refit stands")

    def rows(self, plan: Deployment | None = None) -> list[dict[str, Any]]:
        """The leaderboard's rows."""
        absent = self.field.absent({trial.candidate.model for trial in self.board.trials}, self.board.facts)
        return board_rows(self.board.trials, absent, plan or self.plan, "weight" in self.problem.roles)

    # -- while trials come in --------------------------------------------------------------------------------------

    def _wants(self, trial: Trial, fold: int) -> bool:
        """May the model of this fold answer?"""
        return fold < self._kept() and not trial.scout

    def _kept(self) -> int:
        """How many of the first folds keep their models: the deployed, or one where they are not averaged."""
        return self.folding.deployed if self._averaged() else 1

    def _averaged(self) -> bool:
        """Do the folds' models answer by their mean, at least until the end?"""
        return self.problem.kind in ADDITIVE and not (self.settings.preset.refit or self.folding.in_time)

    def _refits(self) -> bool:
        """Are the ensemble's members fitted on all rows at the end, to answer in place of their folds' models?"""
        unseen = self.folding.unseen(len(self.table))
        return not self._averaged() or worth_refitting(self.settings, self.folding.judged, unseen)

    def _folds_of(self, trial: Trial, most: int | None = None) -> list[int]:
        """Folds whose models answer for a trial; at most so many, all that are kept for None."""
        return trial.folds(self.folding.judged, self._kept() if most is None else most)

    def _finished(self, trial: Trial) -> None:
        """Commit the first model and every better baseline at once."""
        first = trial.baseline or self.plan is None
        if first and self.board.best() is trial and self._improves(trial.score) and self._fits(trial):
            self._commit_single(trial)
        self._keep_time_to_refit()

    def _tick(self) -> None:
        """Commit a new blend that is better than what is committed."""
        made = self.blender.poll()
        if made is None:
            return
        if self.settings.clocked:
            self.planner.helpful = helpful_families(made)
        if self._improves(made.blend.score):
            self._commit_blend(made)
            self._keep_time_to_refit()

    def _fits(self, trial: Trial) -> bool:
        return self.budget.holds(trial, self._folds_of(trial))

    def _improves(self, score: float) -> bool:
        return self.plan is None or not self.plan.score >= score

    def _keep_time_to_refit(self) -> None:
        """For the members, where they are fitted on all rows at the end."""
        if self.plan is not None and self._refits() and self.settings.clocked:
            chosen = [trial for trial in self.board.ok() if trial.name in self.plan.chosen]
            self.clock.refitting = seconds_to_refit(chosen, self.settings, self._averaged())

    def everyone(self) -> list[Member]:
        """All complete trials whose models are in the run's folder, committed or not."""
        return [member_of(trial, self._folds_of(trial)) for trial in self.board.ok()]

    def _planned(self, blend: Blend, pool: Sequence[Trial], most: int | None = None) -> Deployment:
        """What to commit: the blend's members, and beside them what answers by name: baselines and the best single one.

        Those are left out where there is no space for them.
        """
        best = self.board.best()
        worthy = [trial for trial in self.board.ok() if trial.baseline or trial is best]
        folds_of = partial(self._folds_of, most=most)
        kept = self.budget.beside([pool[position] for position in blend.keep], worthy, folds_of)
        return deployment(kept, pool, blend, folds_of)

    def _commit_single(self, trial: Trial) -> None:
        """Make the best single trial the committed model."""
        alone = Blend(None, (0,), (1.0,), (), trial.score, 0.0, 0.0)
        self._commit(self._planned(alone, [trial]))
        self._announce()

    def _commit_blend(self, made: Blended) -> None:
        self._combiner = made.blend.combiner
        self._commit(self._planned(made.blend, made.pool, made.folds))
        self._announce()

    def _announce(self) -> None:
        baseline = self.board.best(baseline=True)
        if self.plan is not None:
            beaten = baseline.score if baseline else None
            self.emit(EnsembleImproved(self.plan.score, beaten, len(self.plan.chosen), self.clock.left()))

    # -- committing ------------------------------------------------------------------------------------------------

    def _commit(self, plan: Deployment, honest: bool = False) -> None:
        started = time.monotonic()
        states: dict[str, Any] = {"schema": self.schema, "problem": problem_state(self.problem)}
        if plan.combiner and self._combiner is not None:
            states["combiner"] = self._combiner.state()
        content = {
            "task": self.task.name,
            "metric": self.metric.name,
            "deployment": plan.content(),
            "board": self.rows(plan),
        }
        keys = {member.key: member.folds for member in plan.members}
        if honest and self.honest is not None:
            try:
                if self.keeper.commit(content, {**states, "honest": self.honest.state()}, keys):
                    self.plan = plan
                return
            except ArtifactError:  # a truth of the task's own that cannot be written: commit without it
                pass
        if self.keeper.commit(content, states, keys):
            self.plan = plan
        if self.settings.clocked:
            self.clock.committing = max(self.clock.committing, time.monotonic() - started)

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
            kin=self.scorer.kin,
            seconds=max(0.0, self.clock.left() - 0.5 * self.clock.reserve()),
        )
        self.problem, self.metric = learnt.problem, learnt.metric
        return learnt

    def _honest(self, chosen: Blend, learnt: float) -> Honest:
        """`learnt`: optimism of what the task learnt from these predictions."""
        judged = self.scorer.judged
        table = np.array([[t.results[f].score for f in range(judged)] for t in self.blender.pool()])
        sizes = [len(request) for request in self.scorer.requests[:judged]]
        optimism = float(max(chosen.optimism, selection_optimism(table, sizes) if judged > 1 else 0.0))
        seen = (tuple(self.scorer.truths[:judged]), tuple(self.scorer.requests[:judged]))
        return Honest(chosen.fold_predictions, *seen, optimism + learnt, len(self.table), self.scorer.groups)
