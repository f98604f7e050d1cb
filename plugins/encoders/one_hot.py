"""Categories with few levels as indicator columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, EncoderPlugin, FitContext, IntArray, Matrix, Table

_MAX_LEVELS = 30


class OneHot(EncoderPlugin):
    """One indicator per level that the training rows have, and one for missing values when they have any.

    A value unseen in training becomes all zeros. Columns with more levels than ``max_levels`` (30) are left to others.
    """

    name = "one-hot"
    kinds = ("category",)
    default_for = ("matrix",)
    priority = 10

    slots: IntArray
    starts: IntArray
    width: int

    @classmethod
    def accepts(cls, column: Column, params: dict[str, Any]) -> bool:
        """Categories with few levels."""
        return column.kind == "category" and len(column.levels) <= params.get("max_levels", _MAX_LEVELS)

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Learn which levels occur.

        `slots` maps ``starts[column] + code + 1`` to an output column; the last slot of each column is for codes that
        are out of range, and -1 marks what has no column.
        """
        tables, used = [], 0
        for column in columns:
            codes = np.unique(column.values) + 1
            table = np.full(max(len(column.levels), int(codes.max(initial=0))) + 2, -1, dtype=np.int64)
            table[codes] = used + np.arange(len(codes))
            used += len(codes)
            tables.append(table)
        self.slots = np.concatenate(tables)
        self.starts = np.concatenate([[0], np.cumsum([len(table) for table in tables])]).astype(np.int64)
        self.width = used
        return self.transform(columns)

    def transform(self, columns: Table) -> Matrix:
        """(n, width) float32 of zeros and ones."""
        out = np.zeros((len(columns), self.width), dtype=np.float32)
        rows = np.arange(len(columns))
        for position, column in enumerate(columns):
            last = self.starts[position + 1] - 1
            slot = self.slots[np.minimum(column.values + (self.starts[position] + 1), last)]
            known = slot >= 0
            out[rows[known], slot[known]] = 1.0
        return out
