"""Where a run stands, added up from its events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from automl.report.text import duration, figure, plain
from automl.search.events import (
    BudgetLeft,
    EnsembleImproved,
    PhaseStarted,
    RunEvent,
    RunFinished,
    RunStarted,
    TrialFinished,
    TrialReported,
    TrialRetried,
    TrialStarted,
)


@dataclass
class Tally:
    """The figures that a display shows. Scores are higher-is-better; None until there is one.

    `running` and `steps` tell which models are being fitted, and how far those are that report it; `seconds` is the
    whole time limit.
    """

    clock: Callable[[], float] = time.monotonic
    phase: str = "starting"
    best: float | None = None
    best_baseline: float | None = None
    members: int = 0
    trials: int = 0
    failures: int = 0
    retries: int = 0
    last: str = ""
    seconds: float = math.inf
    slots: int = 0
    busy: int = 0
    waiting: int = 0
    running: list[str] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)
    finished: RunFinished | None = None
    _deadline: float = field(default=math.inf, repr=False)

    def take(self, event: RunEvent) -> None:
        """Add one event."""
        if isinstance(event, RunStarted):
            self.seconds, self.slots, self.trials = event.seconds, event.slots, event.trials
        elif isinstance(event, PhaseStarted):
            self.phase = event.phase
            self._left(event.seconds_left)
        elif isinstance(event, TrialFinished):
            self._trial(event)
        elif isinstance(event, TrialStarted) and event.model not in self.running:
            self.running.append(event.model)
        elif isinstance(event, TrialReported):
            self.steps[event.model] = event.step
        elif isinstance(event, TrialRetried):
            self.retries += 1
        elif isinstance(event, BudgetLeft):
            self._budget(event)
        elif isinstance(event, EnsembleImproved):
            self.best, self.members = event.score, event.members
            self.best_baseline = _higher(self.best_baseline, event.best_baseline)
            self._left(event.seconds_left)
        elif isinstance(event, RunFinished):
            self.finished, self.phase = event, "done"
            self.trials, self.failures = event.trials, event.failures
            self.best, self.best_baseline = event.score, event.best_baseline

    def _budget(self, event: BudgetLeft) -> None:
        self._left(event.seconds_left)
        self.seconds, self.slots, self.busy, self.waiting = event.seconds, event.slots, event.busy, event.waiting
        self.running = list(event.running)

    def _trial(self, event: TrialFinished) -> None:
        self._left(event.seconds_left)
        self.steps.pop(event.model, None)
        if event.model in self.running:
            self.running.remove(event.model)
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

    def share_gone(self) -> float:
        """Of the time limit, 0 to 1; NaN when nothing depends on the clock."""
        return 1.0 - self.seconds_left() / self.seconds if math.isfinite(self.seconds) else math.nan

    def at_work(self, names: int = 4) -> str:
        """Which models are being fitted and how busy the slots are, as one line; "" before the first."""
        if not self.running:
            return ""
        shown = [self._running(name) for name in self.running[:names]]
        more = [f"{len(self.running) - names} more"] if len(self.running) > names else []
        parts = [", ".join(shown + more)]
        if self.busy:
            parts.append(f"{self.busy} of {self.slots} slots busy")
        if self.waiting:
            parts.append(f"{self.waiting} waiting")
        return " · ".join(parts)

    def _running(self, name: str) -> str:
        step = f" (step {self.steps[name]})" if name in self.steps else ""
        return f"{plain(name, 40)}{step}"

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
        if self.retries:
            parts.append(f"{self.retries} run again")
        return " · ".join(parts)

    def line(self) -> str:
        """Phase, time left and `standing`, as one line."""
        left = self.seconds_left()
        clock = f"{duration(left)} left · " if math.isfinite(left) else ""
        return f"{plain(self.phase)} · {clock}{self.standing()}"


def _higher(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None and not math.isnan(value)]
    return max(known, default=None)
