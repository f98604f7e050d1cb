"""The deadline: how much time is left, how much of it finishing needs, and how long one job may take."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from automl.search.settings import Settings

_TRIAL_SHARE = 0.2
_FOLD_SHARE = 0.25
_ENDS_AT = 0.95
_GRACE_SECONDS = 5.0
_SAFETY = 1.3
_MEASURING_SECONDS, _MEASURING_SHARE = 5.0, 0.08


@dataclass
class Clock:
    """Time of a run. Without a time limit everything here is infinite and nothing depends on the clock.

    `folds` a trial has; `blending` and `committing` are the longest that these have taken so far, in seconds;
    `refitting` is kept for fitting members again on all rows.
    """

    settings: Settings
    started: float = field(default_factory=time.monotonic)
    folds: int = 1
    blending: float = 0.0
    committing: float = 0.0
    refitting: float = 0.0

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def left(self) -> float:
        """Seconds to the deadline."""
        return self.settings.deadline - time.monotonic()

    def reserve(self) -> float:
        """Seconds to keep for the last blend, a refit, the commit and the end of the workers."""
        if not self.settings.clocked:
            return 0.0
        base = min(1.2, 0.25 + 0.02 * self.settings.seconds)
        return base + _SAFETY * (self.blending + self.committing) + self.refitting + self._measuring()

    def _measuring(self) -> float:
        """Seconds to load the model that was kept and see what it takes, when the user limits that."""
        limited = self.settings.max_latency_ms is not None or self.settings.max_size_mb is not None
        return min(_MEASURING_SECONDS, _MEASURING_SHARE * self.settings.seconds) if limited else 0.0

    def work_left(self) -> float:
        """Seconds in which jobs may still run."""
        return self.left() - self.reserve()

    def works_until(self) -> float:
        """The monotonic instant by which a fit should have ended, so that it is judged and kept in time."""
        return time.monotonic() + _ENDS_AT * self.work_left() if self.settings.clocked else math.inf

    def job_limits(self, baseline: bool) -> tuple[float, float]:
        """Soft and hard seconds of a job that starts now: all folds of a trial together get a fifth of the time.

        The hard limit is for hangs; it leaves room for a first import of the model's libraries on a busy machine.
        """
        if not self.settings.clocked:
            return math.inf, math.inf
        share = min(_TRIAL_SHARE * self.settings.slots / self.folds, _FOLD_SHARE) * (1.5 if baseline else 1.0)
        soft = max(0.05, min(max(1.0, share * self.settings.seconds), self.work_left()))
        return soft, min(2.0 * soft + _GRACE_SECONDS, max(0.05, self.work_left()))
