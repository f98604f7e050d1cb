"""What a committed model takes, measured: one row as a caller gives it, and the files."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import Column, Table
from automl.discovery import Registry
from automl.predictor import Predictor
from automl.search.budget import Footprint

_ROWS, _WARM_UPS = 30, 3
_SECONDS = 2.0


def footprint(folder: Path, registry: Registry, table: Table) -> Footprint:
    """Of the model committed to a folder, asked for rows of the table that it learnt from."""
    predictor = Predictor.open(folder, registry)
    return Footprint(row_ms(predictor, table), predictor.manifest.nbytes / 1e6)


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
