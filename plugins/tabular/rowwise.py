"""What the three row-wise tasks share: one row, one target, one prediction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from automl.contract import (
    AnyArray,
    Batch,
    Column,
    Combiner,
    DataError,
    FloatArray,
    Fold,
    FoldPlan,
    IntArray,
    Metric,
    OptionError,
    Problem,
    Request,
    Table,
    TaskPlugin,
    Truth,
    role_column,
)

from .scores import CallableMetric
from .splits import group_codes, split
from .stackers import stackers

NOT_FEATURES = ("target", "weight", "groups", "time")


class RowTask(TaskPlugin):
    """A prediction per row, scored against one target column."""

    aliases: Mapping[str, str] = {}

    @abstractmethod
    def codes(self, problem: Problem, column: Column) -> AnyArray:
        """(n,) the target as models learn it: int64 codes or float64 values."""

    @abstractmethod
    def strata(self, problem: Problem, column: Column, plan: FoldPlan) -> IntArray:
        """(n,) codes whose shares every fold should keep."""

    @abstractmethod
    def decode(self, problem: Problem, y: AnyArray, values: FloatArray) -> tuple[Any, Any]:
        """True and predicted targets as a user's metric function expects them."""

    def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Sequence[Fold]:
        return split(problem, table, plan, self.strata(problem, table[problem.roles["target"]], plan))

    def batch(self, problem: Problem, table: Table, rows: IntArray, view: str) -> Batch:
        target = table[problem.roles["target"]].take(rows)
        groups = None
        if "groups" in problem.roles:
            groups = group_codes(table[problem.roles["groups"]])[rows]
        return Batch(None, self.codes(problem, target), weights_of(problem, table, rows), groups)

    def request(
        self,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
        view: str = "",
    ) -> Request:
        return Request(np.arange(len(table), dtype=np.int64) if rows is None else rows)

    def truth(self, problem: Problem, table: Table, rows: IntArray) -> Truth | None:
        target = table[problem.roles["target"]].take(rows)
        return Truth(self.codes(problem, target), weights_of(problem, table, rows))

    def combiners(self, problem: Problem) -> Sequence[type[Combiner]]:
        return stackers(problem)

    def metric(self, problem: Problem, wanted: str | Callable[..., float]) -> Metric:
        if isinstance(wanted, str):
            return super().metric(problem, self.aliases.get(wanted, wanted))
        if not callable(wanted):
            raise OptionError(f"metric={wanted!r} is neither a name nor a function")
        if getattr(wanted, "needs_proba", False):
            return CallableMetric(wanted, lambda y, values: (self.decode(problem, y, values)[0], values))
        return CallableMetric(wanted, lambda y, values: self.decode(problem, y, values))


def target_of(table: Table, roles: Mapping[str, Any]) -> Column:
    """The target column. Raises DataError when it is missing or holds objects."""
    column = role_column(table, roles, "target")
    if column.kind in ("object", "image", "text", "datetime"):
        raise DataError(
            "target-kind",
            f"the target holds {column.kind} values",
            repr(column.label),
            "Give labels or numbers, or choose a task for such a target by task=.",
        )
    return column


def feature_names(table: Table, roles: Mapping[str, Any]) -> tuple[str, ...]:
    """Internal names of the columns shown to models: all without a role. Raises DataError when there are none."""
    taken = set()
    for role in roles:
        if role in NOT_FEATURES:
            names = roles[role]
            taken |= {names} if isinstance(names, str) else set(names)
    features = tuple(c.name for c in table if c.name not in taken and c.kind != "object")
    if not features:
        raise DataError(
            "features-none",
            "no column is left to learn from: 0 feature(s)",
            fix="Columns that are constant, duplicated or identifiers are not used; add informative ones.",
        )
    return features


def check_weight(problem_roles: Mapping[str, Any], table: Table) -> None:
    """Raise DataError unless the weights are numbers, at least 0, and not all 0."""
    if "weight" not in problem_roles:
        return
    column = table[problem_roles["weight"]]
    if column.kind != "numeric":
        raise DataError("weight-kind", f"weights are {column.kind}, not numbers", "sample_weight")
    values = column.values
    if np.isnan(values).any() or (values < 0).any() or not (values > 0).any():
        raise DataError(
            "weight-invalid",
            "weights must be finite, at least 0 and not all 0",
            "sample_weight",
            "Give rows that should not count a weight of 0.",
        )


def weights_of(problem: Problem, table: Table, rows: IntArray) -> FloatArray | None:
    """Weights of these rows; None where there are none, as in a table that is only scored."""
    if problem.roles.get("weight") not in table.names:
        return None
    return np.asarray(table[problem.roles["weight"]].values[rows], dtype=np.float64)
