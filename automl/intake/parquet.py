"""Parquet read column by column: beside the typed table there is never more than one column as the file has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.contract import DataError


@dataclass(frozen=True)
class ParquetTable:
    """A file, or a folder of parts, of which only the description has been read.

    Attributes:
        source: a `pyarrow.parquet.ParquetDataset`.
        names: of the columns in the file, without those that hold a pandas index.
        labels: what the columns are called in pandas, in the same order.
        index: the pandas row index.
        n_rows: number of rows.
    """

    path: Path
    source: Any
    names: tuple[str, ...]
    labels: tuple[Any, ...]
    index: Any
    n_rows: int

    def column(self, position: int) -> Any:
        """One column as the pandas Series that reading the whole file would give. Raises DataError."""
        with readable(self.path):
            part = self.source.read(columns=[self.names[position]], use_pandas_metadata=False)
            return part.to_pandas().iloc[:, 0]

    @property
    def row_bytes(self) -> int:
        """The least that a row occupies in a typed table: 8 bytes for a number or date, 4 for a code."""
        return sum(8 if _is_number(self.source.schema.field(name).type) else 4 for name in self.names)


def open_parquet(path: Path) -> ParquetTable | None:
    """The description of a file; None for one whose columns cannot be read apart. Raises DataError.

    Columns cannot be read apart when two have one name or the labels have several levels.
    """
    import pyarrow.parquet as pq

    with readable(path):
        source = pq.ParquetDataset(path)
        schema = source.schema
        empty = schema.empty_table().to_pandas()
        inside = _index_columns(schema)
        names = tuple(name for name in schema.names if name not in inside)
        if len(set(names)) < len(names) or empty.columns.nlevels > 1 or len(names) != len(empty.columns):
            return None
        n_rows = sum(fragment.count_rows() for fragment in source.fragments)
        index = _index(source, inside, n_rows)
    return ParquetTable(path, source, names, tuple(empty.columns), index, n_rows)


def _index_columns(schema: Any) -> tuple[str, ...]:
    described = schema.pandas_metadata or {}
    return tuple(name for name in described.get("index_columns", ()) if isinstance(name, str))


def _index(source: Any, inside: tuple[str, ...], n_rows: int) -> Any:
    """The pandas row index: of columns of its own, of a range that is written down, or just numbers."""
    import pandas as pd

    if inside:
        return source.read(columns=list(inside), use_pandas_metadata=True).to_pandas().index
    for kept in (source.schema.pandas_metadata or {}).get("index_columns", ()):
        index = pd.RangeIndex(kept["start"], kept["stop"], kept["step"], name=kept.get("name"))
        if len(index) == n_rows:
            return index
    return pd.RangeIndex(n_rows)


def _is_number(kind: Any) -> bool:
    import pyarrow.types as t

    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_temporal(kind))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say of what goes wrong while reading that it is the file's fault."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            "file-unreadable", f"{path.name!r} is no readable Parquet: {error}", "", "Write it anew."
        ) from error
