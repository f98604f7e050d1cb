"""Reading numbers and dates out of strings, one value at a time and always in the same way.

What fit learns is the *style*: the decimal mark of a column's numbers, or the format of its dates. Predict reads
with that style only, so that one row means the same alone and in a batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np

from automl.contract import AnyArray
from automl.intake.raw import seconds_of

MISSING_TOKENS = frozenset(["", "?", "NA", "N/A", "n/a", "nan", "NaN", "NAN", "null", "NULL", "#N/A", "<NA>", "NaT"])
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_GROUPED_COMMA = re.compile(r"[+-]?\d{1,3}([. ]\d{3})+(,\d*)?")
_CURRENCY = str.maketrans("", "", "$€£¥₹%\u00a0")
_ZONE_NAME, _ZONE_GAP = re.compile(r"(UTC|GMT)$"), re.compile(r" ([+-]\d{2}:?\d{2}|Z|UTC|GMT)$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What a date looks like -> the formats it may have. A text is tried only with formats whose looks it has.
_MONTH, _GAP = r"[A-Za-z]{3,9}\.?", r"(?P<gap>[ T]| ?, ?)"
_DAYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}-\d{1,2}-\d{1,2}", ("%Y-%m-%d",)),
    (r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", ("%Y.%m.%d",)),
    (r"\d{1,2}/\d{1,2}/\d{4}", ("%m/%d/%Y", "%d/%m/%Y")),
    (r"\d{1,2}/\d{1,2}/\d{2}", ("%m/%d/%y", "%d/%m/%y")),
    (r"\d{1,2}-\d{1,2}-\d{4}", ("%m-%d-%Y", "%d-%m-%Y")),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", ("%d.%m.%Y",)),
    (r"\d{1,2}\.\d{1,2}\.\d{2}", ("%d.%m.%y",)),
    (rf"\d{{1,2}}-{_MONTH}-\d{{4}}", ("%d-%b-%Y", "%d-%B-%Y")),
    (rf"\d{{1,2}}-{_MONTH}-\d{{2}}", ("%d-%b-%y",)),
    (rf"\d{{1,2}} {_MONTH} \d{{4}}", ("%d %b %Y", "%d %B %Y")),
    (rf"{_MONTH} \d{{1,2}}, \d{{4}}", ("%b %d, %Y", "%B %d, %Y")),
    (rf"{_MONTH} \d{{1,2}} \d{{4}}", ("%b %d %Y", "%B %d %Y")),
    (rf"{_MONTH}, \d{{1,2}} {_MONTH} \d{{4}}", ("%a, %d %b %Y", "%A, %d %B %Y")),
)
_CLOCKS = (
    (r"\d{1,2}:\d{2}", "%H:%M"),
    (r"\d{1,2}:\d{2}:\d{2}", "%H:%M:%S"),
    (r"\d{1,2}:\d{2}:\d{2}\.\d{1,6}", "%H:%M:%S.%f"),
    (r"\d{1,2}:\d{2} ?[AaPp][Mm]", "%I:%M %p"),
    (r"\d{1,2}:\d{2}:\d{2} ?[AaPp][Mm]", "%I:%M:%S %p"),
)
_ZONES = ((r"", ""), (r" ?(Z|UTC|GMT|[+-]\d{2}:?\d{2})", "%z"))
_SWAPPED = {"%m/%d": "%d/%m", "%m-%d": "%d-%m"}


def is_missing(text: str) -> bool:
    """Does this string stand for a missing value ("", blanks, "?", "NA" …)?"""
    return text in MISSING_TOKENS or text.strip() in MISSING_TOKENS


def number(text: str, decimal: str = ".") -> float:
    """The number written here, or NaN. Reads currency signs, percent signs (12% is 12) and thousands separators."""
    plain = text.strip()
    if not _PLAIN.fullmatch(plain):
        plain = plain.translate(_CURRENCY).strip()
        if decimal == ",":
            if _GROUPED_COMMA.fullmatch(plain):
                plain = plain.replace(".", "").replace(" ", "")
            elif "." in plain:
                return math.nan
            plain = plain.replace(",", ".", 1)
        elif _GROUPED.fullmatch(plain):
            plain = plain.replace(",", "")
        if not _PLAIN.fullmatch(plain):
            return math.nan
    elif decimal == "," and "." in plain and _GROUPED_COMMA.fullmatch(plain):
        plain = plain.replace(".", "")
    value = float(plain)
    return value if math.isfinite(value) else math.nan


def date(text: str, form: str) -> float:
    """UTC seconds since 1970 of a date in this format, else in ISO 8601, else NaN. No zone means UTC."""
    for read in (lambda plain: _strptime(plain, form), datetime.fromisoformat):
        try:
            return _seconds(read(text.strip()))
        except (ValueError, OverflowError):
            continue
    return math.nan


def dates(texts: Sequence[str], form: str) -> AnyArray:
    """(n,) float64 of `date` for each text. Many are read at once, and one by one only where that fails."""
    import pandas as pd

    moments = pd.to_datetime(pd.Series(list(texts), dtype=object), format=form, errors="coerce", utc=True)
    out = seconds_of(moments.to_numpy(dtype="datetime64[us]"))
    for row in np.flatnonzero(np.isnan(out)).tolist():
        out[row] = date(texts[row], form)
    return out


def _strptime(text: str, form: str) -> datetime:
    """`datetime.strptime`, which also knows the zone names UTC and GMT and a blank before a zone."""
    if form.endswith("%z"):
        text = _ZONE_NAME.sub("+0000", _ZONE_GAP.sub(r"\1", text))
    return datetime.strptime(text, form)


def _seconds(moment: datetime) -> float:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) / timedelta(seconds=1)


def _fits(text: str, form: str) -> bool:
    try:
        _strptime(text, form)
    except (ValueError, OverflowError):
        return False
    return True


def decimal_mark(texts: Sequence[str], share: float = 0.95, counts: Sequence[int] | None = None) -> str:
    """The decimal mark under which at least `share` of these strings are numbers: ".", "," or "" for neither.

    With `counts`, how often each string occurs, the share is of occurrences; half of the strings must be numbers too.
    """
    for mark in (".", ","):
        read = [not math.isnan(number(text, mark)) for text in texts]
        known, total = sum(read), len(read)
        if counts is not None and 2 * known >= total:
            known, total = sum(n for n, ok in zip(counts, read, strict=True) if ok), sum(counts)
        if known >= share * total > 0:
            return mark
    return ""


def date_format(texts: Sequence[str], share: float = 0.95) -> tuple[str, bool]:
    """The format that reads at least `share` of these strings, "" for none, and whether day and month could swap."""
    sample = [text.strip() for text in texts]
    candidates = dict.fromkeys(form for text in (*sample[:3], *sample[-3:]) for form in _looks(text))
    best, most = "", 0
    for form in candidates:
        read = sum(_fits(text, form) for text in sample)
        if read > most:
            best, most = form, read
    if not most or most < share * len(sample):
        return "", False
    other = next((best.replace(a, b, 1) for a, b in _SWAPPED.items() if best.startswith(a)), "")
    return best, bool(other) and sum(_fits(text, other) for text in sample) == most


@lru_cache(maxsize=1)
def _days() -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    return tuple((re.compile(rf"(?:{look})(?:{_GAP}(?P<rest>.+))?"), forms) for look, forms in _DAYS)


def _looks(text: str) -> list[str]:
    """The formats that a text could have, judging by its digits and marks."""
    if len(text) > 60:
        return []
    out: list[str] = []
    for look, forms in _days():
        match = look.fullmatch(text)
        if match:
            out += [form + tail for form in forms for tail in _tails(match)]
    return out


def _tails(match: re.Match[str]) -> list[str]:
    rest = match["rest"]
    if rest is None:
        return [""]
    return [
        f"{match['gap']}{clock}{mark}"
        for look, clock in _CLOCKS
        for zone, mark in _ZONES
        if re.fullmatch(look + zone, rest)
    ]
