"""The canonical table: typed columns with safe names, whatever container the data came in.

kind        values                                   missing
numeric     float64 (n,)                             NaN
category    int32 codes (n,), levels beside them     -1   (a value that fit did not see: the number of levels)
datetime    float64 (n,), UTC seconds since 1970     NaN
text        object (n,) of str                       None
image       object (n,) of str paths or bytes        None
object      object (n,), anything                    None   (only in a column whose role a task claims)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from automl.contract.arrays import AnyArray, FloatArray, IntArray, Matrix

Kind = Literal["numeric", "category", "datetime", "text", "image", "object"]
_DERIVED, _PART_OF = "_derived", "_part_of"
KINDS: tuple[Kind, ...] = ("numeric", "category", "datetime", "text", "image", "object")


@dataclass(frozen=True)
class Column:
    """One typed column.

    Attributes:
        name: internal name (``f0``, ``f1`` …), safe for every library.
        label: the caller's own name for it, any hashable.
        kind: which row of the module's table its values follow.
        values: (n_rows,) array, read-only.
        levels: for ``category``, the original values in code order; else empty.
        origin: the dtype the values had ("int64", "bool", "str" …), so that labels can be given back as they came.
        offset: for ``numeric``, what `Table.matrix` takes away, where float32 would not tell the values apart as they
            are: those of years written 20241231 or of seconds since 1970.
    """

    name: str
    label: Any
    kind: Kind
    values: AnyArray
    levels: tuple[Any, ...] = ()
    origin: str = ""
    offset: float = 0.0

    def __post_init__(self) -> None:
        values = self.values.view()
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.values)

    def over(self, values: AnyArray) -> Column:
        """The same column with other values."""
        if values.flags.writeable:
            values = values.view()
            values.flags.writeable = False
        other = object.__new__(type(self))
        state = vars(other)
        state.update(vars(self))
        state["values"] = values
        state.pop(_DERIVED, None)
        state.pop(_PART_OF, None)
        return other

    @property
    def part_of(self) -> tuple[Column, AnyArray] | None:
        """The text column that `take` made this one from, and its rows; None for any other."""
        found: tuple[Column, AnyArray] | None = vars(self).get(_PART_OF)
        return found

    def has_derived(self, name: str) -> bool:
        """Is there already what `derived` keeps under this name?"""
        return name in vars(self).get(_DERIVED, {})

    def derived(self, name: str, make: Callable[[Column], Any]) -> Any:
        """What `make` makes of this column: made once, and kept with it under this name. Not to be changed."""
        return _derived(self, name, make)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in (_DERIVED, _PART_OF)}

    def take(self, rows: AnyArray) -> Column:
        """The same column over some rows (positions), in the order given."""
        part = self.over(self.values[rows])
        if self.kind == "text":  # what is read out of texts is dear: it is read once, of the whole
            vars(part)[_PART_OF] = self, rows
        return part

    def missing(self) -> AnyArray:
        """(n_rows,) booleans: True where the value is missing."""
        if self.kind == "category":
            return np.asarray(self.values < 0)
        if self.kind in ("numeric", "datetime"):
            return np.isnan(self.values)
        return np.array([value is None for value in self.values], dtype=bool)

    def originals(self) -> list[Any]:
        """The values as the caller had them: levels for codes, whole numbers as int, None where missing."""
        if self.kind == "category":
            known = (*self.levels, None, None)  # -1 counts from the end
            return [known[code] for code in self.values.tolist()]
        values = self.values.tolist()
        if self.kind in ("numeric", "datetime"):
            whole = self.origin.startswith(("int", "uint"))
            return [None if value != value else int(value) if whole else value for value in values]
        return list(self.values)


@dataclass(frozen=True)
class Table:
    """Typed columns of equal length. The ``columns`` view hands one of these to a model, features only."""

    columns: tuple[Column, ...]
    n_rows: int

    def __len__(self) -> int:
        return self.n_rows

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        """The column with this internal name. Raises KeyError."""
        try:
            return self._by_name[name]
        except KeyError:
            raise KeyError(f"no column {name!r} in this table; it has {self.names[:10]}") from None

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def __getstate__(self) -> dict[str, Any]:
        return {"columns": self.columns, "n_rows": self.n_rows}

    def derived(self, name: str, make: Callable[[Table], Any]) -> Any:
        """What `make` makes of this table: made once, and kept with it under this name. Not to be changed."""
        return _derived(self, name, make)

    @cached_property
    def floats(self) -> FloatArray:
        """(n_rows, n_columns) float64 of a table of numbers and dates; read-only, and made once."""
        return self._side_by_side(np.float64)

    @cached_property
    def codes(self) -> IntArray:
        """(n_rows, n_columns) int64 of a table of categories; read-only, and made once."""
        return self._side_by_side(np.int64)

    def _side_by_side(self, dtype: Any) -> AnyArray:
        out = np.empty((self.n_rows, len(self.columns)), dtype=dtype)
        for position, column in enumerate(self.columns):
            out[:, position] = column.values
        out.flags.writeable = False
        return out

    @property
    def names(self) -> tuple[str, ...]:
        """Internal names, in order."""
        return tuple(column.name for column in self.columns)

    def labelled(self, label: Any) -> Column:
        """The column that the caller called ``label``. Raises KeyError."""
        for column in self.columns:
            if type(column.label) is type(label) and column.label == label:
                return column
        raise KeyError(f"no column called {label!r}")

    def take(self, rows: AnyArray) -> Table:
        """The same columns over some rows (int64 positions or booleans), in the order given."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Table(tuple(column.take(index) for column in self.columns), len(index))

    def select(self, names: Sequence[str]) -> Table:
        """Some columns, in the order given."""
        return Table(tuple(self[name] for name in names), self.n_rows)

    def of_kind(self, kinds: Iterable[str]) -> Table:
        """The columns of these kinds, in table order."""
        wanted = set(kinds)
        return Table(tuple(column for column in self.columns if column.kind in wanted), self.n_rows)

    def matrix(self) -> Matrix:
        """(n_rows, n_columns) float32 of the numeric, category and datetime columns.

        Category codes become numbers and missing becomes NaN, as tree boosters with native categories expect; numbers
        are told from the offset of their column.
        Raises TypeError when a column of another kind is among them.
        """
        out = np.empty((self.n_rows, len(self.columns)), dtype=np.float32, order="F")
        for position, column in enumerate(self.columns):
            if column.kind not in ("numeric", "category", "datetime"):
                raise TypeError(f"column {column.label!r} is {column.kind}, which is no number, category or date")
            out[:, position] = column.values - column.offset if column.offset else column.values
        if categories := list(self.categorical()):
            codes = out[:, categories]
            out[:, categories] = np.where(codes < 0, np.nan, codes)
        return out

    def categorical(self) -> tuple[int, ...]:
        """Positions of the category columns."""
        return tuple(i for i, column in enumerate(self.columns) if column.kind == "category")


def _derived(of: Any, name: str, make: Callable[[Any], Any]) -> Any:
    kept = vars(of).setdefault(_DERIVED, {})
    if name not in kept:
        kept[name] = make(of)
    return kept[name]
