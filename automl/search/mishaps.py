"""What is tried again after a worker was lost, and what is not: bounded, and by whose doing it was."""

from __future__ import annotations

from automl.execution.job import Event
from automl.search.trial import Trial

_LOST_NODES = 5
_LOST_WORKERS = 1


def deserves_another_try(trial: Trial, event: Event) -> bool:
    """Shall the job that ended so run again?

    A node that is lost is nobody's doing: five times per trial. A worker that died, or was ended because its machine
    ran out of memory, may have been hit by another one's doing: once per trial. Whoever kills its worker twice is given
    up, on whatever folds that was. What a plugin raises, its time limit and its own memory cap would come again.
    """
    if event.kind == "node_lost":
        trial.lost_nodes += 1
        return trial.lost_nodes <= _LOST_NODES
    if event.kind == "crashed" or (event.kind == "oom" and not event.own):
        trial.lost_workers += 1
        return trial.lost_workers <= _LOST_WORKERS
    return False


def last_words(trial: Trial, event: Event) -> str:
    """Why a trial is given up, for the leaderboard."""
    said = f"{event.kind}: {event.message}" if event.message else event.kind
    if event.kind == "node_lost" and trial.lost_nodes > _LOST_NODES:
        return f"{said} (for the {trial.lost_nodes}th time)"
    if event.kind in ("crashed", "oom") and trial.lost_workers > _LOST_WORKERS:
        return f"{said} (a worker was lost with it before; it is tried no more)"
    return said
