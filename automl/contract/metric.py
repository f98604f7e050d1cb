"""Metrics and combiners: how predictions are scored, and how several become one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract.arrays import AnyArray, FloatArray
from automl.contract.persist import read_state, write_state
from automl.contract.predictions import Predictions
from automl.contract.problem import Request, Truth

AIMS = ("mean", "median", "relative-median")
"""What of a number's distribution a metric may want, see `Metric`."""

_NEAR_ZERO = 0.01


def relative_sizes(y: AnyArray) -> FloatArray:
    """(n,) what errors of numbers `y` are relative to: their sizes, those near 0 as a hundredth of the usual size."""
    sizes = np.abs(np.asarray(y, dtype=np.float64))
    usual = float(np.median(sizes[sizes > 0])) if sizes.any() else 1.0
    return np.asarray(np.maximum(sizes, _NEAR_ZERO * usual))


def size_of(truth: Truth | None, request: Request) -> float:
    """How much units count beside others: what they weigh, or their number where they have no weights."""
    return float(len(request) if truth is None or truth.weight is None else np.sum(truth.weight))


class Metric(ABC):
    """A figure of merit. `greater_is_better` says which way; `score` is always higher-is-better.

    Attributes:
        name: unique within its task.
        greater_is_better: direction of `__call__`.
        decides: what the metric looks at: ``"values"`` as they are or ``"labels"`` after a decision (binary tasks then
            tune their threshold for it).
        aim: what of a number's distribution does best under the metric: ``"mean"``, ``"median"`` (absolute errors) or
            ``"relative-median"`` (absolute errors as shares of the true value). Models are told it (`FitContext.aim`).
        bounds: the lowest and the highest value that there can be, in its own direction: no promise goes beyond them.
    """

    name: str
    greater_is_better: bool = True
    decides: str = "values"
    aim: str = "mean"
    bounds: tuple[float, float] = (-math.inf, math.inf)

    @abstractmethod
    def __call__(self, truth: Truth | None, predictions: Predictions, request: Request) -> float:
        """The metric in its own direction."""

    def per_unit(self, truth: Truth | None, predictions: Predictions, request: Request) -> FloatArray | None:
        """(u,) contributions in the metric's own direction, when it is a (transformed) mean over units; else None."""
        return None

    def aggregate(self, values: Sequence[float], sizes: Sequence[float]) -> float:
        """One figure for several folds of these sizes, see `size_of`: by default the mean weighted by size.

        Folds on which the metric is undefined (NaN) are left out; NaN when it is undefined on all.
        """
        known = [i for i, value in enumerate(values) if not np.isnan(value)]
        if not known:
            return float("nan")
        return float(np.average([values[i] for i in known], weights=[sizes[i] for i in known]))

    def score(self, truth: Truth | None, predictions: Predictions, request: Request) -> float:
        """The metric, negated if lower is better."""
        return self.signed(self(truth, predictions, request))

    def signed(self, value: float) -> float:
        """A value of this metric as a higher-is-better score; its own inverse."""
        return value if self.greater_is_better else -value


@dataclass(frozen=True)
class CombineContext:
    """What a combiner is told beside the predictions. All but `metric` may be left as it is, for a fit by hand.

    Attributes:
        metric: what to improve.
        seed: for everything random.
        deadline: monotonic time to be done by, with what has been learnt until then; infinite when nothing may depend
            on the clock. `Combiner.fit` runs in the caller's own process, so that nothing else can end it.
        costs: what each member takes of the time and space that there is for predicting; NaN where unknown, empty when
            none is known.
        budget: how much the members with a share above 0 may take together. A combiner that goes beyond it does
            not ship.
        families: one name per member, so that a choice can keep several families; empty when unknown.
        calls: about how many metric calls may be made; None leaves it to the combiner.
        scores: (n_members,) scores of the members on the same units when they are known, higher is better.
        most: about how many members may have a share.
    """

    metric: Metric
    seed: int = 0
    deadline: float = math.inf
    costs: tuple[float, ...] = ()
    budget: float = math.inf
    families: tuple[str, ...] = ()
    calls: float | None = None
    scores: FloatArray | None = None
    most: int = 5

    def seconds(self, n_members: int) -> FloatArray:
        """(n_members,) `costs` to reckon with: unknown ones as high as the highest known, 0 when none is known."""
        costs = np.array(self.costs or (np.nan,) * n_members, dtype=np.float64)
        known = costs[np.isfinite(costs)]
        return np.where(np.isfinite(costs), costs, known.max() if len(known) else 0.0)

    def of_members(self, keep: Sequence[int]) -> CombineContext:
        """The context for the members at positions `keep` only, in that order."""
        return replace(
            self,
            costs=tuple(self.costs[m] for m in keep) if self.costs else (),
            families=tuple(self.families[m] for m in keep) if self.families else (),
            scores=None if self.scores is None else self.scores[np.asarray(keep, dtype=np.int64)],
        )


class Combiner(ABC):
    """Several models' predictions become one. Ships when its cross-fitted score beats what would answer without it.

    The engine makes it without arguments, once per fit.

    A combiner of the second layer improves on the first: its first member is the answer of the combiner that would
    ship without it (or of the best single member), and those that this answer is made of follow.

    Class attributes:
        name: for the leaderboard.
        layer: 1 or 2.
        margin: how many standard errors its cross-fitted score must be better by; below 0, how many it may be worse.
        least_units: below so many units it is not tried.
        needs_features: `Request.X` is then the table of the features, in `fit` as in `apply`; only on tables.
    """

    name: ClassVar[str] = ""
    layer: ClassVar[int] = 1
    margin: ClassVar[float] = 0.0
    least_units: ClassVar[int] = 0
    needs_features: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self,
        members: Sequence[Sequence[Predictions]],
        truths: Sequence[Truth | None],
        requests: Sequence[Request],
        ctx: CombineContext,
    ) -> Self:
        """Learn how to combine.

        Args:
            members: ``members[m][f]`` are model m's predictions for the units of fold f that it did not learn from.
            truths: ``truths[f]``, aligned with them.
            requests: ``requests[f]``, aligned with them.
            ctx: the metric to improve, the seed, the time there is, and what is known about the members.
        """

    @abstractmethod
    def apply(self, members: Sequence[Predictions], request: Request) -> Predictions:
        """The combined predictions of all members, in the order they were fitted in."""

    @abstractmethod
    def weights(self) -> FloatArray:
        """(n_members,) shares that sum to 1; a member with share 0 is not needed by `apply` and may be left out."""

    def without(self, keep: Sequence[int]) -> Self:
        """The fitted combiner over the members at positions `keep` only; all dropped ones have share 0."""
        raise NotImplementedError(f"combiner {self.name!r} cannot drop members")

    def state(self) -> Mapping[str, Any]:
        """What `from_state` needs: JSON values and numpy arrays."""
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The fitted combiner that `state` came from."""
        self = cls.__new__(cls)
        self.__dict__.update(state)
        return self

    def save(self, folder: Path) -> None:
        """Write to a folder, without code."""
        write_state(folder, self.state())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls.from_state(read_state(folder))
