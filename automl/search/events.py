"""What a run tells its callbacks while it goes on: small frozen values, nothing that could change the run.

A callback is any callable that takes one `RunEvent`. Scores are higher-is-better; seconds are of the wall clock and
infinite when nothing depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from automl.contract import Finding


@dataclass(frozen=True)
class PhaseStarted:
    """The run enters a phase, for example ``"baselines"`` or ``"search"``."""

    phase: str
    seconds_left: float


@dataclass(frozen=True)
class TrialFinished:
    """One candidate is done. `state`: ok, pruned, skipped or failed; `reason` says why it was not ok.

    `detail` is the traceback of a failure, as text.
    """

    model: str
    family: str
    state: str
    score: float | None
    baseline: bool
    reason: str
    wall: float
    seconds_left: float
    detail: str = ""


@dataclass(frozen=True)
class EnsembleImproved:
    """A better ensemble of `members` models is now what `predict` would use."""

    score: float
    best_baseline: float | None
    members: int
    seconds_left: float


@dataclass(frozen=True)
class RunFinished:
    """The run is over.

    Attributes:
        failures: trials whose state is failed.
        seconds: the whole run took this long.
        busy: CPU seconds of complete and pruned trials over slots x wall seconds of the search.
    """

    score: float | None
    best_baseline: float | None
    trials: int
    failures: int
    seconds: float
    busy: float = 0.0


@dataclass(frozen=True)
class Noticed:
    """Something in the data was noticed that did not stop the run."""

    finding: Finding


RunEvent = PhaseStarted | TrialFinished | EnsembleImproved | RunFinished | Noticed
Callback = Callable[[RunEvent], None]
