"""The ensemble while the search goes on: which trials take part, when they are combined anew, and in which thread."""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from automl.contract import Metric, Problem, Table, TaskPlugin
from automl.ensemble import Blend, blend
from automl.search.board import Board
from automl.search.budget import Budget
from automl.search.clock import Clock
from automl.search.scorer import Scorer
from automl.search.settings import Settings
from automl.search.trial import Trial

_POOL = 40
_WEIGHTY = 0.15
_LEADERS, _FEWEST_FOLDS = 5, 2
_EVERY_TRIALS = 5
_REST = 10.0
_FIRST_REST_SECONDS = 1.0


@dataclass(frozen=True)
class Blended:
    """A blend, and what it was made from.

    Attributes:
        pool: the trials, in its order.
        complete: how many complete trials there were.
        folds: of how many folds, at most, the models of a member answer.
        seconds: that blending took.
        cpu: seconds that it worked; alone, when no trial runs any more, it takes little longer than that.
    """

    blend: Blend
    pool: Sequence[Trial]
    complete: int
    folds: int
    seconds: float
    cpu: float


def helpful_families(made: Blended) -> frozenset[str]:
    """Names of the families that together have a weighty share in the blend."""
    shares: dict[str, float] = {}
    for position, weight in zip(made.blend.keep, made.blend.weights, strict=True):
        name = made.pool[position].family.name
        shares[name] = shares.get(name, 0.0) + weight
    return frozenset(name for name, share in shares.items() if share >= _WEIGHTY)


