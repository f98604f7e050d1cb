"""The door for single columns: a pandas Series, an Arrow array, a polars Series or a plain sequence becomes a `Raw`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from automl.intake.raw import Raw, all_missing, from_numpy, seconds_of, settle, span_of
from automl.intake.refusals import DataTypeError


def from_pandas(series: Any) -> Raw:
    """A column from a pandas Series of any dtype."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return from_numpy(series.to_numpy())
    return _PANDAS.get(type(dtype).__name__, _plain)(series)


def _string(series: Any) -> Raw:
    return Raw("strings", series.array.to_numpy(dtype=object, na_value=None), "str")


def _masked(series: Any) -> Raw:
    origin = str(series.dtype)
    if not series.isna().any():
        return from_numpy(series.to_numpy(dtype=series.dtype.numpy_dtype), origin)
    return Raw("number", series.to_numpy(dtype=np.float64, na_value=np.nan), origin)


def _boolean(series: Any) -> Raw:
    return Raw("bool", series.to_numpy(dtype=np.float64, na_value=np.nan), "bool")


def _category(series: Any) -> Raw:
    codes = np.asarray(series.cat.codes, dtype=np.int64)
    return Raw("codes", codes, "category", tuple(series.cat.categories.tolist()), bool(series.cat.ordered))


def _zoned(series: Any) -> Raw:
    return Raw("datetime", seconds_of(series.to_numpy(dtype="datetime64[us]")), str(series.dtype))


def _period(series: Any) -> Raw:
    return Raw("datetime", seconds_of(series.dt.to_timestamp().to_numpy()), str(series.dtype))


def _interval(series: Any) -> Raw:
    middle = np.asarray(series.array.mid, dtype=np.float64)
    return Raw("number", middle, str(series.dtype))


def _arrow_backed(series: Any) -> Raw:
    return from_arrow(series.array.__arrow_array__())


def _plain(series: Any) -> Raw:
    return from_numpy(np.asarray(series), str(series.dtype))


_PANDAS: dict[str, Callable[[Any], Raw]] = {
    "StringDtype": _string,
    "BooleanDtype": _boolean,
    "CategoricalDtype": _category,
    "DatetimeTZDtype": _zoned,
    "PeriodDtype": _period,
    "IntervalDtype": _interval,
    "ArrowDtype": _arrow_backed,
    **dict.fromkeys(
        [f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64)] + ["Float32Dtype", "Float64Dtype"],
        _masked,
    ),
}


def from_arrow(array: Any) -> Raw:
    """A column from a pyarrow Array or ChunkedArray. Raises DataTypeError for extension types without storage."""
    import pyarrow as pa

    if isinstance(array, pa.Array):
        array = pa.chunked_array([array])
    kind = array.type
    if pa.types.is_run_end_encoded(kind):
        return from_arrow(_run_ends_decoded(array))
    if array.null_count == len(array):
        return all_missing(len(array), str(kind))
    for test, read in _arrow_readers():
        if test(kind):
            return read(array)
    if isinstance(kind, pa.BaseExtensionType):
        return from_arrow(pa.chunked_array([chunk.storage for chunk in array.chunks], kind.storage_type))
    raise DataTypeError("dtype-unknown", f"no column can be made of Arrow type {kind}", "", "Cast it first.")


def _run_ends_decoded(array: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pa.chunked_array([pc.run_end_decode(chunk) for chunk in array.chunks], array.type.value_type)


def _arrow_readers() -> list[tuple[Callable[[Any], bool], Callable[[Any], Raw]]]:
    import pyarrow.types as t

    return [
        (t.is_boolean, lambda a: Raw("bool", a.cast("int8").to_numpy().astype(np.float64), "bool")),
        (t.is_integer, _arrow_integer),
        (t.is_floating, lambda a: Raw("number", a.cast("float64").to_numpy(), str(a.type))),
        (t.is_decimal, lambda a: Raw("number", a.cast("float64", safe=False).to_numpy(), str(a.type))),
        (t.is_temporal, _arrow_temporal),
        (_is_text, lambda a: Raw("strings", a.to_numpy(), "str")),
        (t.is_dictionary, _arrow_dictionary),
        (_is_binary, lambda a: settle(_objects(a.to_pylist()))),
        (t.is_union, lambda a: settle(_objects(a.to_pylist()))),
        (t.is_nested, lambda a: Raw("cells", _objects(a.to_pylist()), "object")),
    ]


def _is_text(kind: Any) -> bool:
    import pyarrow.types as t

    return bool(t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind))


def _is_binary(kind: Any) -> bool:
    import pyarrow.types as t

    return bool(t.is_binary(kind) or t.is_large_binary(kind) or t.is_binary_view(kind) or t.is_fixed_size_binary(kind))


def _arrow_integer(array: Any) -> Raw:
    if array.null_count:
        return Raw("number", array.cast("float64", safe=False).to_numpy(), str(array.type))
    return Raw("number", array.to_numpy(), str(array.type))


def _arrow_temporal(array: Any) -> Raw:
    import pyarrow as pa
    import pyarrow.types as t

    kind = array.type
    if t.is_date(kind):
        return Raw("datetime", seconds_of(array.cast("timestamp[s]").to_numpy()), str(kind))
    if t.is_timestamp(kind):
        whole = array.cast(pa.timestamp("us", tz=kind.tz), safe=False)
        return Raw("datetime", seconds_of(whole.to_numpy()), str(kind))
    if t.is_duration(kind):
        return Raw("number", span_of(array.to_numpy()), str(kind))
    if t.is_time(kind):
        bits = "int32" if t.is_time32(kind) else "int64"
        unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        return Raw("number", array.cast(bits).cast("float64").to_numpy() / unit, str(kind))
    raise DataTypeError("dtype-unknown", f"no column can be made of Arrow type {kind}", "", "Cast it first.")


def _arrow_dictionary(array: Any) -> Raw:
    import pyarrow as pa

    whole = array.unify_dictionaries().combine_chunks() if array.num_chunks else array
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], array.type)
    codes = whole.indices.cast("int64").fill_null(-1).to_numpy(zero_copy_only=False)
    return Raw("codes", codes, "category", tuple(whole.dictionary.to_pylist()), bool(array.type.ordered))


def _objects(values: list[Any]) -> Any:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def from_sequence(values: list[Any] | tuple[Any, ...]) -> Raw:
    """A column from Python values, each kept as it is."""
    out = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        out[row] = value
    return settle(out)


def from_any(values: Any) -> Raw:
    """A column from whatever one-dimensional thing a caller may give.

    Raises DataTypeError when it is none: a sparse matrix, a scalar, a table.
    """
    module = type(values).__module__.partition(".")[0]
    if module == "pandas" and hasattr(values, "dtype"):
        return from_pandas(values if hasattr(values, "array") and hasattr(values, "index") else _series(values))
    if module == "polars" and hasattr(values, "to_arrow"):
        return from_arrow(values.to_arrow())
    if module == "pyarrow":
        return from_arrow(values)
    if isinstance(values, list | tuple):
        return from_sequence(values)
    if isinstance(values, range):
        return from_sequence(list(values))
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataTypeError("column-shape", f"a column must be one-dimensional, not of shape {array.shape}", "", "")
    return from_numpy(array)


def _series(values: Any) -> Any:
    import pandas as pd

    return pd.Series(values)
