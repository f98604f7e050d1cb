"""What flows between a task, the engine and a model.

symbol    meaning
n         rows of the table
u         units: what one prediction is about (a row, a user, a picture, a sentence)
K         outputs: classes for class_proba, values for real
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from automl.contract.arrays import AnyArray, FloatArray, IntArray


@dataclass(frozen=True)
class Finding:
    """Something noticed in the data that did not stop the run: `code`, `what`, `where`, and what was done about it."""

    code: str
    what: str
    where: str = ""
    done: str = ""


@dataclass(frozen=True)
class Problem:
    """What a task learnt from the rows it may learn from, before any model.

    Attributes:
        task: the task's name.
        kind: the prediction kind that models must produce.
        roles: role -> internal column name (or tuple of names): ``{"target": "f3"}``.
        features: internal names of the columns that tabular views show to models.
        n_outputs: K.
        facts: what else the task learnt, as JSON values and numpy arrays: classes, an item index, a vocabulary.
        metric: name of the metric that decides.
        aim: what it wants of numbers (`Metric.aim`).
        findings: what was noticed.
    """

    task: str
    kind: str
    roles: Mapping[str, Any]
    features: tuple[str, ...]
    n_outputs: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    metric: str = ""
    aim: str = "mean"
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class FoldPlan:
    """How the engine would like the rows split; the task decides how.

    Attributes:
        n_folds: number of folds; 1 asks for one holdout of `holdout` of the rows.
        holdout: share of the rows (0-1) validated on when `n_folds` is 1.
        seed: of the shuffle.
        given: the user's own folds: (train rows, valid rows) pairs; None when the task is to split.
    """

    n_folds: int
    holdout: float = 0.2
    seed: int = 0
    given: tuple[tuple[IntArray, IntArray], ...] | None = None

    def shuffled(self, n_rows: int) -> list[Fold]:
        """The plainest split, for tasks whose rows are exchangeable: the user's own folds, else shuffled rows.

        Every row is validated on once; with one fold, a share of `holdout` is. Groups and time are not looked at.
        """
        if self.given is not None:
            return [Fold(np.asarray(train, np.int64), np.asarray(valid, np.int64)) for train, valid in self.given]
        order = np.random.default_rng(self.seed).permutation(n_rows)
        if self.n_folds == 1:
            held = [order[: max(1, round(self.holdout * n_rows))]]
        else:
            held = np.array_split(order, self.n_folds)
        rows = np.arange(n_rows)
        return [Fold(np.setdiff1d(rows, part), np.sort(part)) for part in held]


@dataclass(frozen=True)
class Fold:
    """Row numbers (int64) to learn from and to validate on."""

    train: IntArray
    valid: IntArray


@dataclass(frozen=True)
class Batch:
    """What a model learns from.

    Attributes:
        X: the rows in the view the model asked for: float32 (n, d) or CSR for ``matrix``, a `Table` for ``columns``,
            the task's own object for a view of the task. Arrays may be read-only.
        y: int64 codes 0…K-1 (class_proba), float64 (n,) (real), what the task says (other kinds), or None when the view
            carries what is learnt.
        weight: float64 (n,) or None.
        groups: int64 (n,) or None.
    """

    X: Any
    y: AnyArray | None = None
    weight: FloatArray | None = None
    groups: IntArray | None = None


@dataclass(frozen=True)
class Request:
    """What a model may see to predict.

    Attributes:
        units: one entry per prediction; row numbers for row-wise tasks.
        X: the units in the model's view. The engine fills the tabular views, the task its own. Arrays may be read-only.
        extra: whatever else the task wants to reach `answer`, the metric or the combiner.
    """

    units: AnyArray
    X: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.units)

    def take(self, positions: AnyArray) -> Request:
        """The request for some of the units. X is cut when it can be (`take`, an array or a list), else kept whole."""
        X = self.X
        if hasattr(X, "take") and not isinstance(X, np.ndarray):
            X = X.take(positions)
        elif isinstance(X, list | tuple):
            X = [X[i] for i in positions]
        elif X is not None and hasattr(X, "shape"):
            X = X[positions]
        return replace(self, units=self.units[positions], X=X)


class Truth:
    """What predictions are scored on, aligned with units. Tasks subclass it when an array of targets is not enough.

    A task with a class of its own names it in `TaskPlugin.truth_type`. One with more attributes than these overrides
    `take` and `concat` too.

    Attributes:
        y: (u,) int64 codes or float64 values, or any object the task's metric understands.
        weight: float64 (u,) or None.
    """

    def __init__(self, y: Any, weight: FloatArray | None = None) -> None:
        self.y = y
        self.weight = weight

    def __len__(self) -> int:
        return len(self.y)

    def take(self, positions: AnyArray) -> Truth:
        """The truth of some units."""
        y = [self.y[i] for i in positions] if isinstance(self.y, list | tuple) else self.y[positions]
        return type(self)(y, None if self.weight is None else self.weight[positions])

    @classmethod
    def concat(cls, parts: Sequence[Truth]) -> Truth:
        """The truth over the units of all parts, in order."""
        first = parts[0].y
        y = np.concatenate([p.y for p in parts]) if isinstance(first, np.ndarray) else [v for p in parts for v in p.y]
        weight = None if parts[0].weight is None else np.concatenate([p.weight for p in parts if p.weight is not None])
        return cls(y, weight)

    def state(self) -> dict[str, Any]:
        """What `from_state` needs: JSON values and numpy arrays; by default every attribute."""
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The truth that `state` came from."""
        self = cls.__new__(cls)
        self.__dict__.update(state)
        return self
