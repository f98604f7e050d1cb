"""Trials under way: which are worth their next fold, and can still have it in time."""

from __future__ import annotations

import math

from automl.search.blocks import Blocks
from automl.search.board import Board
from automl.search.clock import Clock
from automl.search.scorer import Scorer
from automl.search.settings import Settings
from automl.search.trial import Trial

_SHOWN_SHARE = 0.01
_DIVERSE, _DIVERSE_PER_SHARE = 0.1, 2.0


class Underway:
    """Looks at trials that have begun. Nothing here changes them but for what mixing them in adds, which is kept."""

    def __init__(self, board: Board, scorer: Scorer, clock: Clock, blocks: Blocks) -> None:
        self.board, self.scorer, self.clock, self.blocks = board, scorer, clock, blocks

    @property
    def settings(self) -> Settings:
        """The board's, which follow a cluster that grows."""
        return self.board.settings

    def fits(self, trial: Trial) -> bool:
        """Can the rest of its folds still be run?"""
        if not self.settings.clocked or trial.baseline or trial.scout:
            return True
        rest = self.board.n_folds - len(trial.submitted)
        rounds = math.ceil(rest / self.settings.slots)
        cost = self.board.fold_cost(trial.family, dict(trial.candidate.params))
        own = [result.wall for result in trial.results.values()]
        cost = max(own) if own else cost
        return rounds * cost <= self.clock.work_left()

    def hopeless(self) -> list[tuple[Trial, str]]:
        """Those to be given up, because they are far behind or can no longer be finished, and why."""
        found = []
        for trial in self.board.partial():
            if len(trial.results) == self.board.n_folds:
                continue
            reason = self.board.hopeless(trial)
            if reason and (self._shown(trial) or self._diverse(trial)):
                reason = ""
            if not reason and self.settings.clocked and trial.phase == "features" and self.blocks.vain(trial):
                reason = "its feature block gains nothing"
            if not reason and not trial.in_flight and not self.fits(trial):
                reason = f"no time left for {self.board.n_folds - len(trial.results)} more folds"
            if reason:
                found.append((trial, reason))
        return found

    def _diverse(self, trial: Trial) -> bool:
        """Though behind, does it lift the best by a tenth of a standard error when mixed in, or more if it is dear?"""
        best = self.board.best(baseline=False)
        spread = math.nan if best is None else best.spread(self.board.n_folds)
        if best is None or math.isnan(spread):
            return False
        if (len(trial.results), best.number) != trial.weighed:
            trial.weighed, trial.added = (len(trial.results), best.number), self.scorer.adds(trial, best)
        return trial.added > spread * (_DIVERSE + _DIVERSE_PER_SHARE * self._share_to_come(trial))

    def _shown(self, trial: Trial) -> bool:
        """A family's first trial goes through all folds when that is cheap, so that the leaderboard tells of each."""
        if self.board.account(trial.family).trials[0] is not trial:
            return False
        return self._share_to_come(trial) <= _SHOWN_SHARE

    def _share_to_come(self, trial: Trial) -> float:
        """The share of all the time that its other folds would take; 0 when the clock must not matter."""
        if not self.settings.clocked:
            return 0.0
        rest = self.board.n_folds - len(trial.results)
        cost = max(result.wall for result in trial.results.values()) * rest / self.settings.slots
        return cost / self.settings.seconds


def known(score: float) -> float:
    """The score, below all others when it is NaN."""
    return -math.inf if math.isnan(score) else score
