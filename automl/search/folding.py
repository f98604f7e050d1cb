"""How many folds, and how many times over: more for little data, fewer when one fit is dear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.contract import (
    Facts,
    Finding,
    Fold,
    FoldPlan,
    OptionError,
    PluginError,
    Problem,
    Table,
    TaskPlugin,
)
from automl.search.families import TABULAR_VIEWS, Family
from automl.search.settings import Settings

_ROWS_TO_FOLDS = ((5_000, 8), (20_000, 5), (50_000, 4), (200_000, 3))
_HOLDOUT_ROWS, _HOLDOUT_SHARES = 30_000, (0.03, 0.15)
_DEAR = 0.05
_SPLIT, _HELD_OUT_ROWS = 5, 10_000
_ALIKE = 0.7


@dataclass(frozen=True)
class Folding:
    """The folds of a run: `repeats` times the same number, each time shuffled anew, as a user may want.

    A trial is complete after the first repeat; the others are for what turns out to be good. Of folds of
    our own there is one: on 13 sets of fewer than 2,000 rows, more made errors 1 to 2 % larger in twice the time.

    in_time: some folds know but the distant past, or far fewer rows: the first alone answers until the members have
        learnt all rows.
    """

    folds: tuple[Fold, ...]
    repeats: int
    in_time: bool = False

    @property
    def judged(self) -> int:
        """Folds of one repeat."""
        return len(self.folds) // self.repeats

    def narrowed(self, folds: int) -> Folding:
        """The first so many folds, once."""
        return replace(self, folds=self.folds[:folds], repeats=1)

    def unseen(self, n_rows: int) -> float:
        """Share of so many rows that a model of the first fold does not learn from."""
        return 1.0 - len(self.folds[0].train) / n_rows

    @property
    def deployed(self) -> int:
        """How many of the first folds keep their models for predicting: those of one repeat, to answer fast."""
        return self.judged


def fewer_folds(wanted: int, folds: int) -> Finding:
    """What a user is told when only the first so many count."""
    what = f"no model can be fitted on all {wanted} folds in time"
    return Finding("fewer-folds", what, done=f"models are judged on the first {folds}; give a longer time_limit")


def make_folds(
    task: TaskPlugin,
    problem: Problem,
    table: Table,
    facts: Facts,
    contenders: Sequence[Family],
    settings: Settings,
    given: Any = None,
) -> Folding:
    """The task's folds for the plan that size, cost and the user's own folds allow.

    Raises OptionError when the user's folds cannot be used.
    """
    if given is not None:
        pairs = given_folds(given, len(table), *_targets_and_groups(task, problem, table))
        own = task.folds(problem, table, FoldPlan(len(pairs), seed=settings.seed, given=pairs))
        return _as_given(_latest_first(task, problem, table, own), in_time(task, problem))
    count, used = fold_count(len(table), facts, contenders, settings)
    plan = FoldPlan(count, holdout=_holdout(len(table)), seed=settings.seed)
    folds = _latest_first(task, problem, table, task.folds(problem, table, plan))[:used]
    if not folds:
        raise OptionError("the task made no folds from this data; give more rows or your own folds=")
    _check_roles_kept(task, problem, table, folds)
    return Folding(tuple(folds), 1, in_time(task, problem))


def _as_given(folds: Sequence[Fold], in_time: bool) -> Folding:
    """The user's folds, those that learn from most rows first where they differ much.

    Folds that go through the same rows several times are repeats. Of others that overlap, each row is validated on
    where it comes first: what is learnt from a row's predictions must not have been learnt from the row.
    """
    sizes = [len(fold.train) for fold in folds]
    growing = min(sizes) < _ALIKE * max(sizes)
    if growing:
        folds = sorted(folds, key=lambda fold: -len(fold.train))
    blocks: list[list[Fold]] = [[]]
    for fold in folds:
        if any(len(np.intersect1d(fold.valid, other.valid)) for other in blocks[-1]):
            blocks.append([])
        blocks[-1].append(fold)
    covered = [set(np.concatenate([fold.valid for fold in block]).tolist()) for block in blocks]
    if len({len(block) for block in blocks}) == 1 and all(rows == covered[0] for rows in covered):
        return Folding(tuple(folds), len(blocks), in_time or growing)
    seen, once = np.zeros(0, dtype=np.int64), []
    for fold in folds:
        fresh = np.setdiff1d(fold.valid, seen)
        seen = np.union1d(seen, fresh)
        if len(fresh):
            once.append(replace(fold, valid=fresh))
    return Folding(tuple(once), 1, in_time or growing)


def in_time(task: TaskPlugin, problem: Problem) -> bool:
    """Are rows learnt from in the order of a time? Then the models of early folds know but the distant past."""
    return isinstance(problem.roles.get("time"), str) and "time" not in task.roles


def _latest_first(task: TaskPlugin, problem: Problem, table: Table, folds: Sequence[Fold]) -> list[Fold]:
    """Where rows have a time, the folds that learn from most of the past come first: where only some count, these do.

    A task that declares the role itself gives it a meaning of its own: its order is kept.
    """
    name = problem.roles.get("time")
    if not isinstance(name, str) or not in_time(task, problem) or table[name].kind not in ("numeric", "datetime"):
        return list(folds)
    return sorted(folds, key=lambda fold: -float(np.max(table[name].values[fold.valid], initial=-np.inf)))


def _holdout(n_rows: int) -> float:
    """Share of the rows to validate on when there is one fold: enough to tell models apart, and no more."""
    return float(np.clip(_HOLDOUT_ROWS / n_rows, *_HOLDOUT_SHARES))


def _check_roles_kept(task: TaskPlugin, problem: Problem, table: Table, folds: Sequence[Fold]) -> None:
    """Raise PluginError when a task's folds split a group or validate on the past: its scores would be too good.

    A task that declares the role itself gives it a meaning of its own, such as the order of each user's events.
    """
    remedy = "leave the role out, or pass folds= of your own"
    for role in ("groups", "time"):
        name = problem.roles.get(role)
        if not isinstance(name, str) or role in task.roles:
            continue
        column = table[name]
        values = column.values if column.kind != "object" else np.array([str(v) for v in column.values])
        for fold in folds:
            train, valid = values[fold.train], values[fold.valid]
            if role == "groups" and set(train.tolist()) & set(valid.tolist()):
                raise PluginError(f"task {task.name!r} puts rows of one group on both sides of a fold; {remedy}")
            if role == "time" and column.kind in ("numeric", "datetime") and train.max() > valid.min():
                raise PluginError(f"task {task.name!r} validates on rows older than those it learns from; {remedy}")


def _targets_and_groups(task: TaskPlugin, problem: Problem, table: Table) -> tuple[Any, Any]:
    """What a splitter may ask for: (n,) targets and (n,) groups, or None."""
    if TABULAR_VIEWS[0] not in task.views:
        return None, None
    batch = task.batch(problem, table, np.arange(len(table), dtype=np.int64), TABULAR_VIEWS[0])
    return batch.y, batch.groups


def fold_count(n_rows: int, facts: Facts, contenders: Sequence[Family], settings: Settings) -> tuple[int, int]:
    """Folds to split into by size, and how many of them are used: as many as the preset says, or as time allows.

    The first candidates of all families together should take no more than the time, of which they get about half, since
    most are given up after a fold. Below three folds, models still learn from four fifths of little data; much data has
    a held-out part instead, which costs least, from below four.
    """
    if settings.preset.folds is not None:
        count = min(settings.preset.folds, max(2, n_rows // 2))
        return count, count
    count = next((k for rows, k in _ROWS_TO_FOLDS if n_rows <= rows), 1)
    count = min(count, settings.preset.max_folds, max(2, n_rows // 2))
    if not settings.clocked:
        return min(count, 5), min(count, 5)
    time = settings.seconds * settings.slots
    cost = sum(min(_DEAR * time, settings.slowness * family.cost(facts, family.points[0])) for family in contenders)
    fewest = min(4 if n_rows >= _HELD_OUT_ROWS else 2, count)
    for used in sorted({count, 5, 4, 3, 2}, reverse=True):
        if fewest <= used <= count and used * cost <= time:
            return (min(_SPLIT, count), used) if used == 2 else (used, used)
    return 1, 1


def given_folds(given: Any, n_rows: int, y: Any = None, groups: Any = None) -> tuple[tuple[Any, Any], ...]:
    """The user's folds as (train, valid) row numbers.

    Args:
        given: a list of (train, valid) row numbers; an (n,) array with a fold number for every row (negative: never
            validated on); or a scikit-learn splitter, which is given `y` and `groups`.

    Raises OptionError saying what is wrong.
    """
    out = []
    for train, valid in _pairs(given, n_rows, y, groups):
        train, valid = _row_numbers(train), _row_numbers(valid)
        both = np.concatenate([train, valid])
        if not len(train) or not len(valid) or both.min() < 0 or both.max() >= n_rows:
            raise OptionError(f"folds: a fold is empty or has rows outside 0…{n_rows - 1}")
        if len(np.intersect1d(train, valid)):
            raise OptionError("folds: one validates on rows that it learns from; make the two sides disjoint")
        out.append((train, valid))
    if not out:
        raise OptionError("folds is empty; give at least one (train, valid) pair")
    return tuple(out)


def _pairs(given: Any, n_rows: int, y: Any, groups: Any) -> list[tuple[Any, Any]]:
    """Any of the three forms as pairs. Raises OptionError."""
    if hasattr(given, "split") and not isinstance(given, str):
        try:
            return list(given.split(np.zeros((n_rows, 1)), y, groups))
        except (TypeError, ValueError) as error:
            raise OptionError(f"folds={given!r} cannot split this data: {error}") from error
    if isinstance(given, list | tuple) and all(isinstance(p, list | tuple) and len(p) == 2 for p in given):
        return list(given)
    numbers = np.asarray(given)
    if numbers.shape != (n_rows,) or numbers.dtype.kind not in "iuf":
        raise OptionError(
            f"folds is an array of {numbers.dtype} of shape {numbers.shape}; give one fold number for each of the "
            f"{n_rows} rows, (train, valid) pairs of row numbers, or a splitter"
        )
    rows = np.arange(n_rows)
    return [(rows[numbers != k], rows[numbers == k]) for k in np.unique(numbers) if k >= 0]


def _row_numbers(rows: Any) -> Any:
    """(m,) int64. Raises OptionError for what is no row number, such as a mask."""
    numbers = np.asarray(rows)
    if numbers.ndim != 1 or (len(numbers) and numbers.dtype.kind not in "iu"):
        raise OptionError(
            f"folds holds {numbers.dtype} values of shape {numbers.shape}; give row numbers, counted from 0"
        )
    return numbers.astype(np.int64)


def training_rows(folding: Folding) -> int:
    """Rows of a typical training fold."""
    return math.ceil(sum(len(fold.train) for fold in folding.folds) / len(folding.folds))
