"""What callbacks are told while a run goes on: its events, and the callback that writes them down."""

from automl.report.jsonlines import JsonLines, read_events
from automl.search.events import (
    BudgetLeft,
    Callback,
    EnsembleImproved,
    Noticed,
    PhaseStarted,
    RunEvent,
    RunFinished,
    RunStarted,
    TrialFailed,
    TrialFinished,
    TrialReported,
    TrialRetried,
    TrialStarted,
)

__all__ = [
    "BudgetLeft",
    "Callback",
    "EnsembleImproved",
    "JsonLines",
    "Noticed",
    "PhaseStarted",
    "RunEvent",
    "RunFinished",
    "RunStarted",
    "TrialFailed",
    "TrialFinished",
    "TrialReported",
    "TrialRetried",
    "TrialStarted",
    "read_events",
]
