"""The door for tables: every container a caller may have becomes a `Frame`, whose columns are read one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import AnyArray, DataError, Finding
from automl.intake.columns import from_any, from_arrow, from_pandas, from_sequence
from automl.intake.delimited import Texts
from automl.intake.raw import Raw, from_numpy
from automl.intake.refusals import DataTypeError, shorten
from automl.intake.wrap import Container


@dataclass(frozen=True)
class Frame:
    """A table as it came.

    Attributes:
        labels: the caller's names of the columns, or 0…d-1 when it has none.
        n_rows: number of rows.
        read: position of a column -> the column.
        container: how to give results back.
        named: False when the columns have no names of their own (a plain array).
        findings: what was noticed while opening it.
        row_bytes: the least that a row will occupy, where none has been read yet; 0 when all rows are in memory.
    """

    labels: tuple[Any, ...]
    n_rows: int
    read: Callable[[int], Raw]
    container: Container
    named: bool = True
    findings: tuple[Finding, ...] = ()
    row_bytes: int = 0

    @cached_property
    def positions(self) -> dict[Any, int]:
        """Key of a label -> position of its column."""
        return {key_of(label): position for position, label in enumerate(self.labels)}

    def raw(self, position: int) -> Raw:
        """One column. Errors name it."""
        try:
            return self.read(position)
        except DataError as error:
            where = f"column {self.labels[position]!r}" + (f", {error.where}" if error.where else "")
            raise type(error)(error.code, error.what, where, error.fix) from error


def key_of(label: Any) -> Any:
    """What a label is looked up by: the same for numpy and Python scalars, and the same before and after saving."""
    if type(label) is str or type(label) is int:
        return label
    if isinstance(label, np.generic):
        label = label.item()
    if isinstance(label, tuple):
        return tuple(key_of(part) for part in label)
    if label is None or label != label:
        return "\0missing"
    return label if isinstance(label, str | bool | int | float) else str(label)


def open_table(data: Any, texts: Texts | None = None) -> Frame:
    """Open any container.

    Reads pandas, polars (eager and lazy), pyarrow, numpy (2-D and structured), lists of dicts or rows, dicts of
    columns, paths of CSV and Parquet files, and whatever speaks the Arrow stream protocol or narwhals. `texts` says
    which columns of a CSV file to read as strings; None leaves that to pandas.
    Raises DataError or DataTypeError, before anything is converted, for the rest.
    """
    frame = _open_file(data, texts) if isinstance(data, str | Path) else _open(data)
    _check_labels(frame)
    return frame


def _open(data: Any) -> Frame:
    if hasattr(data, "tocsr"):
        raise DataTypeError(
            "sparse",
            "A sparse matrix was passed, but dense data is required",
            "",
            "Convert it with .toarray() if it fits in memory.",
        )
    module = type(data).__module__.partition(".")[0]
    if module == "pandas":
        return _open_pandas(data)
    if module == "polars":
        return _open_polars(data)
    if module == "pyarrow":
        return _open_arrow(data)
    if isinstance(data, np.ndarray):
        return _open_array(data)
    if isinstance(data, dict):
        return _open_dict(data)
    if isinstance(data, list | tuple):
        return _open_list(data)
    return _open_other(data)


def _open_file(path: str | Path, texts: Texts | None) -> Frame:
    """A file on disk or behind a URL. Parquet is read when a column is asked for, all else at once."""
    from automl.intake.files import described, read_file

    parquet = described(path)
    if parquet is not None:
        container = Container("pandas", parquet.index)
        return Frame(
            parquet.labels,
            parquet.n_rows,
            lambda i: from_pandas(parquet.column(i)),
            container,
            row_bytes=parquet.row_bytes,
        )
    table, findings = read_file(path, texts)
    return replace(_open_pandas(table), findings=findings)


def _open_pandas(data: Any) -> Frame:
    if not hasattr(data, "columns"):
        raise _one_dimensional(data, (len(data),))
    labels = tuple(data.columns)
    unique = data.columns.is_unique

    def read(position: int) -> Raw:
        return from_pandas(data[labels[position]] if unique else data.iloc[:, position])

    if data.columns.nlevels > 1 or any(label is None or label != label for label in labels):
        return Frame(labels, len(data), lambda i: from_pandas(data.iloc[:, i]), Container("pandas", data.index))
    return Frame(labels, len(data), read, Container("pandas", data.index))


def _open_polars(data: Any) -> Frame:
    findings: tuple[Finding, ...] = ()
    if hasattr(data, "collect"):
        data = data.collect()
        findings = (Finding("lazy-collected", "the data is a lazy query", "", "collected it once"),)
    if not hasattr(data, "columns"):
        raise _one_dimensional(data, (len(data),))
    labels = tuple(data.columns)
    return Frame(
        labels, data.height, lambda i: _polars_column(data.to_series(i)), Container("polars"), findings=findings
    )


def _polars_column(series: Any) -> Raw:
    if str(series.dtype).startswith("Object"):
        return from_sequence(series.to_list())
    import pyarrow as pa

    try:
        return from_arrow(series.to_arrow())
    except pa.ArrowInvalid:
        return from_sequence(series.to_list())


def _open_arrow(data: Any) -> Frame:
    import pyarrow as pa

    if isinstance(data, pa.RecordBatchReader):
        data = data.read_all()
    if not hasattr(data, "column_names"):
        raise _one_dimensional(data, (len(data),))
    return Frame(tuple(data.column_names), data.num_rows, lambda i: from_arrow(data.column(i)), Container("pyarrow"))


def _open_array(data: AnyArray) -> Frame:
    if data.dtype.names:
        fields = data.dtype.names
        flat = data.reshape(-1)
        return Frame(tuple(fields), len(flat), lambda i: from_numpy(flat[fields[i]]), Container())
    if data.dtype.kind == "c":
        raise DataError("complex", "Complex data not supported", "", "Give the real and imaginary parts as columns.")
    if data.ndim < 2:
        raise _one_dimensional(data, data.shape)
    if data.ndim > 2:
        raise DataError(
            "array-shape",
            f"Found array with dim {data.ndim}. AutoML expected <= 2",
            "",
            "Flatten each row, or give each row's array in one column with a role.",
        )
    if np.ma.isMaskedArray(data):
        return Frame(tuple(range(data.shape[1])), len(data), lambda i: from_numpy(data[:, i]), Container(), False)
    plain = np.asarray(data)
    return Frame(tuple(range(data.shape[1])), len(data), lambda i: from_numpy(plain[:, i]), Container(), False)


def _open_dict(data: dict[Any, Any]) -> Frame:
    data = _as_long(data)
    columns = list(data.values())
    lengths = {label: len(column) for label, column in data.items()}
    if len(set(lengths.values())) > 1:
        shown = shorten([f"{label!r}: {length}" for label, length in lengths.items()])
        raise DataError(
            "length-mismatch",
            f"Found columns with inconsistent numbers of samples: {shown}",
            "",
            "Give every column the same number of rows.",
        )
    return Frame(tuple(data), next(iter(lengths.values()), 0), lambda i: from_any(columns[i]), Container())


def _as_long(data: dict[Any, Any]) -> dict[Any, Any]:
    """Single values stand in every row, and make one row where there are no others."""
    single = {label for label, value in data.items() if _is_single(value)}
    if not single:
        return data
    n_rows = next((len(value) for label, value in data.items() if label not in single), 1)
    return {label: _repeated(value, n_rows) if label in single else value for label, value in data.items()}


def _is_single(value: Any) -> bool:
    return isinstance(value, str | bytes) or not hasattr(value, "__len__") or getattr(value, "shape", None) == ()


def _repeated(value: Any, n_rows: int) -> list[Any]:
    return [value.item() if isinstance(value, np.ndarray) else value] * n_rows


def _open_list(data: Sequence[Any]) -> Frame:
    if data and all(isinstance(row, dict) for row in data):
        labels = tuple(dict.fromkeys(label for row in data for label in row))
        return Frame(labels, len(data), lambda i: from_sequence([row.get(labels[i]) for row in data]), Container())
    if not data or not all(isinstance(row, list | tuple | np.ndarray) for row in data):
        raise _one_dimensional(data, (len(data),))
    width = {len(row) for row in data}
    if len(width) > 1:
        raise DataError("rows-ragged", f"rows have different lengths: {sorted(width)[:5]}", "", "Give equal rows.")
    if all(isinstance(row, np.ndarray) for row in data):
        return _open_array(np.asarray(data))
    return Frame(
        tuple(range(width.pop())), len(data), lambda i: from_sequence([row[i] for row in data]), Container(), False
    )


def _open_other(data: Any) -> Frame:
    if hasattr(data, "__arrow_c_stream__"):
        import pyarrow as pa

        return _open_arrow(pa.table(data))
    if hasattr(data, "__array__"):
        return _open_array(np.asarray(data))
    import narwhals as nw

    try:
        native = nw.from_native(data)
    except TypeError as error:
        raise DataTypeError(
            "container-unknown",
            f"a {type(data).__module__}.{type(data).__qualname__} is no table that can be read",
            "",
            "Give a pandas, polars or pyarrow table, a 2-D array, a dict of columns, or a CSV or Parquet path.",
        ) from error
    eager = native.collect() if isinstance(native, nw.LazyFrame) else native
    return _open_arrow(eager.to_arrow())


def _one_dimensional(data: Any, shape: tuple[int, ...]) -> DataError:
    return DataError(
        "array-shape",
        f"Expected 2D array, got 1D array instead: {type(data).__name__} of shape {shape}",
        "",
        "Reshape your data either using array.reshape(-1, 1) if your data has a single feature or "
        "array.reshape(1, -1) if it contains a single sample.",
    )


def _check_labels(frame: Frame) -> None:
    if len(frame.positions) == len(frame.labels):
        return
    seen: set[Any] = set()
    twice = [label for label in frame.labels if key_of(label) in seen or seen.add(key_of(label))]  # type: ignore[func-returns-value]
    raise DataError(
        "columns-duplicated",
        f"{len(twice)} column labels occur more than once",
        f"columns {shorten([repr(label) for label in dict.fromkeys(twice)])}",
        "Give every column its own label.",
    )
