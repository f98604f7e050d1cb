"""Folds of row-wise tasks: stratified, grouped, forward in time, or the user's own."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, DataError, FloatArray, Fold, FoldPlan, IntArray, Problem, Table

_MANY_GROUPS = 2_000
_BALANCED = 4e7


def split(problem: Problem, table: Table, plan: FoldPlan, strata: IntArray) -> list[Fold]:
    """Folds by the first rule that applies: given, time (and groups), groups, stratified.

    Args:
        strata: (n,) codes whose shares every fold should keep.
    """
    if plan.given is not None:
        return [Fold(np.asarray(train, np.int64), np.asarray(valid, np.int64)) for train, valid in plan.given]
    if "time" in problem.roles:
        folds = forward(time_values(table[problem.roles["time"]]), plan)
        return _apart(folds, group_codes(table[problem.roles["groups"]])) if "groups" in problem.roles else folds
    if "groups" in problem.roles:
        return grouped(group_codes(table[problem.roles["groups"]]), strata, plan)
    return stratified(strata, plan)


def _apart(folds: Sequence[Fold], groups: IntArray) -> list[Fold]:
    """The folds without the training rows of groups that are judged. Raises DataError where none would be left."""
    kept = [Fold(fold.train[~np.isin(groups[fold.train], groups[fold.valid])], fold.valid) for fold in folds]
    if not all(len(fold.train) for fold in kept):
        raise DataError(
            "groups-recur",
            "every group of the past recurs later: no row is left to learn from",
            "groups and time",
            "Give either groups or time.",
        )
    return kept


def stratified(strata: IntArray, plan: FoldPlan) -> list[Fold]:
    """Shuffled folds with equal shares of every stratum; a stratum with one row is always learnt from."""
    rng = np.random.default_rng(plan.seed)
    n_bins = plan.n_folds if plan.n_folds > 1 else max(2, round(1 / plan.holdout))
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    bins = np.empty(len(strata), dtype=np.int64)
    bins[order] = np.arange(len(strata)) % n_bins
    sizes = np.bincount(strata - strata.min())
    bins[sizes[strata - strata.min()] < 2] = -1
    return _folds(bins, range(n_bins if plan.n_folds > 1 else 1))


def grouped(groups: IntArray, strata: IntArray, plan: FoldPlan) -> list[Fold]:
    """Folds in which a group is never on both sides; shares of strata kept where possible. Raises DataError."""
    from sklearn.model_selection import StratifiedGroupKFold

    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise DataError("groups-one", "all rows are in one group", "groups", "Give at least two groups, or none.")
    n_bins = min(plan.n_folds if plan.n_folds > 1 else max(2, round(1 / plan.holdout)), n_groups)
    if n_groups > _MANY_GROUPS:
        return _folds(_filled(groups, n_bins, plan.seed), range(n_bins if plan.n_folds > 1 else 1))
    bins = np.zeros(len(groups), dtype=np.int64)
    strata = _coarser(strata, max(20, int(_BALANCED / (n_groups * n_bins))))
    splitter = StratifiedGroupKFold(n_bins, shuffle=True, random_state=plan.seed)
    few = np.bincount(strata - strata.min())[strata - strata.min()] < n_bins
    steady = np.where(few, strata.max() + 1, strata)
    if few.all() or few.sum() < n_bins:
        steady = np.where(few, strata.min(), strata) if not few.all() else np.zeros_like(strata)
    for number, (_, valid) in enumerate(splitter.split(np.zeros(len(groups)), steady, groups)):
        bins[valid] = number
    return _folds(bins, range(n_bins if plan.n_folds > 1 else 1))


def _coarser(strata: IntArray, most: int) -> IntArray:
    """(n,) neighbouring strata joined, where there are more: balancing takes groups x bins x strata."""
    codes = np.unique(strata, return_inverse=True)[1].astype(np.int64)
    count = int(codes.max(initial=0)) + 1
    return strata if count <= most else codes * most // count


def _filled(groups: IntArray, n_bins: int, seed: int) -> IntArray:
    """(n,) bins of about equal size: each group, the largest first, goes where there are fewest rows.

    For so many groups that strata come out about even by themselves; balancing them takes half a millisecond a group.
    """
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = [(0, bin_) for bin_ in range(n_bins)]
    place = np.zeros(len(sizes), dtype=np.int64)
    for group in order.tolist():
        rows, bin_ = filled[0]
        place[group] = bin_
        heapq.heapreplace(filled, (rows + int(sizes[group]), bin_))
    return np.asarray(place[groups], dtype=np.int64)


def forward(times: FloatArray, plan: FoldPlan) -> list[Fold]:
    """Folds that learn from the past and validate on what follows; a moment is never on both sides."""
    moments, codes = np.unique(times, return_inverse=True)
    if len(moments) < 2:
        raise DataError("time-constant", "all rows have the same time", "time", "Leave the time column out.")
    if plan.n_folds == 1:
        cuts: Sequence[float] = [1.0 - plan.holdout, 1.0]
    else:
        cuts = np.linspace(0, 1, plan.n_folds + 2)[1:].tolist()
    shares = np.cumsum(np.bincount(codes)) / len(codes)
    ends = sorted({int(np.searchsorted(shares, cut - 1e-9)) for cut in cuts} | {len(moments) - 1})
    if len(ends) == 1:
        ends = [len(moments) - 2, *ends]
    rows = np.arange(len(codes), dtype=np.int64)
    pairs = itertools.pairwise(ends)
    return [Fold(rows[codes <= early], rows[(codes > early) & (codes <= late)]) for early, late in pairs]


def quantile_strata(values: FloatArray, plan: FoldPlan) -> IntArray:
    """(n,) codes of neighbouring target values, so that every fold sees the whole range."""
    size = max(2, plan.n_folds) * 4
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    strata = ranks // size
    strata[strata == strata.max()] = max(0, int(strata.max()) - 1)
    return np.asarray(strata, dtype=np.int64)


def time_values(column: Column) -> FloatArray:
    """(n,) numbers in the order of time. Raises DataError for a column that has no order or misses values."""
    if column.kind not in ("datetime", "numeric"):
        raise DataError(
            "time-unordered", f"its kind is {column.kind}", repr(column.label), "Give dates, timestamps or numbers."
        )
    if column.missing().any():
        rows = np.flatnonzero(column.missing())[:5].tolist()
        raise DataError("time-missing", f"rows {rows} have no time", repr(column.label), "Fill or drop these rows.")
    return np.asarray(column.values, dtype=np.float64)


def group_codes(column: Column) -> IntArray:
    """(n,) int64 group numbers; missing values are one group of their own."""
    if column.kind == "category":
        return np.asarray(column.values, dtype=np.int64) + 1
    values: AnyArray = column.values
    if column.kind in ("numeric", "datetime"):
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    keys: dict[Any, int] = {}
    return np.array([keys.setdefault(value, len(keys)) for value in values.tolist()], dtype=np.int64)


def _folds(bins: IntArray, numbers: range) -> list[Fold]:
    rows = np.arange(len(bins), dtype=np.int64)
    folds = [Fold(rows[bins != number], rows[bins == number]) for number in numbers]
    return [fold for fold in folds if len(fold.valid) and len(fold.train)]
