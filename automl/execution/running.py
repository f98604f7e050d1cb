"""Running one job so that whatever the plugin does short of killing the process becomes an event."""

from __future__ import annotations

import importlib
import pickle
import traceback
from collections.abc import Callable
from typing import Any

from automl.contract import ExecutionError
from automl.execution.job import Dataset, Event, Job

Progress = Callable[[int, float], None]
Runner = Callable[[Job, Dataset, Progress], Event]

UNIT = "automl.execution.unit:run"


def find_runner(runner: str | Runner) -> Runner:
    """The function that does a job, from its import path. Raises ExecutionError."""
    if callable(runner):
        return runner
    module, _, name = runner.partition(":")
    try:
        found: Runner = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ExecutionError(f"the job runner {runner!r} cannot be imported: {error}") from error
    return found


def run_safely(runner: Runner, job: Job, dataset: Dataset | None, progress: Progress) -> Event:
    """The job's event. Lets KeyboardInterrupt through and nothing else."""
    if dataset is None:
        return Event(job.id, "error", message="no data: open(dataset) comes before the first job")
    try:
        event = runner(job, dataset, progress)
    except KeyboardInterrupt:
        raise
    except MemoryError as error:
        return failure(job.id, error, kind="oom")
    except BaseException as error:
        return failure(job.id, error)
    if not isinstance(event, Event) or event.job != job.id or event.kind == "progress":
        return Event(job.id, "invalid", message=f"the runner returned no end event of job {job.id}: {event!r:.200}")
    return event


def failure(job: int, error: BaseException, kind: Any = "error") -> Event:
    """The event for an exception, its traceback as text."""
    detail = "".join(traceback.format_exception(error))
    words = str(error) or repr(error)
    return Event(job, kind, message=f"{type(error).__name__}: {words.splitlines()[0]:.500}", detail=detail[-8000:])


def encode(event: Event) -> bytes:
    """An event for the way home; classes without an import path travel by value. Never raises Exception."""
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(event, protocol=5))
    except Exception as error:
        lost = failure(event.job, error, kind="invalid")
        message = f"the result cannot be sent back: {lost.message}"
        return pickle.dumps(Event(event.job, "invalid", message=message, detail=lost.detail))


def decode(job: int, data: bytes) -> Event:
    """The event back again. A result that cannot be read here becomes ``invalid``."""
    try:
        event: Event = pickle.loads(data)
    except Exception as error:
        lost = failure(job, error, kind="invalid")
        return Event(job, "invalid", message=f"the result cannot be read: {lost.message}", detail=lost.detail)
    return event
