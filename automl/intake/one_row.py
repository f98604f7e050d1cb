"""Tables of a single row, read cell by cell: the same answers as reading whole columns, in a tenth of the time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from automl.contract import Column, Table
from automl.intake.containers import Frame
from automl.intake.parse import is_missing
from automl.intake.raw import seconds_of
from automl.intake.rules import Rule, words
from automl.intake.wrap import Container

_LAYOUTS, _TEXTS = 4, 4096
_EXACT = 2.0**53  # from here on a whole number may have lost digits on its way through a row of floats
_FLOATS = {float, np.float64, np.float32, np.float16}
_WHOLES = {int, *(np.dtype(f"{sign}int{bits}").type for sign in ("", "u") for bits in (8, 16, 32, 64))}
_BOOLS = {bool, np.bool_}


class _Unsure(Exception):
    """A cell that only reading its whole column tells the meaning of."""


@dataclass(frozen=True)
class _Layout:
    """Where the columns are in tables that look alike.

    Attributes:
        looks: labels of the columns, a pandas index of them, or their number when they have no labels.
        cells: position of each cell to read.
        readers: what reads it.
        blanks: the columns they become, without rows.
        dtypes: dtype of the columns' values -> positions of the columns that have it.
        single: are its cells better taken one by one?
    """

    looks: Any
    cells: tuple[int, ...]
    readers: tuple[Callable[[Any], Any], ...]
    blanks: tuple[Column, ...]
    dtypes: tuple[tuple[Any, tuple[int, ...]], ...]
    single: bool


class OneRow:
    """Reads later tables of one row whose columns are laid out as in a table that was read in the ordinary way."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._readers = [_READERS[rule.kind](rule) if rule.kind in _READERS else None for rule in rules]
        self._layouts: tuple[_Layout, ...] = ()

    def read(self, data: Any) -> tuple[Table, Container] | None:
        """The table; None for data that must be read in the ordinary way, wrong data among it."""
        if not self._layouts:
            return None
        seen = _row_of(data)
        if seen is None:
            return None
        looks, cells, container = seen
        layout = next((layout for layout in self._layouts if _alike(layout.looks, looks)), None)
        if layout is None:
            return None
        row = cells(layout.single)
        try:
            values = [read(row[place]) for read, place in zip(layout.readers, layout.cells, strict=True)]
        except (_Unsure, OverflowError):
            return None
        columns: list[Any] = [None] * len(values)
        for dtype, places in layout.dtypes:
            array = np.empty((len(places), 1), dtype=dtype)
            array[:, 0] = [values[place] for place in places]
            array.flags.writeable = False
            for place, cell in zip(places, array, strict=True):
                columns[place] = layout.blanks[place].over(cell)
        return Table(tuple(columns), 1), container

    def learn(self, data: Any, frame: Frame, found: Sequence[int]) -> None:
        """Remember the layout of a table that was read; `found`: for each rule its column, -1 when absent."""
        seen = _row_of(data) if frame.n_rows == 1 else None
        if seen is None or (isinstance(seen[0], tuple) and not all(type(label) is str for label in seen[0])):
            return
        wanted = [(rule, read, at) for rule, read, at in zip(self._rules, self._readers, found, strict=True) if at >= 0]
        readers = tuple(read for _, read, _ in wanted if read is not None)
        if len(readers) == len(wanted):
            blanks = tuple(rule.blank() for rule, _, _ in wanted)
            dtypes: dict[Any, list[int]] = {}
            for place, blank in enumerate(blanks):
                dtypes.setdefault(blank.values.dtype, []).append(place)
            groups = tuple((dtype, tuple(places)) for dtype, places in dtypes.items())
            layout = _Layout(seen[0], tuple(at for *_, at in wanted), readers, blanks, groups, _best_single(data))
            self._layouts = (layout, *self._layouts[: _LAYOUTS - 1])


def _row_of(data: Any) -> tuple[Any, Callable[[bool], Sequence[Any]], Container] | None:
    """How one row looks, what gives its cells, and its container; None for anything else."""
    module = type(data).__module__.partition(".")[0]
    if module == "pandas":
        if getattr(data, "ndim", 0) != 2 or len(data) != 1 or data.columns.nlevels > 1:
            return None
        return data.columns, partial(_cells, data), Container("pandas", data.index)
    if module == "polars":
        if getattr(data, "height", 0) != 1:
            return None
        return tuple(data.columns), lambda single: data.row(0), Container("polars")
    if type(data) is np.ndarray:
        if data.ndim != 2 or len(data) != 1 or data.dtype.kind not in "fiu":
            return None
        return data.shape[1], lambda single: data[0].tolist(), Container()
    if type(data) is list and len(data) == 1 and type(data[0]) in (list, dict):
        (row,) = data
        if type(row) is list:
            return len(row), lambda single: row, Container()
        return tuple(row), lambda single: list(row.values()), Container()
    return _row_of_dict(data) if type(data) is dict else None


