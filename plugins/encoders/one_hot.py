"""Categories with few levels as indicator columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, EncoderPlugin, Feature, FitContext, IntArray, Matrix, Table

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
        slot = self.slots[np.minimum(columns.codes + (self.starts[:-1] + 1), self.starts[1:] - 1)]
        rows, positions = np.nonzero(slot >= 0)
        out[rows, slot[rows, positions]] = 1.0
        return out

    def describe(self, columns: Table) -> list[Feature]:
        """One level, or the gap, each."""
        found: dict[int, Feature] = {}
        for column, start in zip(columns, self.starts, strict=False):
            for code in range(-1, len(column.levels)):
                slot = int(self.slots[start + code + 1])
                if slot >= 0 and code < 0:
                    found[slot] = Feature(column.label, "gap")
                elif slot >= 0:
                    found[slot] = Feature(
                        column.label, "levels", levels=(column.levels[code],), values=(1.0,), missing=0.0
                    )
        return [found[slot] for slot in range(self.width)]
