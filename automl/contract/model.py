"""The model contract (entry point group ``automl.models``): learn from a batch, predict for a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

from automl.contract.arrays import AnyArray
from automl.contract.context import Estimate, Facts, FitContext, FitInfo, Resources
from automl.contract.errors import PluginError
from automl.contract.plugin import Plugin
from automl.contract.predictions import Predictions
from automl.contract.problem import Batch, Request
from automl.contract.readable import Feature, Reading


class ModelPlugin(Plugin, ABC):
    """A model. The smallest one has `name`, `produces`, `fit` and `predict`.

    Class attributes beside those of `Plugin`:
        produces: the prediction kind, or several (``ctx.kind`` then says which one is wanted).
        view: ``"matrix"`` (dense float32 with every encoder applied, missing imputed), ``"columns"`` (a `Table` of
            typed columns, category codes, missing as missing), or a view that a task offers.
        kinds: for ``columns``, the column kinds it takes as they are; columns of other kinds come encoded as numeric.
        encoders: encoder names tried in this order for each column; empty takes the engine's default for the view. A
            column that none of them accepts is left out, so name one for each kind: numbers, categories, dates, text.
        handles_missing: the matrix may contain NaN.
        handles_weight: sample weights are used; others are fitted without them, which the leaderboard says.
        sparse: the matrix may be a scipy CSR matrix.
        baseline: True for simple models that run first.
        family: groups models on the leaderboard; the name by default.
        truncatable: the fit watches ``ctx.time_left()`` and returns early with what it has.
        seeded: a fit depends on ``ctx.seed``, so that the mean of several fits may be better than one.
        readable: a fitted one can be put in words, by `describe`.
        on_request: it takes part only where ``models`` names it, or where only readable models are wanted.
    """

    produces: ClassVar[str | tuple[str, ...]] = ()
    view: ClassVar[str] = "matrix"
    kinds: ClassVar[tuple[str, ...]] = ("numeric", "category")
    encoders: ClassVar[tuple[str, ...]] = ()
    handles_missing: ClassVar[bool] = False
    handles_weight: ClassVar[bool] = False
    sparse: ClassVar[bool] = False
    baseline: ClassVar[bool] = False
    family: ClassVar[str] = ""
    truncatable: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    readable: ClassVar[bool] = False
    on_request: ClassVar[bool] = False

    @abstractmethod
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Learn from `train`.

        `valid` may be used to stop early, never to learn from; it is None for a refit on all rows. Inputs may be
        read-only. What is set on `self` here is what gets saved.
        """

    @abstractmethod
    def predict(self, request: Request) -> Predictions | AnyArray:
        """One prediction per unit, each independent of the others in the request. Inputs may be read-only.

        class_proba: (n_units, n_outputs) probabilities in code order (`widen` helps). real: (n_units,) or
        (n_units, n_outputs). Other kinds: the task's own container. Shape and finiteness are checked by the engine.
        """

    @classmethod
    def together(
        cls, models: Sequence[Self], threads: int = 1
    ) -> Callable[[Request], Sequence[Predictions | AnyArray] | AnyArray]:
        """What predicts with several fitted models that see the same X: for a request, what `predict` of each gives.

        A saved model asks its fold models through this. Override it where one call of a library, or one preparation of
        X, can serve all of them; an array with one entry per model in front is as good as a list. `threads` are those
        that one call may use when there are many units.
        """
        return lambda request: [model.predict(request) for model in models]

    def describe(self, features: Sequence[Feature]) -> Reading:
        """What was learnt, in terms of the caller's columns. Called only where `readable` is True.

        `features` has one entry per column of X, in order.
        """
        raise PluginError(f"model {self.name!r} says that it is readable, and does not describe itself")

    @classmethod
    def resources(cls, facts: Facts, params: Mapping[str, Any]) -> Sequence[Resources]:
        """What one fit may occupy, best first; the engine takes the first that it can offer."""
        return (Resources(),)

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """What one fit is expected to cost; a rough figure is enough, it is corrected by measurement.

        A failure, or what is no positive number, counts as nothing said; the conformance kit reports it.
        """
        cells = facts.n_rows * max(1, facts.n_features) * max(1, facts.n_outputs)
        return Estimate(seconds=0.05 + 1e-6 * cells, memory=8 * cells)

    @classmethod
    def kinds_produced(cls) -> tuple[str, ...]:
        """`produces` as a tuple."""
        return (cls.produces,) if isinstance(cls.produces, str) else tuple(cls.produces)