def _cells(data: Any, single: bool) -> Sequence[Any]:
    """Of a pandas frame, taken one by one or all at once."""
    if single:
        return [data.iat[0, column] for column in range(data.shape[1])]
    return list(data.iloc[0].tolist())


def _best_single(data: Any) -> bool:
    """Are most columns arrays of their own, as texts are, of which pandas makes a row slowly?"""
    own = [not isinstance(dtype, np.dtype) for dtype in getattr(data, "dtypes", ())]
    return sum(own) > len(own) / 2


def _row_of_dict(data: dict[Any, Any]) -> tuple[Any, Callable[[bool], Sequence[Any]], Container] | None:
    """A dict of scalars, or of lists of one."""
    values = list(data.values())
    if values and all(type(value) is list and len(value) == 1 for value in values):
        return tuple(data), lambda single: [value[0] for value in values], Container()
    if any(hasattr(value, "__len__") and type(value) is not str for value in values):
        return None
    return tuple(data), lambda single: values, Container()


def _alike(known: Any, looks: Any) -> bool:
    """Are they the same labels, or the same number of columns without?"""
    if isinstance(known, tuple | int) or isinstance(looks, tuple | int):
        return type(known) is type(looks) and bool(known == looks)
    return bool(known.equals(looks))


def _missing(value: Any) -> bool:
    """Is it None, pandas' NA or NaT? Raises _Unsure for everything else."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    raise _Unsure


def _readable(read: Callable[[str], float]) -> Callable[[str], float]:
    """Raises _Unsure for a text that is neither read nor stands for missing: reading the whole column warns of it."""

    def of_text(text: str) -> float:
        value = read(text)
        if value != value and not is_missing(text):
            raise _Unsure
        return value

    return lru_cache(maxsize=_TEXTS)(of_text)


def _numeric(rule: Rule) -> Callable[[Any], float]:
    of_text = _readable(rule.number)

    def read(value: Any) -> float:
        kind = type(value)
        if kind in _FLOATS or kind in _WHOLES or kind in _BOOLS:
            number = float(value)
            return number if math.isfinite(number) else math.nan
        return of_text(value) if kind is str else _missing(value) and math.nan

    return read


def _truth(rule: Rule) -> Callable[[Any], int]:
    """As `_readable`, for a column of True and False."""

    def of(value: Any) -> int:
        code = rule.code(value)
        if code >= len(rule.levels):
            raise _Unsure
        return code

    return of


def _category(rule: Rule) -> Callable[[Any], int]:
    code = _truth(rule) if rule.holds_truths else rule.code
    of_text = lru_cache(maxsize=_TEXTS)(code)

    def read(value: Any) -> int:
        kind = type(value)
        if kind is str:
            return of_text(value)
        if kind in _BOOLS:
            return code(bool(value))
        if kind not in _FLOATS and kind not in _WHOLES:
            return -1 if _missing(value) else 0
        if value != value:
            return -1
        if abs(value) >= _EXACT:
            raise _Unsure
        return code(value.item() if isinstance(value, np.generic) else value)

    return read


def _datetime(rule: Rule) -> Callable[[Any], float]:
    of_text = _readable(rule.moment)

    def read(value: Any) -> float:
        if type(value) is str:
            return of_text(value)
        if type(value).__name__ == "Timestamp":
            return float(seconds_of(np.array([value.to_datetime64()]))[0])
        gap = value != value if type(value) in _FLOATS else _missing(value)
        if not gap:
            raise _Unsure
        return math.nan

    return read


def _text(rule: Rule) -> Callable[[Any], str | None]:
    def read(value: Any) -> str | None:
        if type(value) is str:
            return words(value)
        if type(value) not in _FLOATS or value == value:
            _missing(value)
        return None

    return read


_READERS: dict[str, Callable[[Rule], Callable[[Any], Any]]] = {
    "numeric": _numeric,
    "category": _category,
    "datetime": _datetime,
    "text": _text,
}
