"""Values in later tables that say something, but nothing that their column could be read as."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable

import numpy as np

from automl.contract import AnyArray, Column
from automl.intake.parse import is_missing
from automl.intake.raw import Raw
from automl.intake.refusals import shorten
from automl.intake.rules import Rule

_NATIVE = {"numeric": ("number", "bool"), "datetime": ("datetime",)}
_WANTED = {"numeric": "numbers", "datetime": "dates"}
_SHOWN = 2


class UnreadValues(UserWarning):
    """Values that are not missing could not be read as what their column held at fit, and count as missing."""


def unread(rule: Rule, raw: Raw, column: Column) -> str:
    """A sentence about the values of a column that could not be read; "" when all could, which costs next to nothing.

    Args:
        rule: how it was read.
        raw: the column as it came.
        column: what became of it.
    """
    if rule.kind == "category":
        return _unread_truths(rule, raw, column)
    if rule.kind not in _WANTED or raw.form in _NATIVE[rule.kind]:
        return ""
    lost = np.flatnonzero(np.isnan(column.values))
    return _sentence(rule, _said(raw, lost), raw, _WANTED[rule.kind], "missing") if len(lost) else ""


def _unread_truths(rule: Rule, raw: Raw, column: Column) -> str:
    """Words for yes and no in a column that held True and False."""
    if raw.form == "bool" or not rule.holds_truths:
        return ""
    lost = np.flatnonzero(column.values >= len(rule.levels))
    return _sentence(rule, _said(raw, lost), raw, "True or False", "unknown") if len(lost) else ""


def _sentence(rule: Rule, lost: list[str], raw: Raw, wanted: str, become: str) -> str:
    if not lost:
        return ""
    like = shorten([repr(text) for text in dict.fromkeys(lost)], _SHOWN)
    given = len(_said(raw, np.flatnonzero(~raw.missing())))
    what = f"{len(lost)} of {given} values could not be read as {wanted}, like {like}"
    return f"column {rule.label}: {what}, and count as {become}"


def _said(raw: Raw, rows: AnyArray) -> list[str]:
    """The texts of these rows that do not stand for missing."""
    gone = raw.missing()
    values = [raw.levels[raw.values[row]] if raw.form == "codes" else raw.values[row] for row in rows if not gone[row]]
    return [str(value) for value in values if not (isinstance(value, str) and is_missing(value))]


def warn(sentences: Iterable[str]) -> None:
    """One warning for a table, at the line outside this package that gave it."""
    said = [sentence for sentence in sentences if sentence]
    if said:
        warnings.warn("; ".join(said), UnreadValues, stacklevel=_outside())


def _outside() -> int:
    """How far up the caller of this package is, as `warnings.warn` counts from the function that calls this one."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "automl":
        frame, level = frame.f_back, level + 1
    return level
