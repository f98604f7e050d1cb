"""Dates as numbers: calendar parts and elapsed days."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.contract import AnyArray, EncoderPlugin, FitContext, FloatArray, Matrix, Table

_DAY = 86_400.0


class DatetimeParts(EncoderPlugin):
    """Year, month, day, weekday, hour and elapsed days of each date, with mean 0 and deviation 1.

    Scaling keeps days apart in float32 and costs trees nothing. A missing date becomes the mean, with an indicator
    beside it when the training rows miss some.
    """

    name = "datetime-parts"
    kinds = ("datetime",)
    default_for = ("matrix", "columns")

    center: FloatArray
    scale: FloatArray
    gaps: AnyArray

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Learn location and scale of the parts."""
        parts = [_parts(column.values) for column in columns]
        known = [part[~np.isnan(part[:, 0])] for part in parts]
        self.center = np.stack([k.mean(axis=0) if len(k) else np.zeros(k.shape[1]) for k in known])
        scale = np.stack([k.std(axis=0) if len(k) else np.ones(k.shape[1]) for k in known])
        self.scale = np.where(scale > 0, scale, 1.0)
        self.gaps = np.array([len(k) < len(part) for k, part in zip(known, parts, strict=True)])
        return self._scaled(parts)

    def transform(self, columns: Table) -> Matrix:
        """(n, 6 or 7 per column) float32."""
        return self._scaled([_parts(column.values) for column in columns])

    def _scaled(self, parts: list[FloatArray]) -> Matrix:
        blocks: list[Any] = []
        for position, part in enumerate(parts):
            missing = np.isnan(part[:, :1])
            blocks.append(np.where(missing, 0.0, (part - self.center[position]) / self.scale[position]))
            if self.gaps[position]:
                blocks.append(missing)
        return np.concatenate(blocks, axis=1).astype(np.float32)


def _parts(seconds: AnyArray) -> FloatArray:
    """(n, 6) parts of UTC seconds since 1970; NaN in, NaN out."""
    known = ~np.isnan(seconds)
    time = np.where(known, seconds, 0.0)
    days = np.floor(time / _DAY)
    date = days.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    year = month.astype("datetime64[Y]")
    out = np.empty((len(seconds), 6))
    out[:, 0] = year.astype(np.int64) + 1970
    out[:, 1] = (month - year.astype("datetime64[M]")).astype(np.int64) + 1
    out[:, 2] = (date - month.astype("datetime64[D]")).astype(np.int64) + 1
    out[:, 3] = (days + 3) % 7
    out[:, 4] = np.floor((time - days * _DAY) / 3600.0)
    out[:, 5] = time / _DAY
    out[~known] = np.nan
    return out
