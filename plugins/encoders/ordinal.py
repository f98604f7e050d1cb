"""Categories as their codes."""

from __future__ import annotations

import numpy as np

from automl.contract import AnyArray, EncoderPlugin, Feature, FitContext, Matrix, Table


class OrdinalCodes(EncoderPlugin):
    """The code of each category as a number, -1 where missing; for models that split on values, such as trees."""

    name = "ordinal-codes"
    kinds = ("category",)
    stateless = True

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Nothing to learn."""
        return self.transform(columns)

    def transform(self, columns: Table) -> Matrix:
        """(n, n_columns) float32."""
        return np.stack([column.values for column in columns], axis=1).astype(np.float32)

    def describe(self, columns: Table) -> list[Feature]:
        """Levels by their codes."""
        return [
            Feature(c.label, "levels", levels=c.levels, values=tuple(range(len(c.levels))), other=-1.0, missing=-1.0)
            for c in columns
        ]
