"""What a fit and its model cost and score: error, latency, size; memory and CPU of the process tree (Linux only)."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

EVERY_SECONDS = 0.2
ONE_ROW_CALLS, ONE_ROW_SECONDS = 200, 40.0
Predict = Callable[[pd.DataFrame], Any]


class TreeSampler(threading.Thread):
    """Peak memory and CPU time of this process and all that it starts, from now until `end`.

    Memory is the sum of proportional set sizes, so that pages shared by processes count once. Processes of this
    session that were handed to init, such as Ray's, belong to the tree.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self._ended = threading.Event()
        self._cpu: dict[int, float] = {}
        before = self._processes()
        self._before = before
        self._strangers = set(before) - {os.getpid()}

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all processes, as far as they were seen."""
        return sum(self._cpu.values())

    def run(self) -> None:
        """Sample until told to end, and once more."""
        last = False
        while not last:
            last = self._ended.wait(EVERY_SECONDS)
            pages = 0.0
            for process, seconds in self._processes().items():
                if process not in self._strangers:
                    self._cpu[process] = max(self._cpu.get(process, 0.0), seconds - self._before.get(process, 0.0))
                    pages += _proportional_mb(process)
            self.peak_mb = max(self.peak_mb, pages)

    def end(self) -> dict[str, float]:
        """The figures as fields of a row; none where there is no /proc."""
        self._ended.set()
        self.join()
        return {"peak_mb": self.peak_mb, "cpu_s": self.cpu_s} if self.peak_mb else {}

    def _processes(self) -> dict[int, float]:
        """Process -> CPU seconds, for the tree below this one and its session."""
        parents, seconds = {}, {}
        for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(name)] = int(fields[1])
            seconds[int(name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        found, waiting = {os.getpid()}, [os.getpid()]
        while waiting:
            parent = waiting.pop()
            children = [p for p, pp in parents.items() if pp == parent and p not in found]
            found.update(children)
            waiting += children
        found.update(p for p in parents if _session(p) == os.getsid(0))
        return {p: seconds[p] for p in found if p in seconds}


def _session(process: int) -> int:
    try:
        return os.getsid(process)
    except OSError:
        return -1


def _proportional_mb(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def error_of(metric: str, truth: Any, answer: Any, classes: Any = None) -> float:
    """1 - AUC, log loss or RMSE: lower is better. Raises ValueError for an answer that cannot be scored.

    Args:
        answer: values, or probabilities: a frame with a column per class, or an array in the order of `classes`.
    """
    values = np.asarray(answer, dtype=float)
    if len(values) != len(truth) or not np.isfinite(values).all():
        raise ValueError(
            f"predictions of shape {values.shape} for {len(truth)} rows, finite: {np.isfinite(values).all()}"
        )
    if metric == "rmse":
        return float(np.sqrt(np.mean((np.asarray(truth, dtype=float) - values.reshape(-1)) ** 2)))
    names = [str(name) for name in (answer.columns if hasattr(answer, "columns") else classes)]
    labels = np.array([str(value) for value in truth])
    if metric == "roc_auc":
        from sklearn.metrics import roc_auc_score

        positive = max(labels)
        return 1.0 - float(roc_auc_score(labels == positive, values[:, names.index(positive)]))
    place = {name: position for position, name in enumerate(names)}
    values = np.clip(values, 1e-15, 1.0)
    values /= values.sum(axis=1, keepdims=True)
    chosen = [values[row, place[label]] if label in place else 1e-15 for row, label in enumerate(labels)]
    return float(-np.log(chosen).mean())


def latency(predict: Predict, X: pd.DataFrame) -> dict[str, float]:
    """Microseconds a row of a whole table, second call; milliseconds of one row, median over calls of distinct rows."""
    predict(X)
    start = time.perf_counter()
    predict(X)
    batch = (time.perf_counter() - start) / len(X) * 1e6
    calls: list[float] = []
    until = time.perf_counter() + ONE_ROW_SECONDS
    for row in range(min(ONE_ROW_CALLS, len(X))):
        one = X.iloc[row : row + 1]
        start = time.perf_counter()
        predict(one)
        calls.append(time.perf_counter() - start)
        if time.perf_counter() > until:
            break
    return {"batch_us": batch, "row_ms": 1e3 * statistics.median(calls)}


def size_mb(path: Path) -> float:
    """A file, or all files of a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6
