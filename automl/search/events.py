"""What a run tells its callbacks while it goes on: small frozen values, nothing that could change the run.

A callback is any callable that takes one `RunEvent`. Scores are higher-is-better; seconds are of the wall clock and
infinite when nothing depends on it. The first event is `RunStarted` or a `Noticed`, the last of a run that came to an
end by itself is `RunFinished`; every `TrialStarted` is followed by one `TrialFinished` or `TrialFailed` of that model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from automl.contract import Finding
from automl.execution.protocol import NodeUse


@dataclass(frozen=True)
class RunStarted:
    """The data is read and the search begins.

    Attributes:
        task, metric: their names.
        rows: of the training data.
        folds: that every trial is judged on.
        slots: jobs at once, as far as is known now; a cluster may grow.
        seconds: the whole time limit, or infinite.
        n_trials: candidates beside the baselines, or None where time decides.
        trials: that earlier processes of a resumed run have made.
        negated: is lower better by the metric itself, so that scores are its values negated?
    """

    task: str
    metric: str
    rows: int
    folds: int
    slots: int
    seconds: float
    n_trials: int | None
    trials: int = 0
    negated: bool = False


@dataclass(frozen=True)
class PhaseStarted:
    """The run enters a phase, for example ``"baselines"`` or ``"search"``."""

    phase: str
    seconds_left: float


@dataclass(frozen=True)
class TrialStarted:
    """The first job of a candidate is handed to the executor, which runs it at once or as soon as a slot is free.

    Attributes:
        model: unique name, as on the leaderboard.
        family: the plugin it is a configuration of.
        phase: ``"baseline"`` or what else it was made for.
    """

    model: str
    family: str
    baseline: bool
    phase: str
    seconds_left: float


@dataclass(frozen=True)
class TrialReported:
    """A model that learns in steps tells how far it is: a sample, at most two a second for each trial.

    Attributes:
        fold: that is being learnt, counted from 0.
        step: of the model's own counting: trees, epochs.
        value: its loss on the rows it stops by, lower is better, in the model's own unit.
    """

    model: str
    fold: int
    step: int
    value: float


@dataclass(frozen=True)
class TrialRetried:
    """A fold of a trial was lost through no fault of the model's, and runs again.

    Attributes:
        fold: counted from 0.
        attempt: losses of this trial so far, counted from 1.
        reason: what was lost.
    """

    model: str
    fold: int
    attempt: int
    reason: str
    seconds_left: float


@dataclass(frozen=True)
class TrialFinished:
    """One candidate is done. `state`: ok, pruned, skipped or failed; `reason` says why it was not ok.

    `detail` is the traceback of a failure, as text; `wall` is the seconds of its finished folds together.
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
class TrialFailed(TrialFinished):
    """One candidate is lost. `kind`: error, invalid, timeout, oom, crashed or node_lost, as on the leaderboard."""

    kind: str = ""


@dataclass(frozen=True)
class BudgetLeft:
    """What is left and how it is used, once a second; in runs of hours less often, up to every ten seconds.

    Attributes:
        seconds: the whole time limit, or infinite.
        slots: jobs that can run at once now.
        busy: slots that have a job.
        waiting: jobs of suggested candidates that wait for a slot.
        running: names of the models that have the busy slots, oldest first, each once, at most 16.
        trials: made so far, baselines and unfinished ones included.
        best: score of the best complete trial that is no baseline.
        best_baseline: score of the best baseline.
    """

    seconds_left: float
    seconds: float
    slots: int
    busy: int
    waiting: int
    running: tuple[str, ...]
    trials: int
    best: float | None
    best_baseline: float | None


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
        nodes: what each machine of the run did.
    """

    score: float | None
    best_baseline: float | None
    trials: int
    failures: int
    seconds: float
    busy: float = 0.0
    nodes: tuple[NodeUse, ...] = ()


@dataclass(frozen=True)
class Noticed:
    """Something in the data was noticed that did not stop the run."""

    finding: Finding


RunEvent = (
    RunStarted
    | PhaseStarted
    | TrialStarted
    | TrialReported
    | TrialRetried
    | TrialFinished
    | TrialFailed
    | BudgetLeft
    | EnsembleImproved
    | RunFinished
    | Noticed
)
Callback = Callable[[RunEvent], None]
