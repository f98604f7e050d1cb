"""Jobs that do what they are told, to try executors with: answer, raise, crash, hang, grow, shout, spawn children."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from automl.contract import ArrayPredictions, Column, FitInfo, Fold, Problem, Resources, Table
from automl.discovery.reference import PluginRef
from automl.execution.job import Candidate, Dataset, Event, Job, Outcome

RUNNER = "automl.testing.scripted:run"
_REF = PluginRef("scripted", "automl.testing.scripted:run")


def script(
    job: int,
    do: str = "answer",
    *,
    hard_seconds: float = math.inf,
    memory: int = 0,
    resources: Resources | None = None,
    model: str = "scripted",
    **params: Any,
) -> Job:
    """A job whose runner does what `do` names; see the functions below."""
    return Job(
        id=job,
        candidate=Candidate(model, {"do": do, **params}),
        fold=0,
        model=PluginRef(model, _REF.target),
        resources=resources or Resources(),
        hard_seconds=hard_seconds,
        memory=memory,
    )


def small_dataset(n_rows: int = 1000) -> Dataset:
    """One numeric column 0, 1, 2 … and one of text."""
    numbers = np.arange(n_rows, dtype=np.float64)
    words = np.array([f"row {i}" for i in range(n_rows)], dtype=object)
    table = Table((Column("f0", "number", "numeric", numbers), Column("f1", "word", "text", words)), n_rows)
    half = np.arange(n_rows // 2)
    problem = Problem(task="scripted", kind="real", roles={}, features=("f0", "f1"), n_outputs=1)
    return Dataset(table, problem, (Fold(half + n_rows // 2, half),), _REF)


def run(job: Job, dataset: Dataset, progress: Callable[[int, float], None]) -> Event:
    """The runner: does the job's `do` and answers with what that returned, as notes."""
    params = dict(job.candidate.params)
    notes = _ACTIONS[params.pop("do")](dataset=dataset, progress=progress, **params) or {}
    values = dataset.table["f0"].values[dataset.folds[0].valid][:, None]
    outcome = Outcome(
        predictions=ArrayPredictions("real", values),
        files={"model.bin": b"x" * int(params.get("size", 10))},
        info=FitInfo(notes={"pid": os.getpid(), **notes}),
        wall=0.0,
        cpu=0.0,
        predict_s=0.0,
    )
    return Event(job.id, "done", outcome)


def _answer(**_: Any) -> None:
    """Nothing but the answer."""


def _sleep(seconds: float, **_: Any) -> None:
    time.sleep(seconds)


def _raise(**_: Any) -> None:
    raise ValueError("told to raise")


def _exit(**_: Any) -> None:
    sys.exit(3)


def _die(code: int = 3, **_: Any) -> None:
    os._exit(code)


def _segfault(**_: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang(**_: Any) -> None:
    """In C, holding the interpreter's lock, deaf to signals."""
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    ctypes.PyDLL(None).sleep(600)


def _grow(size: int, then: float = 600.0, **_: Any) -> None:
    block = np.ones(size // 8)
    time.sleep(then)
    del block


def _shout(lines: int, **_: Any) -> None:
    for line in range(lines):
        print(f"line {line} of a talkative library", file=sys.stderr)  # noqa: T201 - being talkative is the point
        print(f"line {line} of a talkative library")  # noqa: T201


def _spawn(**_: Any) -> dict[str, Any]:
    """A child of its own, which outlives the job."""
    child = subprocess.Popen(["sleep", "600"])
    child.returncode = 0
    return {"child": child.pid}


def _report(steps: int, progress: Callable[[int, float], None], **_: Any) -> None:
    for step in range(steps):
        progress(step, 1.0 / (1 + step))


def _look(dataset: Dataset, **_: Any) -> dict[str, Any]:
    columns = [column.values for column in dataset.table]
    return {
        "writeable": [bool(values.flags.writeable) for values in columns],
        "sum": float(columns[0].sum()),
        "last": columns[1][-1],
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "main": getattr(sys.modules["__main__"], "__file__", None),
    }


_ACTIONS: dict[str, Callable[..., dict[str, Any] | None]] = {
    "answer": _answer,
    "sleep": _sleep,
    "raise": _raise,
    "exit": _exit,
    "die": _die,
    "segfault": _segfault,
    "hang": _hang,
    "grow": _grow,
    "shout": _shout,
    "spawn": _spawn,
    "report": _report,
    "look": _look,
}
