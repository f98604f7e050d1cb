"""Giving results back in the caller's own kind of container, under the caller's own row index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from automl.contract import AnyArray
from automl.intake.raw import text_of

Family = Literal["pandas", "polars", "pyarrow", "numpy"]


@dataclass(frozen=True)
class Container:
    """What the caller's data came in.

    Attributes:
        family: the library that answers are given back in; ``numpy`` for everything without one of its own.
        index: the row index of a pandas frame, else None.
    """

    family: Family = "numpy"
    index: Any = None

    def take(self, rows: AnyArray) -> Container:
        """The same container over some rows (int64 positions)."""
        return Container(self.family, None if self.index is None else self.index[rows])

    def wrap(self, values: AnyArray, name: Any = None) -> Any:
        """(n,) values as a pandas Series with the caller's index, a polars Series, an Arrow array or the array."""
        if self.family == "pandas":
            import pandas as pd

            return pd.Series(values, index=self._index(len(values)), name=name)
        if self.family == "polars":
            import polars as pl

            return pl.Series("" if name is None else str(name), _of_one_type(values))
        if self.family == "pyarrow":
            import pyarrow as pa

            return pa.array(_of_one_type(values))
        return values

    def wrap_frame(self, values: AnyArray, labels: Sequence[Any]) -> Any:
        """(n, K) values as a DataFrame with the caller's index, a polars DataFrame, an Arrow Table or the array."""
        if self.family == "pandas":
            import pandas as pd

            return pd.DataFrame(values, index=self._index(len(values)), columns=_columns(labels))
        if self.family == "polars":
            import polars as pl

            return pl.DataFrame({str(label): values[:, i] for i, label in enumerate(labels)})
        if self.family == "pyarrow":
            import pyarrow as pa

            return pa.table([pa.array(values[:, i]) for i in range(len(labels))], names=[str(v) for v in labels])
        return values

    def _index(self, n_rows: int) -> Any:
        return self.index if self.index is not None and len(self.index) == n_rows else None


def _of_one_type(values: AnyArray) -> Any:
    """What libraries with typed columns take: labels of several types by their text."""
    if values.dtype != object:
        return values
    given = values.tolist()
    if len({type(value) for value in given if value is not None}) > 1:
        return [None if value is None else text_of(value) for value in given]
    return given


def _columns(labels: Sequence[Any]) -> Any:
    """The labels as a pandas index, made once for plain ones."""
    if all(type(label) in (str, int, float, bool) for label in labels):
        return _kept_columns(tuple(labels), tuple(map(type, labels)))
    return _new_columns(labels)


@lru_cache(maxsize=16)
def _kept_columns(labels: tuple[Any, ...], types: tuple[type, ...]) -> Any:
    """`types` keep 1 and True apart."""
    return _new_columns(labels)


def _new_columns(labels: Sequence[Any]) -> Any:
    import pandas as pd

    return pd.Index(list(labels), tupleize_cols=False)
