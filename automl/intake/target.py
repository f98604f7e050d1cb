"""Reading the target and the other columns with a fixed meaning: weights, groups and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, DataError, Finding, FloatArray
from automl.intake.infer import infer, large_integers, plain_level, sort_levels
from automl.intake.parse import date_format, number
from automl.intake.raw import Raw, moment_text
from automl.intake.refusals import shorten
from automl.intake.roles import array_column, check_length
from automl.intake.rules import Rule

MOSTLY = 0.5
MANY = 20
ROWS_OF_LABEL = 10


def infer_target(name: str, label: Any, raw: Raw) -> tuple[Rule, list[Finding]]:
    """Decide how the target is read: words keep their exact spelling, and only real missing values are missing.

    Raises DataError when it has no value, is infinite somewhere or mixes words with numbers.
    """
    where = f"target {label!r}"
    if raw.missing().all():
        raise DataError("target-all-missing", "Input y contains NaN only: no row has a target", where, "Give targets.")
    start = Rule(name, label, "numeric", raw.origin, literal=True)
    if raw.form == "number":
        _refuse_infinite(raw.values, where)
        return _infer_numbers(start, raw, where)
    if raw.form in ("bool", "datetime", "cells", "bytes"):
        rule, found = infer(name, label, raw, role=True)
        return replace(rule, literal=True), found
    if raw.form == "codes":
        used = [plain_level(raw.levels[code]) for code in np.flatnonzero(raw.counts)]
        return replace(start, kind="category", levels=tuple(sort_levels(dict.fromkeys(used)))), []
    if raw.mixed:
        raise DataError(
            "target-mixed", "Unknown label type: labels are words and numbers mixed", where, "Make all labels text."
        )
    return _infer_words(start, raw, where)


def _infer_numbers(start: Rule, raw: Raw, where: str) -> tuple[Rule, list[Finding]]:
    """Numbers; a few whole ones that float64 would take for one another are labels."""
    found = large_integers(raw.values, where)
    if found:
        _, values = raw.distinct
        if len(values) == 2 or len(values) <= min(MANY, len(raw) / ROWS_OF_LABEL):
            return replace(start, kind="category", levels=tuple(sorted(values))), []
    return start, found


def _refuse_infinite(values: AnyArray, where: str) -> None:
    rows = np.flatnonzero(np.isinf(values)) if values.dtype.kind == "f" else ()
    if len(rows):
        shown = shorten([str(row) for row in rows], 5)
        raise DataError(
            "target-infinite", f"Input y contains infinity in {len(rows)} rows", f"{where}, rows {shown}", "Drop them."
        )


def _infer_words(start: Rule, raw: Raw, where: str) -> tuple[Rule, list[Finding]]:
    _, values = raw.distinct
    if len(values) > MANY:
        rule, found = infer(start.name, start.label, raw, role=True)
        fractions = any(not number(text, rule.style or ".").is_integer() for text in values[:1000])
        if rule.kind == "numeric" and fractions:
            return replace(rule, literal=True), found
        if rule.kind == "text" or (rule.kind == "datetime" and date_format(values[:100])[0]):
            return replace(rule, literal=True), found
    rule = replace(start, kind="category", origin="str", levels=tuple(sorted(values)))
    return rule, _variants(values, where)


def _variants(values: Sequence[str], where: str) -> list[Finding]:
    """Labels that differ only in case or in blanks around them."""
    seen: dict[str, list[str]] = {}
    for text in values:
        seen.setdefault(text.strip().casefold(), []).append(text)
    same = [repr(text) for group in seen.values() if len(group) > 1 for text in group]
    if not same:
        return []
    what = f"labels differ only in case or blanks: {shorten(same)}"
    return [Finding("labels-alike", what, where, "kept as different classes")]


def rows_with_target(column: Column) -> tuple[AnyArray | None, list[Finding]]:
    """(n,) booleans of the rows that have a target, None when all have. Raises DataError when most lack it."""
    missing = column.missing()
    count = int(missing.sum())
    if not count:
        return None, []
    where = f"target {column.label!r}"
    if count > MOSTLY * len(column):
        raise DataError(
            "target-mostly-missing",
            f"Input y contains NaN in {count} of {len(column)} rows",
            where,
            "Give a table where most rows have a target.",
        )
    return ~missing, [Finding("target-missing-rows", f"{count} rows have no target", where, "dropped them")]


def weight_rule(name: str, label: Any, raw: Raw) -> tuple[Rule, list[Finding]]:
    """The rule of a weight column. Raises DataError when it holds no numbers."""
    rule, found = infer(name, label, raw, role=True)
    if raw.form == "bool":
        rule = replace(rule, kind="numeric", levels=())
    if rule.kind != "numeric":
        raise DataError("weight-not-numeric", f"weights are {rule.kind}", f"weight {label!r}", "Give numbers.")
    if raw.form == "number" and raw.values.dtype.kind == "f" and np.isinf(raw.values).any():
        raise DataError("weight-infinite", "weights contain infinity", f"weight {label!r}", "Give finite weights.")
    return rule, found


def check_weight(column: Column) -> None:
    """Raises DataError for weights that are missing, negative or all zero."""
    where, values = f"weight {column.label!r}", column.values
    for code, bad, what in (
        ("weight-missing", np.isnan(values), "weights contain NaN"),
        ("weight-negative", values < 0, "weights are negative"),
    ):
        rows = np.flatnonzero(bad)
        if len(rows):
            shown = shorten([str(row) for row in rows], 5)
            raise DataError(code, f"{what} in {len(rows)} rows", f"{where}, rows {shown}", "Give weights of 0 or more.")
    if not values.any():
        raise DataError("weight-zero", "all weights are zero", where, "Give at least one row a positive weight.")


def rows_that_count(column: Column) -> tuple[AnyArray | None, list[Finding]]:
    """(n,) booleans of the rows with a weight above 0, None when all have. Raises DataError as `check_weight` does."""
    check_weight(column)
    idle = column.values == 0
    count = int(idle.sum())
    if not count:
        return None, []
    what = f"{count} rows have weight 0"
    return ~idle, [Finding("weight-zero-rows", what, f"weight {column.label!r}", "dropped them")]


def given_weights(values: Any, n_rows: int) -> FloatArray:
    """(n_rows,) weights given beside a table. Raises DataError as `weight_rule` and `check_weight` do."""
    raw, label = array_column("weight", values)
    check_length(len(raw), n_rows, "sample_weight")
    column = weight_rule("weight", label, raw)[0].column(raw)
    check_weight(column)
    return np.asarray(column.values, dtype=np.float64)


def group_rule(name: str, label: Any, raw: Raw) -> tuple[Rule, list[Finding]]:
    """The rule of a group column: always a category, whatever the values are."""
    start = Rule(name, label, "category", raw.origin)
    if raw.form == "codes":
        return infer(name, label, raw, role=True)
    if raw.form == "bool":
        return replace(start, levels=(False, True)), []
    if raw.form in ("cells", "bytes"):
        raise DataError(
            "groups-nested", "groups are neither numbers nor words", f"groups {label!r}", "Give one value a row."
        )
    _, values = raw.distinct
    if raw.form == "datetime":
        values = [moment_text(seconds) for seconds in values]
    return replace(start, levels=tuple(sort_levels(plain_level(value) for value in values)), literal=True), []
