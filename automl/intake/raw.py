"""One column as it came, in one of a few forms, whatever library held it.

form        values                                             missing
number      any real numpy dtype (n,)                          NaN
bool        float64 0, 1 (n,)                                  NaN
datetime    float64 UTC seconds since 1970 (n,)                NaN
codes       int64 (n,), with levels beside them                -1
strings     object (n,) of str                                 None
bytes       object (n,) of bytes                               None
cells       object (n,) of lists, dicts, arrays                None
"""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from automl.contract import AnyArray, DataError
from automl.intake.refusals import DataTypeError

Form = Literal["number", "bool", "datetime", "codes", "strings", "bytes", "cells"]
FEW = 16
_SCALARS = (str, bytes, bool, int, float, np.generic)


@dataclass(frozen=True)
class Raw:
    """A column before anything is inferred.

    Attributes:
        form: which row of the module's table its values follow.
        values: (n,) array; may share memory with the caller's data, so it is never written to.
        origin: name of the dtype it had.
        levels: for ``codes``, the values in code order.
        ordered: for ``codes``, the order of the levels means something.
        mixed: the values were of several types and became strings.
    """

    form: Form
    values: AnyArray
    origin: str
    levels: tuple[Any, ...] = ()
    ordered: bool = False
    mixed: bool = False

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def distinct(self) -> tuple[AnyArray, list[Any]]:
        """(n,) positions into the list of distinct values, -1 where missing, and that list as Python values."""
        if self.form == "codes":
            return self.values, list(self.levels)
        import pandas as pd

        codes, uniques = pd.factorize(self.values, use_na_sentinel=True)
        return codes, uniques.tolist()

    @cached_property
    def counts(self) -> AnyArray:
        """How many rows hold each of the `distinct` values."""
        codes, values = self.distinct
        return np.bincount(codes[codes >= 0], minlength=len(values))

    def missing(self) -> AnyArray:
        """(n,) booleans: True where the caller's value is missing."""
        if self.form == "codes":
            return np.asarray(self.values < 0)
        if self.form in ("number", "bool", "datetime"):
            return np.isnan(self.values) if self.values.dtype.kind == "f" else np.zeros(len(self), dtype=bool)
        return np.array([value is None for value in self.values], dtype=bool)

    def map(self, read: Callable[[Any], Any], missing: Any, dtype: Any) -> AnyArray:
        """(n,) array of ``read(value)``, asked once for each distinct value; `missing` where there is none."""
        if self.form == "codes" and len(self) < len(self.levels):
            return np.array([missing if v < 0 else read(self.levels[v]) for v in self.values.tolist()], dtype=dtype)
        if len(self) <= FEW and self.form != "codes":
            skip = (None,) if self.form in ("strings", "bytes") else ()
            out = [missing if v in skip or v != v else read(v) for v in self.values.tolist()]
            return np.array(out, dtype=dtype)
        codes, values = self.distinct
        table = np.empty(len(values) + 1, dtype=dtype)
        for position, value in enumerate(values):
            table[position] = read(value)
        table[-1] = missing
        return table[codes]


def all_missing(n_rows: int, origin: str) -> Raw:
    """A column without one value."""
    return Raw("number", np.full(n_rows, np.nan), origin)


def from_numpy(values: AnyArray, origin: str = "") -> Raw:
    """A column from a 1-D numpy array of any dtype. Raises DataError for complex and DataTypeError for odd cells."""
    kind, origin = values.dtype.kind, origin or str(values.dtype)
    if isinstance(values, np.ma.MaskedArray):
        values = np.asarray(np.ma.filled(values.astype(object), None))
        kind = "O"
    if kind in "iu" or (kind == "f" and values.dtype.itemsize <= 8):
        return Raw("number", values, origin)
    if kind == "f":
        return Raw("number", values.astype(np.float64), origin)
    if kind == "b":
        return Raw("bool", values.astype(np.float64), "bool")
    if kind == "M":
        return Raw("datetime", seconds_of(values), origin)
    if kind == "m":
        return Raw("number", span_of(values), origin)
    if kind == "c":
        raise DataError(
            "complex", "Complex data not supported", "", "Give the real and imaginary parts as two columns."
        )
    if kind == "U":
        return Raw("strings", values.astype(object), "str")
    if kind in "SO":
        return settle(values.astype(object) if kind == "S" else values)
    raise DataTypeError(
        "dtype-unknown", f"no column can be made of dtype {origin}", "", "Convert it to numbers or text."
    )


def seconds_of(values: AnyArray) -> AnyArray:
    """float64 UTC seconds of a datetime64 array; NaN for NaT. Microseconds are kept, anything finer is cut."""
    whole = values.astype("datetime64[us]")
    out = np.asarray(whole.astype(np.int64) / 1e6)
    out[np.isnat(whole)] = np.nan
    return out


def span_of(values: AnyArray) -> AnyArray:
    """float64 seconds of a timedelta64 array; NaN for NaT."""
    whole = values.astype("timedelta64[us]")
    out = np.asarray(whole.astype(np.int64) / 1e6)
    out[np.isnat(whole)] = np.nan
    return out


def strings(values: AnyArray, missing: AnyArray, origin: str = "str") -> Raw:
    """A column of an object array of str, with None put where `missing` is True."""
    if missing.any():
        values = values.copy()
        values[missing] = None
    return Raw("strings", values, origin)


def settle(values: AnyArray) -> Raw:
    """A column from an object array: what its Python values really are."""
    from pandas.api.types import infer_dtype

    read = _SETTLE.get(infer_dtype(values, skipna=True))
    if read is None:
        read = _settle_numbers if _all_numbers(values) else _settle_mixed
    return read(values)


