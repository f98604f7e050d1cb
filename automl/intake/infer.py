"""What kind of column is this? Decided from all distinct values at fit, and written down as a `Rule`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contract import AnyArray, Finding, FloatArray
from automl.intake.parse import date_format, decimal_mark, is_missing, number
from automl.intake.raw import Raw, text_of
from automl.intake.refusals import DataTypeError, shorten
from automl.intake.rules import PLAIN_LEVELS, Rule

SHARE = 0.95
SAMPLE = 300
TEXT_WORDS = 3.0
TEXT_UNIQUE = 0.5
_LOOKED_AT = 10_000
_FLOAT32_STEP, _STEPS = 2.0**-23, 2.0**17
_PICTURE = re.compile(r"\.(png|jpe?g|gif|bmp|webp|tiff?)$", re.IGNORECASE)
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")


def infer(name: str, label: Any, raw: Raw, role: bool = False) -> tuple[Rule, list[Finding]]:
    """Decide how a column is read.

    Args:
        name: internal name to give it.
        label: the caller's name.
        raw: the column.
        role: a task asked for this column by name, so it may hold lists, dicts or arrays.

    Raises DataTypeError for such cells in any other column.
    """
    start = Rule(name, label, "numeric", raw.origin)
    if raw.form == "number":
        return start, _number_findings(raw, label)
    if raw.form == "bool":
        return replace(start, kind="category", levels=(False, True)), []
    if raw.form == "datetime":
        return replace(start, kind="datetime"), []
    if raw.form == "codes":
        return replace(start, kind="category", levels=_levels_of_codes(raw)), []
    if raw.form == "bytes":
        return replace(start, kind="image"), []
    if raw.form == "cells":
        if role:
            return replace(start, kind="object"), []
        raise _nested(raw, label)
    return _infer_strings(start, raw)


def offset_of(values: FloatArray) -> float:
    """What to take away from numbers that float32 would not tell apart: the middle one's whole part; 0 for most.

    Those are meant that lie close together and far from 0, most of them, so that fewer than 2^17 steps of a float32
    are between the quartiles' bounds; whole numbers that float32 holds are told apart whatever their place is.
    """
    step = max(1, len(values) // _LOOKED_AT)
    seen = values[::step]
    seen = seen[np.isfinite(seen)]
    if not len(seen):
        return 0.0
    low, middle, high = np.quantile(seen, [0.25, 0.5, 0.75], method="inverted_cdf")
    spread = high - low or float(np.ptp(seen))
    if spread >= abs(middle) * _FLOAT32_STEP * _STEPS:
        return 0.0
    exact = abs(seen).max() <= 1.0 / _FLOAT32_STEP and bool((seen == np.floor(seen)).all())
    return 0.0 if exact else float(np.floor(middle))


def _nested(raw: Raw, label: Any) -> DataTypeError:
    nested = (list, tuple, dict, set, frozenset, np.ndarray)
    row = next((i for i, v in enumerate(raw.values) if isinstance(v, nested)), 0)
    return DataTypeError(
        "cells-nested",
        f"a cell holds a {type(raw.values[row]).__name__}; the argument must be a string or a real number",
        f"column {label!r}, row {row}",
        "Flatten it into columns of its own, or name the column in roles.",
    )


def _number_findings(raw: Raw, label: Any) -> list[Finding]:
    where, values = f"column {label!r}", raw.values
    if values.dtype.kind == "f":
        count = int(np.isinf(values).sum())
        return [Finding("infinite", f"{count} values are infinite", where, "read as missing")] if count else []
    return large_integers(values, where)


def large_integers(values: AnyArray, where: str) -> list[Finding]:
    """A finding when some are whole numbers that float64 does not hold."""
    if values.dtype.kind in "iu" and len(values) and (values.max() > 2**53 or values.min() < -(2**53)):
        return [Finding("integers-large", "integers beyond 2^53 lose digits", where, "read as float64")]
    return []


def _infer_strings(start: Rule, raw: Raw) -> tuple[Rule, list[Finding]]:
    where = f"column {start.label!r}"
    _, values = raw.distinct
    values, counts = _present(values, raw.counts)
    if not values:
        return start, []
    found = [Finding("types-mixed", "values are of several types", where, "read by their text")] if raw.mixed else []
    mark = _number_style(values, counts)
    if mark:
        failed = [text for text in values if np.isnan(number(text, mark))]
        note = f"numbers are written as text{_unread(failed)}"
        return replace(start, style=mark), [*found, Finding("numbers-as-text", note, where, "parsed")]
    form, swappable = date_format(_spread(values))
    if form:
        found.append(
            Finding("dates-as-text", f"dates are written as text, like {values[0]!r}", where, f"parsed as {form}")
        )
        if swappable:
            found.append(Finding("dates-ambiguous", "day and month could be swapped", where, f"parsed as {form}"))
        return replace(start, kind="datetime", style=form), found
    if all(_PICTURE.search(text.strip()) for text in _spread(values)):
        return replace(start, kind="image"), found
    if _is_text(values, counts):
        return replace(start, kind="text"), found
    return replace(start, kind="category", levels=tuple(sorted({text.strip() for text in values}))), found


def _unread(failed: Sequence[str]) -> str:
    return f"; {len(failed)} others, like {shorten([repr(text) for text in failed], 3)}, are missing" if failed else ""


def _present(values: Sequence[str], counts: Any) -> tuple[list[str], Any]:
    """The distinct values that do not stand for missing, with their counts."""
    keep = [i for i, text in enumerate(values) if not is_missing(text)]
    return [values[i] for i in keep], counts[keep]


def _spread(values: Sequence[str]) -> Sequence[str]:
    """At most SAMPLE of the values, evenly spaced."""
    step = max(1, len(values) // SAMPLE)
    return values[::step]


def _number_style(values: Sequence[str], counts: Any) -> str:
    """The decimal mark when nearly all rows hold numbers; "" when they do not, or hold codes such as "007"."""
    if not decimal_mark(_spread(values), SHARE / 2):
        return ""
    mark = decimal_mark(values, SHARE, counts)
    codes = {len(text) for text in values}
    padded = any(len(text) > 1 and text[0] == "0" and text.isdigit() for text in values)
    return "" if padded and len(codes) == 1 else mark


def _is_text(values: Sequence[str], counts: Any) -> bool:
    """Mostly unique, and three words long on average; or rather unique and long."""
    sample = _spread(values)
    words = sum(len(text.split()) + len(_WIDE.findall(text)) / 2 for text in sample) / len(sample)
    unique = len(values) / max(int(counts.sum()), 1)
    return (words >= TEXT_WORDS and unique > TEXT_UNIQUE) or (words >= 10 and unique > 0.1)


def _levels_of_codes(raw: Raw) -> tuple[Any, ...]:
    used = np.flatnonzero(raw.counts)
    levels = [plain_level(raw.levels[code]) for code in used]
    levels = [level for level in levels if not (isinstance(level, str) and is_missing(level))]
    levels = list(dict.fromkeys(level.strip() if isinstance(level, str) else level for level in levels))
    return tuple(levels if raw.ordered else sort_levels(levels))


def plain_level(value: Any) -> Any:
    """A level as a plain Python value: text, bool, int or float; dates and intervals by their text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, PLAIN_LEVELS) else text_of(value)


def sort_levels(levels: Iterable[Any]) -> list[Any]:
    """Sorted by value; by type first when the values are of several types."""
    levels = list(levels)
    try:
        return sorted(levels)
    except TypeError:
        return sorted(levels, key=lambda level: (type(level).__name__, level))
