"""How one column is read, decided at fit and applied the same way to every later table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, Kind
from automl.intake.containers import key_of
from automl.intake.parse import date, dates, is_missing, number
from automl.intake.raw import Raw, moment_text, text_of

PLAIN_LEVELS = (str, bool, int, float)
MANY = 1000
_ISO = "%Y-%m-%d"
_DTYPES: dict[str, np.dtype[Any]] = {
    "numeric": np.dtype(np.float64),
    "datetime": np.dtype(np.float64),
    "category": np.dtype(np.int32),
}


@dataclass(frozen=True)
class Rule:
    """What was decided about one column.

    Attributes:
        name: internal name.
        label: the caller's name.
        kind: kind of the column in the table.
        origin: dtype it had at fit.
        levels: for ``category``, the values in code order, as plain Python values.
        style: decimal mark of numbers, or format of dates, written in strings.
        literal: values mean just what they say (a target): "NA" and "" are values, blanks around a word count.
        offset: of the column, see `Column`.
    """

    name: str
    label: Any
    kind: Kind
    origin: str = ""
    levels: tuple[Any, ...] = ()
    style: str = ""
    literal: bool = False
    offset: float = 0.0

    def column(self, raw: Raw) -> Column:
        """Read a column by this rule. Values it cannot read are missing."""
        return self._holding(_READERS[self.kind](self, raw))

    def blank(self) -> Column:
        """The column without rows."""
        values = np.zeros(0, dtype=_DTYPES.get(self.kind, np.dtype(object)))
        return self._holding(values)

    def _holding(self, values: AnyArray) -> Column:
        return Column(self.name, self.label, self.kind, values, self.levels, self.origin, self.offset)

    @property
    def reads_text(self) -> bool:
        """Do its values come from how they are spelt, as ``007`` does, and not from what they amount to?"""
        spelt = any(isinstance(level, str) for level in self.levels)
        return spelt or bool(self.style) or self.kind in ("text", "datetime", "image")

    @property
    def holds_truths(self) -> bool:
        """Is it a column of nothing but True and False?"""
        return bool(self.levels) and all(isinstance(level, bool) for level in self.levels)

    @cached_property
    def lookup(self) -> dict[str, int]:
        """Spelling of a level -> its code. Levels that were no strings are also found under other spellings."""
        out: dict[str, int] = {}
        for code, level in enumerate(self.levels):
            if isinstance(level, bool):
                out |= dict.fromkeys([str(level), str(level).lower(), str(level).upper(), str(int(level))], code)
        return out | {self.spelling(level): code for code, level in enumerate(self.levels)}

    def spelling(self, value: Any) -> str:
        """What a value is looked up by."""
        return text_of(value) if self.literal else text_of(value).strip()

    def code(self, value: Any) -> int:
        """The code of a value: -1 when it stands for missing, the number of levels when it was not seen at fit."""
        if isinstance(value, str) and not self.literal and is_missing(value):
            return -1
        spelling = self.spelling(value)
        found = self.lookup.get(spelling)
        if found is None and isinstance(value, str):
            as_number = number(spelling)
            found = None if math.isnan(as_number) else self.lookup.get(text_of(as_number))
        return len(self.levels) if found is None else found

    def number(self, value: Any) -> float:
        """The number a value stands for, NaN when it is none."""
        if isinstance(value, str):
            return number(value, self.style or ".")
        try:
            out = float(value)
        except (TypeError, ValueError, OverflowError):
            return math.nan
        return out if math.isfinite(out) else math.nan

    def moment(self, value: Any) -> float:
        """The UTC seconds a string stands for, NaN when it is no date."""
        return date(str(value), self.style or _ISO)

    def to_state(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "label": key_of(self.label)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Rule:
        """The rule that `to_state` wrote down."""
        return cls(**{**state, "levels": tuple(state["levels"])})


def _numeric(rule: Rule, raw: Raw) -> AnyArray:
    if raw.form in ("number", "bool"):
        values = np.ascontiguousarray(raw.values, dtype=np.float64)
        infinite = np.isinf(values)
        return np.where(infinite, np.nan, values) if infinite.any() else values
    if raw.form in ("strings", "codes"):
        return raw.map(rule.number, np.nan, np.float64)
    return np.full(len(raw), np.nan)


def _category(rule: Rule, raw: Raw) -> AnyArray:
    if raw.form == "bool":
        table = np.array([rule.code(False), rule.code(True), -1], dtype=np.int32)
        return table[np.where(np.isnan(raw.values), 2, raw.values).astype(np.int64)]
    if raw.form == "datetime":
        return raw.map(lambda seconds: rule.code(moment_text(seconds)), -1, np.int32)
    if raw.form != "cells":
        return raw.map(rule.code, -1, np.int32)
    return np.full(len(raw), -1, dtype=np.int32)


def _datetime(rule: Rule, raw: Raw) -> AnyArray:
    if raw.form == "datetime":
        return raw.values
    if raw.form == "strings" and len(raw) > MANY:
        codes, texts = raw.distinct
        return np.append(dates(texts, rule.style or _ISO), np.nan)[codes]
    if raw.form in ("strings", "codes"):
        return raw.map(rule.moment, np.nan, np.float64)
    return np.full(len(raw), np.nan)


def _text(rule: Rule, raw: Raw) -> AnyArray:
    if raw.form == "cells":
        return np.full(len(raw), None, dtype=object)
    return raw.map(words, None, object)


def words(value: Any) -> str | None:
    """The text that a value stands for, None when it is blank."""
    text = text_of(value)
    return None if not text or text.isspace() else text


def _image(rule: Rule, raw: Raw) -> AnyArray:
    if raw.form in ("strings", "bytes"):
        return raw.values
    if raw.form == "codes":
        return raw.map(lambda value: value if isinstance(value, str | bytes) else None, None, object)
    return np.full(len(raw), None, dtype=object)


def _object(rule: Rule, raw: Raw) -> AnyArray:
    if raw.form in ("cells", "strings", "bytes"):
        return raw.values
    out = np.full(len(raw), None, dtype=object)
    out[~raw.missing()] = raw.values[~raw.missing()]
    return out


_READERS: dict[Kind, Callable[[Rule, Raw], AnyArray]] = {
    "numeric": _numeric,
    "category": _category,
    "datetime": _datetime,
    "text": _text,
    "image": _image,
    "object": _object,
}
