"""What a fit is given besides data, what it needs, and what it reports back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.contract.arrays import IntArray


@dataclass(frozen=True)
class Resources:
    """What one fit occupies. `cpus`: threads; `gpus`: devices, 0.5 shares one; `memory`: bytes, 0 if unknown."""

    cpus: int = 1
    gpus: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class Estimate:
    """What one fit is expected to cost on one thread: `seconds`, and `memory` in bytes at the peak."""

    seconds: float
    memory: int = 0


@dataclass(frozen=True)
class Facts:
    """The size of a problem, for cost estimates and size-aware settings.

    Attributes:
        task: the task's name.
        kind: the prediction kind wanted.
        n_rows: rows of one training fold.
        n_features: columns of the tabular views.
        n_categories: how many of these are categories.
        n_outputs: K.
        kinds: column kind -> number of columns.
        learnt: what the task learnt (`Problem.facts`).
    """

    task: str
    kind: str
    n_rows: int
    n_features: int
    n_categories: int
    n_outputs: int
    kinds: Mapping[str, int] = field(default_factory=dict)
    learnt: Mapping[str, Any] = field(default_factory=dict, compare=False)


def _never(step: int, value: float) -> bool:
    return False


@dataclass(frozen=True)
class FitContext:
    """What a model or encoder is told about this fit.

    Attributes:
        facts: size of the problem.
        kind: the prediction kind wanted of this model, such as ``"class_proba"`` or ``"real"``.
        n_outputs: K: classes for class_proba, values for real.
        seed: for everything random; the same seed and threads must give the same model.
        threads: how many threads the fit may use.
        device: ``"cpu"`` or ``"cuda"`` or ``"cuda:1"``.
        deadline: monotonic time to be done by, in seconds; infinite when nothing may depend on the clock.
        problem_facts: what the task learnt (`Problem.facts`): classes, an item index, a vocabulary.
        aim: what of a number's distribution does best by the metric: ``"mean"``, ``"median"``, ``"relative-median"``
            (`Metric.aim`). Models that only know means take part all the same.
        groups: int64 (n,), which group each training row belongs to; None without groups.
        report: ``report(step, value) -> stop?`` for iterative models; `value` is a loss, lower is better.
    """

    facts: Facts
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    deadline: float = math.inf
    problem_facts: Mapping[str, Any] = field(default_factory=dict)
    aim: str = "mean"
    groups: IntArray | None = field(default=None, compare=False)
    report: Callable[[int, float], bool] = _never

    @property
    def n_outputs(self) -> int:
        """K: classes for class_proba, values for real."""
        return self.facts.n_outputs

    @property
    def kind(self) -> str:
        """The prediction kind wanted of this model."""
        return self.facts.kind

    def parts(self, n_rows: int, count: int) -> IntArray:
        """(n_rows,) random parts 0…count-1 of the training rows; rows of a group are in the same one.

        For what is learnt out of fold, such as target means: each part gets what the others say. A single group is
        cut like rows without one.
        """
        rng = np.random.default_rng(self.seed)
        names, which = np.arange(n_rows), np.arange(n_rows)
        if self.groups is not None and np.ptp(self.groups) > 0:
            names, which = np.unique(self.groups, return_inverse=True)
        return np.asarray((rng.permutation(len(names)) % count)[which])

    def time_left(self) -> float:
        """Seconds until this fit should be done; infinite when nothing may depend on the clock."""
        return self.deadline - time.monotonic()


@dataclass(frozen=True)
class FitInfo:
    """What a fit found out.

    Attributes:
        best_step: iterations kept by early stopping, or None.
        refit: settings that replace the candidate's when the model is fitted again on all rows without validation,
            for example ``{"n_estimators": 180}``.
        notes: JSON values for the report; ``{"truncated": True}`` says that time ended the fit.
    """

    best_step: int | None = None
    refit: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
