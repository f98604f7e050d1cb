"""Additive models as tables: one effect per column and bin, looked up and summed.

symbol    meaning
d         columns
B_j       bins of column j: between its edges, or its levels; one more after them is for missing and unseen
M         sum of B_j + 1
S         scores
edges     (sum of B_j - 1 over the numeric columns,) rising within a column; bin i holds edge i - 1 < x <= edge i
cuts      (d + 1,) where a column's edges begin; categories have none
levels    (d,) number of levels of a category, -1 for a number
starts    (d + 1,) where a column's bins begin in `effects`
effects   (M, S) what to add to `base`, (S,); over the training rows the mean of each column's is 0
share     (M,) of the training rows
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from automl.contract import AnyArray, Column, Feature, FloatArray, IntArray, Levels, Steps, Table

Shapes = dict[str, AnyArray]
_DECIMALS, _BLUR = 5, 1e-6


@dataclass(frozen=True)
class Stump:
    """A tree with two leaves: rows up to `bound`, or with a code in `codes`, get `inside`, all others `outside`.

    `strays` is for missing numbers. `score` tells to which of the S scores it adds.
    """

    column: int
    score: int
    inside: float
    outside: float
    bound: float = math.nan
    codes: tuple[int, ...] = ()
    strays: float = 0.0


def tabulate(stumps: Sequence[Stump], base: FloatArray, X: Table, weight: FloatArray | None) -> Shapes:
    """The tables that add up stumps. Edges are as round as the training rows, of which X has the columns, allow.

    Where no training row misses a value, a missing or unseen one counts as the average.
    """
    bounds: list[set[float]] = [set() for _ in X.columns]
    for stump in stumps:
        if not math.isnan(stump.bound):
            bounds[stump.column].add(stump.bound)
    edges = [np.array(sorted(found)) for found in bounds]
    levels = np.array([len(c.levels) if c.kind == "category" else -1 for c in X], dtype=np.int64)
    bins = np.where(levels >= 0, levels, np.array([len(e) + 1 for e in edges], dtype=np.int64))
    shapes: Shapes = {
        "edges": np.concatenate([np.zeros(0), *edges]),
        "cuts": np.cumsum([0, *map(len, edges)]),
        "levels": levels,
        "starts": np.cumsum([0, *(bins + 1)]),
        "base": np.array(base, dtype=np.float64),
    }
    shapes["effects"] = np.zeros((int(shapes["starts"][-1]), len(base)))
    for stump in stumps:
        _add(shapes, stump)
    shapes["edges"] = np.concatenate([np.zeros(0), *(_placed(e, c) for e, c in zip(edges, X, strict=True))])
    _center(shapes, X, weight)
    return shapes


def scores(shapes: Shapes, X: Table) -> FloatArray:
    """(u, S) sums of the effects and the base."""
    total = np.tile(shapes["base"], (len(X), 1))
    for j, column in enumerate(X):
        if shapes["starts"][j + 1] - shapes["starts"][j] > 2 or shapes["levels"][j] >= 0:
            total += shapes["effects"].take(_bins(shapes, j, column), axis=0)
    return total


def terms(shapes: Shapes, features: Sequence[Feature], scale: float = 1.0) -> Iterator[Steps | Levels]:
    """The effects of every column that has any, times `scale`, in the caller's words and units."""
    for j, feature in enumerate(features):
        start, stop = shapes["starts"][j : j + 2]
        effects, share = scale * shapes["effects"][start:stop], shapes["share"][start:stop]
        if not effects.any():
            continue
        known, last = effects[:-1], effects[-1]
        if feature.kind == "levels":
            yield Levels(feature.column, feature.part, feature.levels, known, last, last, share[:-1])
        elif feature.kind == "gap":
            yield Levels(feature.column, feature.part, (), known[:0], known[0], known[-1])
        else:
            own = shapes["edges"][slice(*shapes["cuts"][j : j + 2])]
            if not math.isnan(feature.missing):  # the encoder fills gaps
                last = known[np.searchsorted(own, feature.missing)]
            edges = feature.center + feature.scale * own
            if feature.scale != 1.0:
                edges = edges.round(_DECIMALS - math.ceil(math.log10(feature.scale)))  # what float32 has blurred
            yield Steps(feature.column, feature.part, edges, known, last, share[:-1])


