"""Progress of a run on stderr: a live display on a terminal, plain lines in a log, nothing when asked to be quiet."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol, Self, TextIO

from automl.report.nodes import node_lines
from automl.report.tally import Tally
from automl.report.text import duration, measure, plain
from automl.search.events import (
    BudgetLeft,
    Noticed,
    PhaseStarted,
    RunEvent,
    RunFinished,
    RunStarted,
    TrialFinished,
    TrialReported,
    TrialRetried,
    TrialStarted,
)

_LOG = logging.getLogger("automl.progress")
_MIN_GAP = 1.0  # seconds between two plain lines of one phase
_SILENCE = 60.0  # seconds after which a log says that the run still goes on, and with what


class Display(Protocol):
    """Shows a tally somewhere."""

    def update(self, phase_changed: bool) -> None:
        """The tally has changed."""

    def beat(self) -> None:
        """The run goes on, without news."""

    def note(self, line: str) -> None:
        """Show a line for good."""

    def close(self) -> None:
        """Nothing more will come."""


class PlainLines:
    """One line when a phase starts, then at most one a second, and at least one a minute."""

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        self._tally, self._stream = tally, stream
        self._next = self._late = -math.inf

    def update(self, phase_changed: bool) -> None:
        now = self._tally.clock()
        if phase_changed or now >= self._next:
            self._say(now, self._tally.line())

    def beat(self) -> None:
        now = self._tally.clock()
        if now >= self._late:
            parts = [self._tally.line(), self._tally.at_work()]
            self._say(now, " · ".join(part for part in parts if part))

    def _say(self, now: float, line: str) -> None:
        self._next, self._late = now + _MIN_GAP, now + _SILENCE
        self.note(line)

    def note(self, line: str) -> None:
        self._stream.write(f"automl: {line}\n")
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()


class Progress:
    """A callback for `AutoML`: shows the run's events on stderr and never raises into the run.

    Args:
        verbose: 0 shows nothing; 1 phases, standing and findings; 2 also what became of every trial.
        stream: where to; stderr at the time of the first event by default.
        clock: monotonic seconds.
    """

    def __init__(
        self, verbose: int = 1, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._verbose, self._stream = verbose, stream
        self._tally = Tally(clock)
        self._display: Display | None = None
        self._broken = verbose <= 0
        self._lock = threading.RLock()

    def __call__(self, event: RunEvent) -> None:
        """Show an event. A display that fails is switched off and the failure logged."""
        if self._broken:
            return
        try:
            with self._lock:
                self._show(event)
        except Exception:
            self._broken = True
            _LOG.debug("the progress display failed and was switched off", exc_info=True)
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove a live display; harmless when there is none. Called by itself when the run finishes."""
        display, self._display = self._display, None
        if display is not None:
            try:
                display.close()
            except Exception:
                _LOG.debug("the progress display did not close", exc_info=True)

    def _show(self, event: RunEvent) -> None:
        self._tally.take(event)
        if self._display is None:
            self._display = _display(self._tally, self._stream or sys.stderr)
        display = self._display
        if isinstance(event, Noticed):
            display.note(_finding(event))
        elif isinstance(event, RunStarted):
            display.note(_start(event))
        elif isinstance(event, RunFinished):
            display.note(f"done in {duration(event.seconds)} · {self._tally.standing()}")
            for line in node_lines(event.nodes, event.seconds):
                display.note(line)
            self.close()
        elif isinstance(event, TrialStarted | TrialReported):
            return
        elif isinstance(event, BudgetLeft):
            display.beat()
        else:
            if isinstance(event, TrialRetried) and self._verbose > 1:
                display.note(f"{plain(event.model, 60)} · fold {event.fold} runs again · {plain(event.reason)}")
            if isinstance(event, TrialFinished) and self._verbose > 1:
                display.note(_trial(event))
                for line in event.detail.splitlines():
                    display.note(f"  {plain(line)}")
            display.update(isinstance(event, PhaseStarted))


class _Nowhere:
    """What a program without stderr gets."""

    def update(self, phase_changed: bool) -> None:
        """Show nothing."""

    def beat(self) -> None:
        """Show nothing."""

    def note(self, line: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing to close."""


def _display(tally: Tally, stream: TextIO | None) -> Display:
    """Live on a terminal; plain lines in a pipe, a notebook, under CI, NO_COLOR or a dumb terminal."""
    if stream is None:
        return _Nowhere()
    quiet = any(os.environ.get(name) for name in ("CI", "NO_COLOR")) or os.environ.get("TERM") == "dumb"
    if quiet or not stream.isatty():
        return PlainLines(tally, stream)
    from automl.report.live import LiveDisplay

    return LiveDisplay(tally, stream)


def _start(event: RunStarted) -> str:
    folds = f"{event.folds} folds" if event.folds > 1 else "one held-out part"
    return f"{measure(event.task, event.metric, event.negated)} · {event.rows:,} rows, {folds}"


def _finding(event: Noticed) -> str:
    finding = event.finding
    place = f" ({plain(finding.where)})" if finding.where else ""
    done = f": {plain(finding.done)}" if finding.done else ""
    return f"note [{plain(finding.code)}] {plain(finding.what)}{place}{done}"


def _trial(event: TrialFinished) -> str:
    if event.state == "ok" and event.score is not None:
        what = f"{event.score:.5g}"
    else:
        what = ": ".join(part for part in (plain(event.state), plain(event.reason)) if part)
    return f"{plain(event.model, 60)} · {what} · {duration(event.wall)}"
