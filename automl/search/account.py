"""What a family's ended trials add up to, so that whose turn it is costs the same after 10,000 trials as after ten."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from automl.search.trial import Trial

_LATEST_WALLS = 8


@dataclass
class Account:
    """A family's trials without its scouts.

    Attributes:
        trials: oldest first.
        partial: number -> trial of those that run and have a result.
        ended, lost: how many have ended, and how many of these failed or were given up.
        best: the best mean score of those that have ended and did not fail; NaN for none.
        seconds: wall seconds of each of those that have ended.
        walls: wall seconds of the latest folds that came back.
    """

    trials: list[Trial] = field(default_factory=list)
    partial: dict[int, Trial] = field(default_factory=dict)
    ended: int = 0
    lost: int = 0
    best: float = math.nan
    seconds: list[float] = field(default_factory=list)
    walls: deque[float] = field(default_factory=lambda: deque(maxlen=_LATEST_WALLS))
    _spent: tuple[float, float, int, float] = (math.nan, math.nan, 0, 0.0)

    def add(self, trial: Trial) -> None:
        """A new one."""
        self.trials.append(trial)

    def noted(self, trial: Trial, fold: int) -> None:
        """A fold of one of them has come back."""
        self.walls.append(trial.results[fold].wall)
        if trial.running:
            self.partial[trial.number] = trial

    def end(self, trial: Trial) -> None:
        """One of them has ended."""
        self.partial.pop(trial.number, None)
        self.ended += 1
        self.lost += trial.state in ("failed", "pruned")
        if trial.state != "failed":
            self.best = float(np.fmax(self.best, trial.mean()))
        self.seconds.append(trial.seconds())

    def again(self) -> None:
        """Add up anew: scores of trials that have ended have changed."""
        self.ended, self.lost, self.best, self.seconds = 0, 0, math.nan, []
        self._spent = (math.nan, math.nan, 0, 0.0)
        for trial in self.trials:
            if not trial.running:
                self.end(trial)

    def best_mean(self) -> float:
        """The best mean over finished folds, of all trials; NaN when there is none."""
        best = self.best
        for trial in self.partial.values():
            best = float(np.fmax(best, trial.mean()))
        return best

    def spent(self, slots: int, least: float) -> float:
        """Seconds of all slots that it was given: those of its trials over the slots, each at least `least`."""
        known_slots, known_least, count, total = self._spent
        if (known_slots, known_least) != (slots, least):
            count, total = 0, 0.0
        total += sum(max(seconds / slots, least) for seconds in self.seconds[count:])
        self._spent = (slots, least, len(self.seconds), total)
        begun = [max(trial.seconds() / slots, least) for trial in self.partial.values()]
        return total + sum(begun) + least * (len(self.trials) - self.ended - len(begun))