def _bins(shapes: Shapes, j: int, column: Column) -> IntArray:
    """(u,) rows of `effects` for a column's values."""
    last = int(shapes["starts"][j + 1] - shapes["starts"][j] - 1)
    values, n_levels = column.values, int(shapes["levels"][j])
    if n_levels >= 0:
        found = np.where((values >= 0) & (values < n_levels), values, last)
    else:
        found = np.searchsorted(shapes["edges"][slice(*shapes["cuts"][j : j + 2])], values, side="left")
        found = np.where(np.isnan(values), last, found)
    return np.asarray(shapes["starts"][j] + found, dtype=np.int64)


def _add(shapes: Shapes, stump: Stump) -> None:
    j = stump.column
    effects = shapes["effects"][shapes["starts"][j] : shapes["starts"][j + 1], stump.score]
    if math.isnan(stump.bound):
        inside = np.zeros(len(effects), dtype=bool)
        inside[[code for code in stump.codes if code < len(effects) - 1]] = True
        effects += np.where(inside, stump.inside, stump.outside)
        return
    edges = shapes["edges"][slice(*shapes["cuts"][j : j + 2])]
    place = int(np.searchsorted(edges, stump.bound))
    effects[: place + 1] += stump.inside
    effects[place + 1 : -1] += stump.outside
    effects[-1] += stump.strays


def _center(shapes: Shapes, X: Table, weight: FloatArray | None) -> None:
    """Move each column's mean effect over the training rows to the base."""
    shapes["share"] = np.zeros(len(shapes["effects"]))
    for j, column in enumerate(X):
        start, stop = shapes["starts"][j : j + 2]
        counts = np.bincount(_bins(shapes, j, column) - start, weight, stop - start)
        share, effects = counts / counts.sum(), shapes["effects"][start:stop]
        mean = share @ effects
        effects -= mean
        shapes["base"] += mean
        if share[-1] == 0:
            effects[-1] = 0.0
        shapes["share"][start:stop] = share


def _placed(edges: FloatArray, column: Column) -> FloatArray:
    """Edges between the same training values: round numbers for the caller's own, the middle for an encoder's.

    A middle is so far up that a value which float32 has blurred, and which lies there exactly, is below it.
    """
    gaps = neighbours(edges, column.values)
    if column.origin:
        return np.array([roundest(low, high) for low, high in gaps.tolist()], dtype=np.float64)
    middle = gaps.mean(axis=1)
    out: FloatArray = np.minimum(middle + _BLUR * (1.0 + np.abs(middle)), 0.75 * gaps[:, 1] + 0.25 * gaps[:, 0])
    return out


def neighbours(edges: AnyArray, values: AnyArray) -> FloatArray:
    """(edges, 2) the largest of `values` (n,) at or below each edge and the smallest above; the edge where none is.

    Comparisons are those of float32, as trees make them.
    """
    values = np.unique(values[~np.isnan(values)])
    places = np.searchsorted(values.astype(np.float32), edges, side="right")
    low = [float(values[p - 1]) if p else float(edge) for edge, p in zip(edges, places, strict=True)]
    high = [float(values[p]) if p < len(values) else float(edge) for edge, p in zip(edges, places, strict=True)]
    return np.stack([np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)], axis=1)


def roundest(low: float, high: float) -> float:
    """A number of few digits that is at least `low` and below `high`; `low` where there is none."""
    middle = low + 0.5 * (high - low)
    rounded = (float(f"{middle:.{digits}g}") for digits in range(1, 17))
    return next((number for number in rounded if low <= number < high), low)
