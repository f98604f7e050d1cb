"""What a committed model takes, measured: one row as a caller gives it, and the files."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import ArrayPredictions, Column, DataError, Problem, Request, Table, TaskPlugin
from automl.discovery import Registry
from automl.intake import Container, Schema
from automl.predictor import Predictor
from automl.search.budget import Footprint
from automl.store import shared

_ROWS, _WARM_UPS = 30, 3
_SECONDS = 2.0


@dataclass(frozen=True)
class Footprints:
    """Measures for a run what its model takes of a caller's time and space.

    Attributes:
        folder: that the run commits to.
        table: the rows that it learns from, some of which are asked.
        schema: state of the schema that reads a caller's rows.
    """

    folder: Path
    registry: Registry
    task: TaskPlugin
    problem: Problem
    table: Table
    schema: Mapping[str, Any]

    def committed(self) -> Footprint:
        """Of the model in the folder, as `save` would write it."""
        predictor = Predictor.open(self.folder, self.registry)
        return Footprint(row_ms(predictor, self.table), shared(predictor.manifest).nbytes / 1e6)

    def around(self) -> float:
        """Seconds that one row takes beside the members' answers; NaN for a task that has no rows. The least of some:
        whatever else the machine does should not count."""
        schema, times = Schema.from_state(self.schema), list[float]()
        try:
            for row in _rows(self.table.select(self.problem.features)):
                start = time.perf_counter()
                _, container = schema.apply(row)
                self._given_back(container)
                times.append(time.perf_counter() - start)
        except Exception:  # whatever a task of another kind says to a row without its history
            return float("nan")
        return min(times, default=float("nan"))

    def _given_back(self, container: Container) -> Any:
        """An answer without members in the caller's kind of container."""
        outputs = self.problem.n_outputs
        nothing = ArrayPredictions(self.problem.kind, np.full((1, outputs), 1.0 / outputs))
        request = Request(np.zeros(1, dtype=np.int64))
        try:
            values, labels = self.task.answer_proba(self.problem, nothing, request)
        except DataError:
            return container.wrap(self.task.answer(self.problem, nothing, request), None)
        return container.wrap_frame(np.asarray(values), labels)


def row_ms(predictor: Predictor, table: Table) -> float:
    """Median milliseconds that one row takes; NaN when the task cannot be asked for a single row of a table."""
    times: list[float] = []
    until = time.monotonic() + _SECONDS
    try:
        for number, row in enumerate(_rows(table.select(predictor.problem.features))):
            start = time.perf_counter()
            predictor.predict(row)
            times += [time.perf_counter() - start] if number >= _WARM_UPS else []
            if times and time.monotonic() > until:
                break
    except Exception:  # whatever a task of another kind says to a row without its history
        return float("nan")
    return 1000 * statistics.median(times) if times else float("nan")


def _rows(table: Table) -> Iterator[Any]:
    """Rows of a table as frames of one row, with the values the caller had."""
    import pandas as pd

    few = table.take(np.linspace(0, len(table) - 1, _ROWS + _WARM_UPS).astype(np.int64))
    frame = pd.DataFrame({column.name: _values(column) for column in few})
    frame.columns = pd.Index([column.label for column in few], tupleize_cols=False)
    frame = frame.infer_objects()
    for row in range(len(frame)):
        yield frame.iloc[row : row + 1]


def _values(column: Column) -> Any:
    """The values as a caller's frame holds them: numbers and dates in arrays of their own, anything else as objects."""
    if column.kind == "numeric":
        return column.values
    if column.kind == "datetime":
        return (column.values * 1e6).astype("datetime64[us]")
    out = np.empty(len(column), dtype=object)
    out[:] = column.originals()
    return out