def _all_numbers(values: AnyArray) -> bool:
    """Are they real numbers, perhaps of several types, where there are any?"""
    void = _void(values)
    known = (numbers.Real, decimal.Decimal)
    return all(
        isinstance(value, known) and not isinstance(value, bool | np.bool_)
        for value, gone in zip(values, void, strict=True)
        if not gone
    )


def _void(values: AnyArray) -> AnyArray:
    import pandas as pd

    return np.asarray(pd.isna(values))


def _settle_strings(values: AnyArray) -> Raw:
    return strings(values, _void(values))


def _settle_bools(values: AnyArray) -> Raw:
    void = _void(values)
    return Raw("bool", np.array([np.nan if m else float(v) for v, m in zip(values, void, strict=True)]), "bool")


def _settle_numbers(values: AnyArray) -> Raw:
    void = _void(values)
    if not void.any():
        plain = np.array(values.tolist())
        if plain.dtype.kind in "iuf":
            return from_numpy(plain)
    out = np.array([np.nan if m else _float(v) for v, m in zip(values, void, strict=True)], dtype=np.float64)
    return Raw("number", out, "object")


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _settle_dates(values: AnyArray) -> Raw:
    import pandas as pd

    moments = pd.to_datetime(pd.Series(values, dtype=object), utc=True, errors="coerce")
    return Raw("datetime", seconds_of(moments.to_numpy(dtype="datetime64[us]")), "datetime")


def _settle_spans(values: AnyArray) -> Raw:
    import pandas as pd

    return Raw("number", span_of(pd.to_timedelta(pd.Series(values, dtype=object)).to_numpy()), "timedelta")


def _settle_empty(values: AnyArray) -> Raw:
    return all_missing(len(values), "object")


def _settle_bytes(values: AnyArray) -> Raw:
    """Pictures stay bytes; anything else must be text."""
    void = _void(values)
    first = next(value for value, gone in zip(values, void, strict=True) if not gone)
    if is_picture(first):
        return Raw("bytes", strings(values, void).values, "bytes")
    out = np.empty(len(values), dtype=object)
    try:
        out[:] = [None if gone else value.decode("utf-8") for value, gone in zip(values, void, strict=True)]
    except UnicodeDecodeError as error:
        raise DataError(
            "bytes-unreadable",
            f"a cell holds bytes that are neither a picture nor UTF-8 text: {error}",
            "",
            "Decode it.",
        ) from error
    return Raw("strings", out, "bytes")


def is_picture(value: bytes) -> bool:
    """Do these bytes begin like a PNG, JPEG, GIF, BMP, TIFF or WebP file?"""
    starts = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
    return value.startswith(starts) or (value[:4] == b"RIFF" and value[8:12] == b"WEBP")


def _settle_mixed(values: AnyArray) -> Raw:
    """Values of several types become strings; lists, dicts and arrays stay cells; anything else is refused."""
    import pandas as pd

    plain = (
        *_SCALARS,
        decimal.Decimal,
        datetime.date,
        datetime.time,
        datetime.timedelta,
        pd.Timestamp,
        pd.Period,
        pd.Interval,
    )
    out = np.empty(len(values), dtype=object)
    nested = False
    for row, value in enumerate(values):
        if isinstance(value, list | tuple | dict | set | frozenset | np.ndarray):
            out[row], nested = value, True
        elif value is None or value is pd.NA or value is pd.NaT or value != value:
            out[row] = None
        elif isinstance(value, complex | np.complexfloating):
            raise DataError("complex", "Complex data not supported", f"row {row}", "Give the parts as two columns.")
        elif isinstance(value, plain) or _named(value):
            out[row] = value
        else:
            raise DataTypeError(
                "cell-unreadable",
                f"a cell holds a {type(value).__name__}; the argument must be a string or a real number",
                f"row {row}",
                "Convert it to numbers or text first.",
            )
    if nested:
        return Raw("cells", out, "object")
    out[:] = [None if value is None else text_of(value) for value in out]
    return Raw("strings", out, "object", mixed=True)


def _named(value: Any) -> bool:
    """UUIDs, paths and enums are read by their text."""
    import enum
    import pathlib
    import uuid

    return isinstance(value, uuid.UUID | pathlib.PurePath | enum.Enum)


def text_of(value: Any) -> str:
    """One spelling for each value: 1, 1.0 and "1" are "1", whatever type they came in."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.datetime64 | np.timedelta64):
        value = value.astype(f"{type(value).__name__}[us]").item()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    if isinstance(value, datetime.date):
        return _day_text(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def moment_text(seconds: float) -> str:
    """How a moment, in UTC seconds since 1970, is spelt by `text_of`."""
    return _day_text(datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds))


def _day_text(value: datetime.date) -> str:
    """ISO 8601 in UTC, without the clock at midnight."""
    if not isinstance(value, datetime.datetime):
        return value.isoformat()
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value.isoformat().removesuffix("T00:00:00")


_SETTLE: dict[str, Callable[[AnyArray], Raw]] = {
    "string": _settle_strings,
    "boolean": _settle_bools,
    "integer": _settle_numbers,
    "floating": _settle_numbers,
    "mixed-integer-float": _settle_numbers,
    "decimal": _settle_numbers,
    "datetime": _settle_dates,
    "datetime64": _settle_dates,
    "date": _settle_dates,
    "timedelta": _settle_spans,
    "timedelta64": _settle_spans,
    "bytes": _settle_bytes,
    "empty": _settle_empty,
}
