"""Numbers on one scale, with outliers bent in and gaps filled: for linear models, networks and distances."""

from __future__ import annotations

import numpy as np

from automl.contract import AnyArray, EncoderPlugin, FitContext, FloatArray, IntArray, Matrix, Table

_BEND, _FAR = 3.0, 1e6
_INDICATED_SHARE = 0.01


class ScaledNumeric(EncoderPlugin):
    """Median and interquartile range to 0 and 1, then x / sqrt(1 + (x / 3)^2); missing becomes 0, the median.

    A column whose quartiles coincide is scaled by its range. Columns that miss more than 1 % of the training rows get
    an indicator column, after all the others.
    """

    name = "scaled-numeric"
    kinds = ("numeric",)
    default_for = ("matrix",)

    center: FloatArray
    scale: FloatArray
    indicated: IntArray

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Learn location and scale of each column."""
        values = _stack(columns)
        missing = np.isnan(values)
        spread = np.zeros((5, values.shape[1]))
        for position in range(values.shape[1]):
            known = values[~missing[:, position], position]
            if len(known):
                spread[:, position] = np.quantile(known, [0.0, 0.25, 0.5, 0.75, 1.0])
        low, q1, self.center, q3, high = spread
        scale = np.where(q3 > q1, (q3 - q1) / 1.35, (high - low) / 2)
        self.scale = np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)
        self.indicated = np.flatnonzero(missing.mean(axis=0) > _INDICATED_SHARE)
        return self._scaled(values)

    def transform(self, columns: Table) -> Matrix:
        """(n, n_columns + indicators) float32."""
        return self._scaled(_stack(columns))

    def _scaled(self, values: FloatArray) -> Matrix:
        missing = np.isnan(values)
        scaled = np.clip((values - self.center) / self.scale, -_FAR, _FAR)
        scaled /= np.sqrt(1.0 + np.square(scaled / _BEND))
        scaled[missing] = 0.0
        if len(self.indicated):
            scaled = np.concatenate([scaled, missing[:, self.indicated]], axis=1)
        return scaled.astype(np.float32)


def _stack(columns: Table) -> FloatArray:
    """(n, n_columns) float64."""
    out = np.empty((len(columns), len(columns.columns)))
    for position, column in enumerate(columns):
        out[:, position] = column.values
    return out
