"""Dates as numbers: calendar parts, elapsed days, and days between two dates of a row."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, EncoderPlugin, Feature, FitContext, FloatArray, Matrix, Table

from .scaling import BEND, bent, robust

_DAY = 86_400.0
_PAIRED = 4
_PARTS = ("year", "month", "day", "weekday (0 = Monday)", "hour (UTC)", "days since 1970")


class DatetimeParts(EncoderPlugin):
    """Year, month, day, weekday, hour and elapsed days of each date, then the days between any two of the first four.

    Parts have about mean 0 and deviation 1, which keeps days apart in float32 and costs trees nothing. A missing date
    becomes about the mean, with an indicator beside it when the training rows miss some. Days between two dates are
    scaled and bent as `scaled-numeric` does it with numbers. Location and scale are rounded, so that nearly all folds
    of a run agree on them, and their models answer together.
    """

    name = "datetime-parts"
    kinds = ("datetime",)
    default_for = ("matrix", "columns")

    center: FloatArray
    scale: FloatArray
    gaps: AnyArray
    middle: FloatArray
    spread: FloatArray

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Learn location and scale of the parts."""
        parts = [_parts(column) for column in columns]
        known = [part[~np.isnan(part[:, 0])] for part in parts]
        centers = np.stack([k.mean(axis=0) if len(k) else np.zeros(k.shape[1]) for k in known])
        scales = np.stack([k.std(axis=0) if len(k) else np.ones(k.shape[1]) for k in known])
        self.center, self.scale = _rounded(centers, scales)
        self.gaps = np.array([len(k) < len(part) for k, part in zip(known, parts, strict=True)])
        between = _between(columns)
        self.middle, self.spread = _rounded(*robust(between))
        return self._scaled(parts, between)

    def transform(self, columns: Table) -> Matrix:
        """(n, 6 or 7 per column, and 1 per pair) float32."""
        return self._scaled([_parts(column) for column in columns], _between(columns))

    def describe(self, columns: Table) -> list[Feature]:
        """The parts of each date, then its gaps; in the end the pairs."""
        found = []
        for column, centers, scales, gaps in zip(columns, self.center, self.scale, self.gaps, strict=True):
            for part, center, scale in zip(_PARTS, centers.tolist(), scales.tolist(), strict=True):
                found.append(Feature(column.label, part=part, center=center, scale=scale, missing=0.0))
            found += [Feature(column.label, "gap")] if gaps else []
        pairs = zip(_pairs(columns), self.middle.tolist(), self.spread.tolist(), strict=True)
        for (first, second), center, scale in pairs:
            part = f"days since {first.label!r}"
            found.append(Feature(second.label, part=part, center=center, scale=scale, bend=BEND, missing=0.0))
        return found

    def _scaled(self, parts: list[FloatArray], between: FloatArray) -> Matrix:
        blocks: list[Any] = []
        for position, part in enumerate(parts):
            missing = np.isnan(part[:, :1])
            blocks.append(np.where(missing, 0.0, (part - self.center[position]) / self.scale[position]))
            if self.gaps[position]:
                blocks.append(missing)
        blocks.append(bent(between, self.middle, self.spread))
        return np.concatenate(blocks, axis=1).astype(np.float32)


def _rounded(center: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The nearest power of two as scale, 1 for none, and the nearest multiple of it as location."""
    scale = np.exp2(np.round(np.log2(np.where(scale > 0, scale, 1.0))))
    return np.round(center / scale) * scale, scale


def _pairs(columns: Table) -> list[tuple[Column, Column]]:
    """Any two of the first dates."""
    return list(combinations(columns.columns[:_PAIRED], 2))


def _between(columns: Table) -> FloatArray:
    """(n, pairs) days from the first date of each pair to the second."""
    out = np.empty((len(columns), len(_pairs(columns))))
    for position, (first, second) in enumerate(_pairs(columns)):
        out[:, position] = (second.values - first.values) / _DAY
    return out


def _parts(column: Column) -> FloatArray:
    """(n, 6) parts of dates, read-only; NaN where missing."""
    found: FloatArray = column.derived("calendar", lambda dates: _calendar(dates.values))
    return found


def _calendar(seconds: AnyArray) -> FloatArray:
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
