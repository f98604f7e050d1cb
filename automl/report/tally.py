"""Where a run stands, added up from its events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from automl.report.text import duration, figure, plain
from automl.search.events import EnsembleImproved, PhaseStarted, RunEvent, RunFinished, TrialFinished


@dataclass
class Tally:
    """The figures that a display shows. Scores are higher-is-better; None until there is one."""

    clock: Callable[[], float] = time.monotonic
    phase: str = "starting"
    best: float | None = None
    best_baseline: float | None = None
    members: int = 0
    trials: int = 0
    failures: int = 0
    last: str = ""
    finished: RunFinished | None = None
    _deadline: float = field(default=math.inf, repr=False)

    def take(self, event: RunEvent) -> None:
        """Add one event."""
        if isinstance(event, PhaseStarted):
            self.phase = event.phase
            self._left(event.seconds_left)
        elif isinstance(event, TrialFinished):
            self._trial(event)
        elif isinstance(event, EnsembleImproved):
            self.best, self.members = event.score, event.members
            self.best_baseline = _higher(self.best_baseline, event.best_baseline)
            self._left(event.seconds_left)
        elif isinstance(event, RunFinished):
            self.finished, self.phase = event, "done"
            self.trials, self.failures = event.trials, event.failures
            self.best, self.best_baseline = event.score, event.best_baseline

    def _trial(self, event: TrialFinished) -> None:
        self._left(event.seconds_left)
        self.last = event.model
        self.trials += event.state != "skipped"
        self.failures += event.state == "failed"
        if event.state != "ok":
            return
        if event.baseline:
            self.best_baseline = _higher(self.best_baseline, event.score)
        if not self.members:
            self.best = _higher(self.best, event.score)

    def _left(self, seconds: float) -> None:
        self._deadline = self.clock() + seconds

    def seconds_left(self) -> float:
        """Seconds until the run's limit; infinite when nothing depends on the clock."""
        return max(0.0, self._deadline - self.clock())

    def standing(self) -> str:
        """The figures as one line: the best score beside the best baseline's, and how many trials it took.

        While the run goes on, a baseline that has just finished counts before the ensemble has taken it up.
        """
        best = self.best if self.finished else _higher(self.best, self.best_baseline)
        parts = [f"best {figure(best)}", f"best baseline {figure(self.best_baseline)}"]
        if best is not None and self.best_baseline is not None:
            parts.append(f"lift {figure(best - self.best_baseline, digits=3, signed=True)}")
        if self.members and not self.finished:
            parts.append(f"{self.members} in the ensemble")
        parts.append(f"{self.trials} trials")
        if self.failures:
            parts.append(f"{self.failures} failed")
        return " · ".join(parts)

    def line(self) -> str:
        """Phase, time left and `standing`, as one line."""
        left = self.seconds_left()
        clock = f"{duration(left)} left · " if math.isfinite(left) else ""
        return f"{plain(self.phase)} · {clock}{self.standing()}"


def _higher(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None and not math.isnan(value)]
    return max(known, default=None)
