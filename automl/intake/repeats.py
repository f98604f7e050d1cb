"""Rows that repeat others: where they are copies, folds validate on what they learn from, and scores look too good."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automl.contract import AnyArray, Column, Finding

FEW_ROWS = 50
SHARE = 0.01
FINE = 0.3
_FIRST = 3
_MIX = np.uint64(0x9E3779B97F4A7C15)
_KINDS = ("numeric", "category", "datetime", "text")


def repeated(columns: Sequence[Column], n_rows: int) -> list[Finding]:
    """A finding when over a hundredth of the rows equal others in all columns, and that is hardly by chance.

    By chance it may be where no column has many values.
    """
    if n_rows < FEW_ROWS or not columns or any(column.kind not in _KINDS for column in columns):
        return []
    if any(_distinct([column]) >= (1 - SHARE) * n_rows for column in columns[:_FIRST]):  # enough for most tables
        return []
    distinct = _distinct(columns)
    if distinct >= (1 - SHARE) * n_rows or not any(_fine(column, distinct) for column in columns):
        return []
    what = f"{n_rows - distinct:,} of {n_rows:,} rows repeat other rows, the target too"
    done = "kept: where they are copies, scores are too good; leave them out, or name what belongs together by groups="
    return [Finding("rows-repeated", what, "", done)]


def _fine(column: Column, distinct: int) -> bool:
    values = column.values
    if column.kind == "text":
        return len(set(values.tolist())) > FINE * distinct
    return len(np.unique(values)) > FINE * distinct


def _distinct(columns: Sequence[Column]) -> int:
    """How many rows differ, by 64 bits that equal rows share, and others hardly ever do."""
    marks = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        marks = (marks ^ _bits(column)) * _MIX
        marks ^= marks >> np.uint64(29)
    return len(np.unique(marks))


def _bits(column: Column) -> AnyArray:
    """(n_rows,) uint64 of the values."""
    if column.kind == "text":
        return np.array([hash(value) for value in column.values.tolist()], dtype=np.int64).view(np.uint64)
    if column.kind == "category":
        return column.values.astype(np.int64).view(np.uint64)
    values = column.values.astype(np.float64) + 0.0  # of two zeros, one
    return np.where(np.isnan(values), np.nan, values).view(np.uint64)
