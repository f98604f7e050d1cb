"""Numbers on one scale, with outliers bent in and gaps filled: for linear models, networks and distances."""

from __future__ import annotations

import numpy as np

from automl.contract import AnyArray, EncoderPlugin, Feature, FitContext, FloatArray, IntArray, Matrix, Table

BEND, _FAR = 3.0, 1e6
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
        values = columns.floats
        self.center, self.scale = robust(values)
        self.indicated = np.flatnonzero(np.isnan(values).mean(axis=0) > _INDICATED_SHARE)
        return self._scaled(values)

    def transform(self, columns: Table) -> Matrix:
        """(n, n_columns + indicators) float32."""
        return self._scaled(columns.floats)

    def describe(self, columns: Table) -> list[Feature]:
        """Numbers, bent; then the gaps."""
        scaled = [
            Feature(column.label, center=float(center), scale=float(scale), bend=BEND, missing=0.0)
            for column, center, scale in zip(columns, self.center, self.scale, strict=True)
        ]
        return scaled + [Feature(columns.columns[i].label, "gap") for i in self.indicated]

    def _scaled(self, values: FloatArray) -> Matrix:
        scaled = bent(values, self.center, self.scale)
        if len(self.indicated):
            scaled = np.concatenate([scaled, np.isnan(values[:, self.indicated])], axis=1)
        return scaled.astype(np.float32)


def robust(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(d,) medians of the columns, and (d,) spreads: of normal values, their deviation."""
    spread = np.zeros((5, values.shape[1]))
    for position, column in enumerate(values.T):
        known = column[~np.isnan(column)]
        if len(known):
            spread[:, position] = np.quantile(known, [0.0, 0.25, 0.5, 0.75, 1.0])
    low, q1, center, q3, high = spread
    scale = np.where(q3 > q1, (q3 - q1) / 1.35, (high - low) / 2)
    return center, np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)


def bent(values: FloatArray, center: FloatArray, scale: FloatArray) -> FloatArray:
    """(n, d) scaled values within -3 and 3, 0 where missing."""
    scaled = np.clip((values - center) / scale, -_FAR, _FAR)
    scaled /= np.sqrt(1.0 + np.square(scaled / BEND))
    scaled[np.isnan(values)] = 0.0
    return np.asarray(scaled)
