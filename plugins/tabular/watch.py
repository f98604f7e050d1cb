"""When an iterative fit ends: out of patience, out of time, or told to stop."""

from __future__ import annotations

import math
import time

from automl.contract import FitContext

_GROWTH, _EXTRA = 0.3, 20
_REPORT_EVERY = 10


class Watch:
    """Asked after every step of a fit whether to end it; it never raises, so a truncated fit keeps what it has.

    Patience is the larger of the steps given and 20 + 0.3 x best step, as late improvements come slowly.

    Attributes:
        best_step: step (from 1) with the lowest loss, or the last step when there is no loss.
        best_loss: that loss.
        truncated: the clock ended the fit.
    """

    def __init__(
        self, ctx: FitContext, patience: float = math.inf, reserve: float = 0.0, after: float = 0.0, first: float = 1.0
    ) -> None:
        """After its last step the fit still needs `reserve` seconds, and a share `after` of what it took until then.

        first: the share of the first step's time that a further one may take, where the first prepares the data too.
        """
        self.ctx, self.patience, self.reserve, self.after = ctx, patience, reserve, after
        self.best_step, self.best_loss, self.truncated = 0, math.inf, False
        self._began = self._last = time.monotonic()
        self._slowest, self._first = 0.0, first

    def improved(self, step: int) -> bool:
        """Was this step the best so far?"""
        return step == self.best_step

    def ends(self, step: int, loss: float = math.nan) -> bool:
        """Should the fit end after this step (from 1)? `loss` is of the validation rows, nan without them."""
        if math.isnan(loss):
            self.best_step = step
        elif loss < self.best_loss:
            self.best_step, self.best_loss = step, loss
        if step % _REPORT_EVERY == 0 and not math.isnan(loss) and self.ctx.report(step, loss):
            self.truncated = True
            return True
        now = time.monotonic()
        self._slowest = max(0.9 * self._slowest, (now - self._last) * self._first)
        self._last, self._first = now, 1.0
        rest = self.reserve + self.after * (now - self._began)
        self.truncated = self.ctx.time_left() <= self._slowest + rest
        return self.truncated or step - self.best_step >= max(self.patience, _EXTRA + _GROWTH * self.best_step)
