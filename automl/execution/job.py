"""What travels to a worker and what comes back: the unit of work."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

from automl.contract import FitInfo, Fold, Predictions, Problem, Resources, Table
from automl.discovery.reference import PluginRef

EventKind = Literal["done", "error", "invalid", "oom", "timeout", "crashed", "node_lost", "progress"]


@dataclass(frozen=True)
class Candidate:
    """One configuration: a model, its settings, the encoder chain, the share of rows it learns from, a seed."""

    model: str
    params: Mapping[str, Any]
    encoders: tuple[str, ...] = ()
    fidelity: float = 1.0
    seed: int = 0

    @cached_property
    def key(self) -> str:
        """16 hex digits of its content: the same configuration has the same key everywhere."""
        content = {one.name: getattr(self, one.name) for one in fields(self)}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Dataset:
    """What all jobs of a run share, read-only: it is sent to each worker once."""

    table: Table
    problem: Problem
    folds: tuple[Fold, ...]
    task: PluginRef


@dataclass(frozen=True)
class Job:
    """One candidate on one fold.

    Attributes:
        id: unique within the run; the handle.
        fold: position in ``Dataset.folds``; -1 fits on all rows without validation.
        seconds: soft limit, told to the model as ``ctx.deadline``.
        hard_seconds: after this the executor ends the worker and reports ``timeout``.
        memory: bytes of resident memory the worker may reach before it is ended with ``oom``; 0 for no cap.
        measure: time one-unit predictions (costs some milliseconds).
        save: the model is wanted; without, it is fitted and judged, and goes.
        until: instant of this machine's monotonic clock that ``ctx.deadline`` is at the latest, however long the job
            had to wait; infinite on other machines.
    """

    id: int
    candidate: Candidate
    fold: int
    model: PluginRef
    encoders: tuple[PluginRef, ...] = ()
    resources: Resources = field(default_factory=Resources)
    seconds: float = math.inf
    hard_seconds: float = math.inf
    memory: int = 0
    measure: bool = False
    save: bool = True
    until: float = math.inf

    @property
    def bounded(self) -> bool:
        """Has it a hard limit?"""
        return self.hard_seconds < math.inf


@dataclass(frozen=True)
class Outcome:
    """What a finished job gives back.

    Attributes:
        predictions: for the fold's validation units; None for a fit on all rows.
        files: relative path -> bytes of the saved, reloaded and compared model; empty where none is wanted.
        wall, cpu: seconds of the whole job.
        predict_s: seconds to predict the validation units; where the engine encodes them, without that.
        row_s: seconds that the model adds to predicting one unit, or NaN when not measured.
    """

    predictions: Predictions | None
    files: Mapping[str, bytes]
    info: FitInfo
    wall: float
    cpu: float
    predict_s: float
    row_s: float = math.nan

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(map(len, self.files.values()))


@dataclass(frozen=True)
class Event:
    """Something that happened to a job. Every submitted job gets exactly one event that is not ``progress``,
    but for those that are withdrawn.

    Attributes:
        kind: ``done``; ``error`` (the plugin raised), ``invalid`` (it broke its contract), ``oom``, ``timeout``,
            ``crashed`` (the process died), ``node_lost``; or ``progress``.
        message: one line for the leaderboard.
        detail: the traceback as text, when there is one.
        step, value: of a progress report.
        own: may its end have to do with the job itself? False where a machine was lost or ran out of memory.
    """

    job: int
    kind: EventKind
    outcome: Outcome | None = None
    message: str = ""
    detail: str = ""
    step: int = 0
    value: float = math.nan
    own: bool = True
