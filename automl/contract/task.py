"""The task contract (entry point group ``automl.tasks``): all that the engine must not know about a use case."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from automl.contract.arrays import IntArray
from automl.contract.errors import DataError, OptionError, PluginError
from automl.contract.metric import Combiner, Metric
from automl.contract.predictions import ArrayPredictions, Predictions
from automl.contract.problem import Batch, Fold, FoldPlan, Problem, Request, Truth
from automl.contract.table import Column, Table


@dataclass(frozen=True)
class Example:
    """A small data set of a task, for the conformance kits: what a user would pass to `fit`.

    Attributes:
        id: short name.
        data: any container that intake reads, for example a dict of lists.
        target: the target's label, or None.
        roles: other roles, as in `AutoML.fit`.
        learnable: a sensible model beats a constant one on it.
    """

    id: str
    data: Any
    target: Any = None
    roles: Mapping[str, Any] = field(default_factory=dict)
    learnable: bool = True


class TaskPlugin(ABC):
    """A use case. Row-wise tasks with one target inherit much; others own every step.

    Class attributes:
        name: unique among tasks; equal to its entry point's name.
        produces: the prediction kind its models must produce.
        family: folder of ``search_spaces/`` where its models' space files lie.
        views: the views it offers; tabular ones are filled by the engine, others by `batch` and `request`.
        roles: role -> what it is for, beyond target, weight, groups and time: these may be given to every task, and it
            is the task that acts on them, in `folds` (groups, time), `batch` and `truth` (weight).
        settings: what else may be given among the roles though it is no column, such as the positive label.
        container: the class of its predictions.
        truth_type: the class of its truth; a saved model restores it for intervals.
        requires: modules that must be importable.
        extra: which of the distribution's extras brings them, for the message when one is absent.
        license: of the task and of what it brings along, such as a metric's weights.
        noncommercial: True leaves the task out under ``allow_noncommercial=False``.
        needs_network: True leaves the task out under ``offline=True``.
    """

    name: ClassVar[str] = ""
    produces: ClassVar[str] = ""
    family: ClassVar[str] = "tabular"
    views: ClassVar[tuple[str, ...]] = ("matrix", "columns")
    roles: ClassVar[Mapping[str, str]] = {}
    settings: ClassVar[Mapping[str, str]] = {}
    container: ClassVar[type[Predictions]] = ArrayPredictions
    truth_type: ClassVar[type[Truth]] = Truth
    requires: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    license: ClassVar[str] = ""
    noncommercial: ClassVar[bool] = False
    needs_network: ClassVar[bool] = False

    # -- choosing and reading -------------------------------------------------------------------------------------

    def claims(self, table: Table, roles: Mapping[str, Any]) -> float:
        """How surely is this data its business, 0 to 1? `roles` maps roles to internal column names."""
        return 0.0

    @abstractmethod
    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        """Check the data and learn the label space from `rows` only. Raises DataError before any training.

        `roles` maps roles to internal column names (or tuples of them) and `settings` to the values given.
        """

    @abstractmethod
    def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Sequence[Fold]:
        """Split the rows. Every model gets the same folds.

        When the user names ``groups`` or ``time`` they are in `problem.roles`: keep the rows of a group together and
        learn from the past only, or raise DataError in `load`. `FoldPlan.shuffled` does neither.
        """

    @abstractmethod
    def batch(self, problem: Problem, table: Table, rows: IntArray, view: str) -> Batch:
        """What a model learns from on these rows. Leave X None for a tabular view: the engine fills it.

        Give the weights too when there is a role ``weight``.
        """

    @abstractmethod
    def request(
        self,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
        view: str = "",
    ) -> Request:
        """What a model may see to predict.

        Args:
            rows: rows to predict for; None means all rows of a new table that may lack the target.
            known: rows whose history may be used (the training rows of the fold).
            view: the view wanted; X stays None for a tabular one.
        """

    @abstractmethod
    def truth(self, problem: Problem, table: Table, rows: IntArray) -> Truth | None:
        """What predictions for ``request(problem, table, rows)`` are scored on, aligned with its units."""

    # -- scoring and combining -------------------------------------------------------------------------------------

    @abstractmethod
    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        """Metrics by name; the first is the default."""

    def metric(self, problem: Problem, wanted: str | Callable[..., float]) -> Metric:
        """The metric asked for by name, or ``"auto"``. Tasks that take a callable override this. Raises OptionError."""
        known = self.metrics(problem)
        if not known:
            raise PluginError(f"task {self.name!r} has no metrics; return at least one from `metrics`")
        if wanted == "auto":
            return next(iter(known.values()))
        if isinstance(wanted, str) and wanted in known:
            return known[wanted]
        raise OptionError(f"metric={wanted!r} is no metric of task {self.name!r}; choose one of {sorted(known)}")

    def combiners(self, problem: Problem) -> Sequence[type[Combiner]]:
        """Its own combiners. Where predictions can be averaged they are tried beside the engine's own means.

        Without any, other kinds are left to the best single model.
        """
        return ()

    def bounds(self, problem: Problem) -> tuple[float, float]:
        """What numbers of kind ``real`` are cut to, (low, high); infinite where no number is out of the question."""
        return -math.inf, math.inf

    def refine(
        self, problem: Problem, predictions: Sequence[Predictions], truths: Sequence[Truth | None], metric: Metric
    ) -> Problem:
        """Learn what `answer` needs from the shipped ensemble's honest predictions, such as a decision threshold."""
        return problem

    # -- answering -------------------------------------------------------------------------------------------------

    @abstractmethod
    def answer(self, problem: Problem, predictions: Predictions, request: Request) -> Any:
        """What `predict` gives the user: (u,) array of labels or values, or one object per unit."""

    def answer_proba(self, problem: Problem, predictions: Predictions, request: Request) -> tuple[Any, Sequence[Any]]:
        """What `predict_proba` gives the user: (u, K) array, K labels. Raises DataError when there is none."""
        raise DataError(
            "no-probabilities",
            f"task {self.name!r} predicts {self.produces}, not probabilities",
            "",
            "Call predict instead.",
        )

    # -- conformance -----------------------------------------------------------------------------------------------

    @abstractmethod
    def examples(self) -> Sequence[Example]:
        """Small real or generated data sets on which every model of this kind must work."""

    def check(self, problem: Problem, predictions: Predictions, request: Request) -> None:  # noqa: B027 - optional
        """Raise ValueError when predictions are not what this task means by them (beyond length)."""


def with_metric(problem: Problem, metric: Metric) -> Problem:
    """The same problem, decided by this metric."""
    return replace(problem, metric=metric.name, aim=metric.aim)


def role_column(table: Table, roles: Mapping[str, Any], role: str) -> Column:
    """The column with this role. Raises DataError when the role was not given."""
    if role not in roles:
        raise DataError(
            "role-missing", f"no column has the role {role!r}", "", f'Name it: fit(data, roles={{"{role}": "column"}}).'
        )
    return table[roles[role]]