class Blender:
    """Combines the best complete trials now and then.

    Args:
        folds_of: tells the folds whose models answer for a trial, at most `most`.
        kept: of how many folds the models are kept.
        budget: what the members may take together.
        beside: combine in a thread, while the slots go on; only where the clock may decide.
    """

    def __init__(
        self,
        task: TaskPlugin,
        problem: Problem,
        metric: Metric,
        board: Board,
        scorer: Scorer,
        settings: Settings,
        clock: Clock,
        folds_of: Callable[..., Sequence[int]],
        kept: int,
        budget: Budget,
        beside: bool,
    ) -> None:
        self.task, self.problem, self.metric, self.board, self.scorer = task, problem, metric, board, scorer
        self.settings, self.clock, self._folds_of, self.beside = settings, clock, folds_of, beside
        self.kept, self.budget = kept, budget
        self._ended, self._seconds, self._complete = -math.inf, 0.0, 0
        self._best: Blended | None = None
        self._task: _Background | None = None

    def narrow(self, kept: int) -> None:
        """Forget blends that were judged on more folds than count from now on, of which so many keep their models."""
        self._collected()
        self.kept, self._best, self._complete = kept, None, 0

    def poll(self) -> Blended | None:
        """A new blend if one is ready, else None; starts the next when it is due."""
        if self._task is not None:
            return None if self._task.running else self._collected()
        if not self._due():
            return None
        if not self.beside:
            return self.now()
        self._task = _Background(self._prepared())
        return None

    def now(self) -> Blended:
        """A blend of what there is, made here and at once: with a clock, nothing is measured for it. The best model
        where it fails.

        Raises what choosing that one raises.
        """
        try:
            return self._noted(self._prepared(measure=not self.settings.clocked)())
        except Exception as error:
            _warn(error, "the best model answers alone")
            return self._noted(self._prepared(measure=False, alone=True)())

    def last(self) -> Blended:
        """The blend to end with; an earlier combination that was better when the clock leaves only a single now."""
        made = self._collected()
        if made is None or made.complete < self.board.n_ok():
            made = self.now()
        earlier = self._best
        if len(made.blend.keep) == 1 and earlier is not None and earlier.blend.score > made.blend.score:
            return earlier
        return made

    def pool(self) -> list[Trial]:
        """The best complete trials, and the best of every family."""
        ranked = sorted(self.board.ok(), key=lambda trial: (-trial.score, trial.number))
        leaders = {trial.family.name: trial for trial in reversed(ranked)}.values()
        chosen = {trial.number for trial in [*ranked[:_POOL], *leaders]}
        return [trial for trial in ranked if trial.number in chosen]

    def _due(self) -> bool:
        """Unclocked: every few trials. Clocked: after a rest in proportion to what a blend takes, not at the end."""
        new = self.board.n_ok() - self._complete
        if not self.settings.clocked:
            return new >= _EVERY_TRIALS
        rested = time.monotonic() - self._ended >= max(_FIRST_REST_SECONDS, _REST * self._seconds)
        return new > 0 and rested and self.clock.work_left() > 2.0 * self._seconds

    def _collected(self) -> Blended | None:
        """What the thread makes, if there is one; waits for it. None where it failed: the next may do better."""
        task, self._task = self._task, None
        if task is None:
            return None
        try:
            return self._noted(task.result())
        except Exception as error:
            _warn(error, "the search goes on")
            self._ended, self._complete = time.monotonic(), self.board.n_ok()
            return None

    def _noted(self, made: Blended) -> Blended:
        """Remember it, and how long it took."""
        if len(made.blend.keep) > 1 and (self._best is None or made.blend.score >= self._best.blend.score):
            self._best = made
        self._ended, self._complete = time.monotonic(), made.complete
        self._seconds = max(0.5 * self._seconds, made.seconds)
        if self.settings.clocked:
            self.clock.blending = max(self.clock.blending, made.cpu)
        return made

    def _prepared(self, measure: bool = True, alone: bool = False) -> Callable[[], Blended]:
        """The blend of the trials as they are now, to be made at once or in a thread.

        Args:
            measure: may time be taken to see what the trials take to answer?
            alone: choose one of them, whatever the preset says.
        """
        pool, complete = self.pool(), self.board.n_ok()
        judged, preset = self.scorer.judged, self.settings.preset
        make = partial(
            blend,
            [trial.judged for trial in pool],
            self.scorer.truths[:judged],
            self.scorer.requests[:judged],
            self.metric,
            [kind for kind in self.task.combiners(self.problem) if kind.layer == 1 or preset.stack],
            self.settings.seed,
            families=[trial.family.name for trial in pool],
            features=self._features,
            kin=self.scorer.kin,
            bounds=self.task.bounds(self.problem),
            alone=alone or not preset.ensemble,
            greedy=preset.greedy,
            calibrate=preset.calibrate,
            most=preset.members,
        )

        def made() -> Blended:
            folds, costs = self._afforded(pool, measure)
            budget = math.inf if costs is None else self.budget.room(pool, costs, judged)
            started, worked = time.monotonic(), time.thread_time()
            found = make(costs=costs, budget=budget, deadline=self._deadline())
            took = time.monotonic() - started
            return Blended(found, pool, complete, folds, took, min(took, time.thread_time() - worked))

        return made

    def _afforded(self, pool: Sequence[Trial], measure: bool) -> tuple[int, list[float] | None]:
        """How many folds' models answer, and the members' shares of the budget.

        All that are kept; half of them, or a quarter, where the best of several families are too dear together: members
        that err in different places do more than further models of the same member.
        """
        fewest = min(self.kept, _FEWEST_FOLDS)
        for folds in sorted({max(fewest, -(-self.kept // parts)) for parts in (1, 2, 4)}, reverse=True):
            costs = self.budget.costs(pool, partial(self._folds_of, most=folds), measure)
            if costs is None or not sum(_of_leaders(pool, costs)[:_LEADERS]) > 1.0:
                break
        return folds, costs

    def _features(self) -> list[Table]:
        """Per fold, what is known of its validation rows before their targets are."""
        table = self.scorer.table.select(self.problem.features)
        return [table.take(fold.valid) for fold in self.scorer.folds[: self.scorer.judged]]

    def _deadline(self) -> float:
        """A blend may take a twentieth of the time limit, and half of the reserve when it is the last."""
        if not self.settings.clocked:
            return math.inf
        kept = 0.5 * (self.clock.reserve() + self.clock.refitting)
        return min(self.settings.deadline - kept, time.monotonic() + max(1.0, 0.05 * self.settings.seconds))


def _warn(error: Exception, so: str) -> None:
    warnings.warn(f"combining the models failed ({type(error).__name__}: {error}); {so}", stacklevel=3)


def _of_leaders(pool: Sequence[Trial], costs: Sequence[float]) -> list[float]:
    """The cost of the best trial of each family, the best first."""
    leaders: dict[str, float] = {}
    for trial, cost in zip(pool, costs, strict=True):
        leaders.setdefault(trial.family.name, cost)
    return list(leaders.values())


class _Background:
    """A call in a thread of its own that does not keep the program alive."""

    def __init__(self, call: Callable[[], Blended]) -> None:
        self._call = call
        self._made: Blended | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="automl-blend", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Has it not ended yet?"""
        return self._thread.is_alive()

    def result(self) -> Blended:
        """What it returned. Waits for it, and raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._made is not None
        return self._made

    def _run(self) -> None:
        try:
            self._made = self._call()
        except BaseException as error:
            self._error = error
