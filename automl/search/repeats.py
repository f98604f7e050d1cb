"""Further repeats of the folds, where the user's have some: steadier predictions of what is good."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from automl.search.board import Board
from automl.search.clock import Clock
from automl.search.trial import Trial

_REPEATED, _ALIKE, _BEHIND = 8, 2, 3.0


class Repeats:
    """Which trial is to be judged on the same number of folds again, shuffled anew.

    Args:
        most: how often, with the first time.
    """

    def __init__(self, board: Board, clock: Clock, most: int) -> None:
        self.board, self.clock, self.most = board, clock, most

    def next(self) -> tuple[Trial, int] | None:
        """A trial and its next fold: best trials first, one repeat of all after the other. None: no more in time.

        The best are so by their first repeat, which all have. Few of a family: trials that are much alike would push
        the others out, which then seem worse than they are. None that is clearly behind.
        """
        if self.most == 1:
            return None
        n = self.board.n_folds
        chosen = self._chosen(list(range(n)))
        for repeat in range(1, self.most):
            for trial in chosen:
                fold = next((f for f in range(repeat * n, (repeat + 1) * n) if f not in trial.submitted), None)
                if fold is not None and not trial.closed and self._fits(trial, (repeat + 1) * n - fold):
                    return trial, fold
        return None

    def _chosen(self, folds: list[int]) -> list[Trial]:
        """Those to be repeated, best first."""
        scored = [(trial.mean(folds), trial) for trial in self.board.ok() if not trial.closed]
        scored = sorted((s for s in scored if not math.isnan(s[0])), key=lambda s: (-s[0], s[1].number))
        if not scored:
            return []
        top, best = scored[0]
        spread = best.spread(len(folds))
        least = top - _BEHIND * spread if spread > 0 else -math.inf
        return _varied([trial for score, trial in scored if score >= least])[:_REPEATED]

    def _fits(self, trial: Trial, folds: int) -> bool:
        cost = max(result.wall for result in trial.results.values())
        return math.ceil(folds / self.board.settings.slots) * cost <= self.clock.work_left()


def _varied(trials: Sequence[Trial]) -> list[Trial]:
    """The first few of every family, in their order."""
    counts: Counter[str] = Counter()
    out = []
    for trial in trials:
        counts[trial.family.name] += 1
        if counts[trial.family.name] <= _ALIKE:
            out.append(trial)
    return out
