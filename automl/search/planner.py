"""What to try next: baselines, then every family's first point on one fold, then whoever earns it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from automl.execution.job import Candidate
from automl.search.allocation import Claim, choose
from automl.search.blocks import Blocks
from automl.search.board import Board
from automl.search.clock import Clock
from automl.search.families import Family, Field
from automl.search.ladder import Ladder
from automl.search.repeats import Repeats
from automl.search.scorer import Scorer
from automl.search.settings import Settings
from automl.search.suggestions import suggestions_for
from automl.search.trial import Trial
from automl.search.underway import Underway, known

_FIRST_SHARE, _LATER_SHARE, _END_SHARE, _END_MARGIN = 0.35, 0.2, 0.35, 1.15
_FREE_CANDIDATES = 30
_BEFORE_REPEATS = 14
_TRIALS_PER_KNOB = 6
_LEAST_SHARE = 0.01
_ROWS_PER_CANDIDATE = 50
_SCOUT_SHARE = 0.25
_ATTEMPTS = 3


class Planner:
    """Decides which fold of which trial runs next, and makes new trials.

    Attributes:
        helpful: names of families with a weighty share in the last ensemble; each counts as being as good as the best.
    """

    def __init__(
        self, field: Field, board: Board, scorer: Scorer, clock: Clock, settings: Settings, task: str, repeats: int = 1
    ) -> None:
        self.field, self.board, self.scorer, self.clock, self.settings = field, board, scorer, clock, settings
        self.repeats = Repeats(board, clock, repeats)
        self._baselines = field.baselines()
        self._firsts = field.contenders()
        self._ladder = Ladder(field.contenders() if settings.clocked else (), board.facts.n_rows)
        self._scouting = self._ladder.next() is not None
        self._points = {family.name: list(range(len(family.points))) for family in field.searched()}
        self._suggestions = suggestions_for({f.name: f.space for f in field.searched()}, task, settings)
        self._blocks = Blocks(scorer.gains)
        self._underway = Underway(board, scorer, clock, self._blocks)
        self._dry: set[str] = set()
        self._spent: dict[str, tuple[int, int]] = {}
        self.helpful: frozenset[str] = frozenset()
        self.phase = "baselines"

    def next(self) -> tuple[Trial, int] | None:
        """A trial and the fold to run; None when nothing should be started now."""
        self._give_up()
        waiting = self._open_trials()
        if not any(t.baseline for t in waiting) and (tested := self._first_block()) is not None:
            return tested, 0
        if waiting:
            return waiting[0], self._next_fold(waiting[0])
        again = self.repeats.next() if self._steadier_first() else None
        if again is not None:
            return again
        trial = self._new_trial()
        return self.repeats.next() if trial is None else (trial, 0)

    def take_over(self, begun: Sequence[Trial], ended: Sequence[Trial]) -> None:
        """Go on from trials of an earlier process: all, as they began, and those that have ended, as they did."""
        for trial in begun:
            family = trial.family
            if trial.scout:
                self._ladder.took_over(trial)
            elif trial.phase == "features" and family.name in self._points:
                self._blocks.took_over(family, trial, self.board.of(family))
        if self._scouting and any(not (trial.baseline or trial.scout) for trial in begun):
            self._end_scouting()
        for trial in begun:
            self._pass_over(trial)
            for fold in trial.results:
                self.board.noted(trial, fold)
        for trial in ended:
            if not trial.scout:
                self.learn(trial)

    def _pass_over(self, trial: Trial) -> None:
        """What has been started is not to be started again, nor what came before it."""
        family = trial.family
        if trial.phase == "baseline":
            self._baselines = [other for other in self._baselines if other is not family]
            return
        if trial.scout:
            return
        last = self._firsts.index(family) + 1 if family in self._firsts else 0
        passed = self._firsts[:last] if trial.phase == "start" else list(self._firsts)
        self._firsts = self._firsts[len(passed) :]
        for other in passed:
            begun = any(not (t.baseline or t.scout) for t in self.board.account(other).trials)
            if begun and (other is not family or trial.phase != "start"):  # others were too dear for the time then
                self._points[other.name].pop(0)
        points = self._points.get(family.name, [])
        known = [n for n, point in enumerate(points) if dict(family.points[point]) == trial.candidate.params]
        if trial.phase == "start" and known:
            self._points[family.name] = points[known[0] + 1 :]

    def learn(self, trial: Trial) -> None:
        """Let the family's next suggestions heed how a trial ended; a failure teaches nothing good."""
        score = math.nan if trial.state == "failed" else trial.mean(list(range(self.board.n_folds)))
        self._suggestions.learn(trial.family.name, trial.candidate.params, score)

    def close(self) -> None:
        """Nothing more is to be planned."""
        self._suggestions.close()

    def folds_in_time(self) -> int:
        """Of how many folds a contender can be had: all, unless none is complete and the best cannot be any more."""
        best, folds = self._first_to_be(), self.board.n_folds
        if best is None or any(trial.baseline for trial in self.board.running()):
            return folds
        cost = max(result.wall for result in best.results.values())
        begun = 0.5 if best.in_flight else 0.0
        while folds > 1:
            rest = sum(fold not in best.submitted for fold in range(folds))
            if (math.ceil(rest / self.settings.slots) + begun) * cost <= self.clock.work_left():
                break
            folds -= 1
        return folds

    def folds_done(self) -> int:
        """Of how many folds a contender is there: all, unless none is complete."""
        best, folds = self._first_to_be(), self.board.n_folds
        return folds if best is None else next(fold for fold in range(folds) if fold not in best.results)

    def _first_to_be(self) -> Trial | None:
        """The best of the contenders that have their first fold, where the clock decides and none is complete."""
        if not self.settings.clocked or self.board.best(baseline=False) is not None:
            return None
        begun = [t for t in self.board.running() if 0 in t.results and not t.baseline and not t.scout]
        return max(begun, key=lambda trial: known(trial.results[0].score), default=None)

    # -- trials under way ------------------------------------------------------------------------------------------

    def _open_trials(self) -> list[Trial]:
        """Trials with a fold to start, most urgent first: baselines, then first folds still to come, then the best."""
        startable = self.board.startable()
        waiting = [t for t in startable if t.results or t.baseline or not t.submitted]  # or its node was lost
        breadth = bool(self._firsts) and not self.enough()
        if breadth and not any(t.baseline for t in waiting):  # every family is seen on one fold before any goes deeper
            waiting = [t for t in waiting if not t.submitted]
        waiting.sort(key=lambda t: (not t.baseline, bool(t.submitted), -known(t.mean()), t.number))
        return [t for t in waiting if self._underway.fits(t)]

    def _next_fold(self, trial: Trial) -> int:
        return next(fold for fold in range(self.board.n_folds) if fold not in trial.submitted)

    def _give_up(self) -> None:
        """Mark what is hopeless, or can no longer be finished, as pruned."""
        for trial, reason in self._underway.hopeless():
            trial.end("pruned", reason=reason)
            self.learn(trial)

    # -- new trials ------------------------------------------------------------------------------------------------

    def _steadier_first(self) -> bool:
        """Do steadier predictions of what is good come before more candidates? Once every family has been seen."""
        return not (self._baselines or self._scouting or self._firsts) and self.board.tried >= _BEFORE_REPEATS

    def _new_trial(self) -> Trial | None:
        while self._baselines:
            trial = self._at_point(self._baselines.pop(0), 0, "baseline")
            if trial is not None:
                return trial
        if self.enough():
            return None
        if self._scouting:
            scout = self._scout()
            if scout is not None or self._scouting:
                return scout
        self.phase = "portfolio" if self.phase in ("baselines", "scouts") else self.phase
        while self._firsts:
            family = self._firsts.pop(0)
            if self._affordable(family, _FIRST_SHARE) or self._last_hope(family):
                trial = self._at_point(family, self._points[family.name].pop(0), "start")
                if trial is not None:
                    return trial
        return self._searched()

    def _last_hope(self, family: Family) -> bool:
        """Would nothing but baselines be tried without it, though a fold of it fits the time that is left?"""
        return not self.board.tried and self.board.fold_cost(family) <= self.clock.work_left()

    def _scout(self) -> Trial | None:
        """The next scout; None when there is none to start: once enough are back, their order holds."""
        self.phase = "scouts"
        if self.clock.elapsed() > _SCOUT_SHARE * self.settings.seconds:
            self._ladder.close()
        while (climber := self._ladder.next()) is not None:
            candidate = self._candidate(climber.family, dict(climber.family.points[climber.point]))
            trial = self.board.add(climber.family, replace(candidate, fidelity=self._ladder.share(climber)), "scout")
            if trial is None:
                break
            climber.trials.append(trial)
            return trial
        if not self._ladder.awaited:
            self._end_scouting()
        return None

    def _end_scouting(self) -> None:
        self._ladder.close()
        if self._ladder.used:
            self._heed_scouts()
        self._scouting = False

    def _heed_scouts(self) -> None:
        """Only the best families go on, the best first, and each with its best start point; all where none is known."""
        best = self._ladder.families()
        if not best:
            return
        self._dry |= {family.name for family in self.field.contenders() if family.name not in best}
        self._firsts = sorted((f for f in self._firsts if f.name in best), key=lambda f: best.index(f.name))
        self._points = {family.name: self._ladder.points(family) for family in self.field.searched()}

    def enough(self) -> bool:
        """Are there as many candidates as were asked for, or as the rows can tell apart?"""
        tried = self.board.tried
        if self.settings.n_trials is not None:
            return tried >= self.settings.n_trials
        free = _FREE_CANDIDATES + self.board.facts.n_rows // _ROWS_PER_CANDIDATE
        return self.settings.clocked and tried >= free

    def _searched(self) -> Trial | None:
        """The next trial of the family whose turn it is."""
        for family in self.field.searched():
            if self._blocks.spreading(family) and self._may_go_on(family) and (trial := self._block_test(family)):
                return trial
        while True:
            every = self.field.searched()
            going = [f for f in every if self._may_go_on(f)] or [f for f in every if self._may_go_on(f, rest=True)]
            claims = [self._claim(family) for family in going]
            best = self.board.best(baseline=False)
            name = choose(claims, best.spread(self.board.n_folds) if best else math.nan)
            if name is None:
                return None
            family = next(f for f in every if f.name == name)
            trial = self._next_of(family)
            if trial is not None:
                return trial
            self._spent[name] = self._state(family)

    def _next_of(self, family: Family) -> Trial | None:
        """The family's next feature block to test or start point, else a suggestion; None when it has nothing new."""
        if (tested := self._block_test(family)) is not None:
            return tested
        while self._points[family.name]:
            trial = self._at_point(family, self._points[family.name].pop(0), "start")
            if trial is not None:
                return trial
        if self._suggestions.exhausted(family.name):
            return None
        self.phase = "search"
        for attempt in range(_ATTEMPTS):
            turn = _ATTEMPTS * len(self.board.account(family).trials) + attempt
            params = self._suggestions.ask(family.name, turn)
            trial = self.board.add(family, self._candidate(family, params), "search")
            if trial is not None:
                return trial
        return None

    def _first_block(self) -> Trial | None:
        """Where the clock decides, a feature block in the best of the first trials that are back, before any goes on.

        It may buy more than all other settings do. A family that turns out better may test it once more.
        """
        if self._blocks.tested or not (self.settings.clocked and self.settings.preset.blocks):
            return None
        if self._baselines or self._scouting or self._firsts or self.enough():
            return None
        able = [f for f in self.field.searched() if f.blocks and self._may_go_on(f)]
        return self._tested(self._blocks.first([t for f in able for t in self.board.account(f).trials[:1]]))

    def _block_test(self, family: Family) -> Trial | None:
        return self._tested(self._blocks.propose(family, self.board.account(family).trials))

    def _tested(self, wanted: tuple[Candidate, str, Trial] | None) -> Trial | None:
        """The trial of what `Blocks` proposes."""
        if wanted is None or not self.settings.preset.blocks:
            return None
        candidate, block, base = wanted
        trial = self.board.add(base.family, candidate, "features")
        if trial is not None:
            self._blocks.started(base.family, block, base, trial)
        return trial

    def _at_point(self, family: Family, point: int, phase: str) -> Trial | None:
        return self.board.add(family, self._candidate(family, dict(family.points[point])), phase)

    def _candidate(self, family: Family, params: dict[str, object]) -> Candidate:
        return Candidate(family.name, params, self._blocks.encoders(family), seed=self.settings.seed)

    def _claim(self, family: Family) -> Claim:
        """In seconds when the run is clocked, each trial counting at least a hundredth of the time; else in trials."""
        account = self.board.account(family)
        best = account.best_mean()
        if not self.settings.clocked:
            return Claim(family.name, best, float(len(account.trials)), 1.0)
        least = _LEAST_SHARE * self.settings.seconds
        cost = self.board.fold_cost(family) * self.board.n_folds / self.settings.slots
        spent = account.spent(self.settings.slots, least)
        if family.name in self.helpful and (top := self.board.best(baseline=False)) is not None:
            best = max(best, top.mean())
        return Claim(family.name, best, spent, max(cost, least))

    def _may_go_on(self, family: Family, rest: bool = False) -> bool:
        if family.name in self._dry or self.board.discouraged(family):
            return False
        if self._spent.get(family.name) == self._state(family):
            return False
        most = 2 + _TRIALS_PER_KNOB * len(family.space.knobs)
        free = not self.settings.clocked or self.settings.n_trials is not None
        if not free and len(self.board.account(family).trials) >= most:
            return False
        return self._affordable(family, _LATER_SHARE, rest)

    def _state(self, family: Family) -> tuple[int, int]:
        """What has changed since the family had nothing new to try: trials that began and that ended."""
        account = self.board.account(family)
        return len(account.trials), account.ended

    def _affordable(self, family: Family, share: float, rest: bool = False) -> bool:
        """Is there time for one more trial, and would it take no more than a share of all the time?"""
        if not self.settings.clocked:
            return True
        most, cost = self._longest_fold(share, rest), self.board.fold_cost(family)
        if cost > most and family.model.truncatable:
            cost = min(cost, self.clock.job_limits(baseline=False)[0])
        return cost <= most

    def _longest_fold(self, share: float, rest: bool) -> float:
        """Seconds that a fold of one more trial may take, if that is to take a share of all the time.

        It may take all that is left when nobody else wants the `rest`, and towards the end: with a margin, and no fold
        longer than its hard limit.
        """
        rounds = math.ceil(self.board.n_folds / self.settings.slots)
        left, hard = self.clock.work_left(), self.clock.job_limits(baseline=False)[1]
        if rest or left <= _END_SHARE * self.settings.seconds:
            return min(left / rounds, hard) / _END_MARGIN
        return min(left, share * self.settings.seconds) / rounds
