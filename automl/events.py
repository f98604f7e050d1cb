"""What callbacks are told while a run goes on: the public names of its events."""

from automl.search.events import (
    Callback,
    EnsembleImproved,
    Noticed,
    PhaseStarted,
    RunEvent,
    RunFinished,
    TrialFinished,
)

__all__ = ["Callback", "EnsembleImproved", "Noticed", "PhaseStarted", "RunEvent", "RunFinished", "TrialFinished"]
