"""A model that keeps its contract, and one that breaks each promise: `BAD` names the check that must catch it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from automl.contract import (
    Batch,
    Choice,
    Column,
    Estimate,
    Facts,
    FitContext,
    FitInfo,
    FloatArray,
    Int,
    Matrix,
    ModelPlugin,
    Request,
    SearchSpace,
    Start,
    Table,
)


class Centroids(ModelPlugin):
    """The nearer the mean of a class, the likelier the class. Keeps every promise."""

    name = "centroids"
    produces = "class_proba"
    view = "matrix"
    handles_missing = True
    handles_weight = True
    truncatable = True
    space = SearchSpace(knobs={"sharpness": Int(1, 5)}, default={"sharpness": 2})

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        X, y = self.cleaned(train.X), train.y
        assert y is not None
        weight = np.ones(len(y)) if train.weight is None else train.weight
        self.seen = np.unique(y)
        self.n_outputs = ctx.n_outputs
        self.scale = X.std(axis=0) + 1e-6
        self.centres = np.zeros((len(self.seen), X.shape[1]))
        for position, code in enumerate(self.seen):
            if ctx.time_left() > 0 or position == 0:
                self.centres[position] = np.average(X[y == code], axis=0, weights=weight[y == code])
        return None

    def cleaned(self, X: Matrix) -> FloatArray:
        return np.nan_to_num(np.asarray(X, dtype=np.float64))

    def distances(self, X: Matrix) -> FloatArray:
        gaps = (self.cleaned(X)[:, None, :] - self.centres) / self.scale
        return np.asarray((gaps**2).mean(axis=2))

    def predict(self, request: Request) -> Any:
        near = np.exp(-self.params["sharpness"] * self.distances(request.X)) + 1e-9
        out = np.zeros((len(near), self.n_outputs))
        out[:, self.seen] = near / near.sum(axis=1, keepdims=True)
        return out


class BadlyNamed(Centroids):
    name = "Bad Name"


class BusyConstructor(Centroids):
    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.cache: list[int] = []


class TrustsStrangers(Centroids):
    trusted_types = ("somebody.else.Estimator",)


class StartsOutside(Centroids):
    space = SearchSpace({"sharpness": Int(1, 5)}, {"sharpness": 2}, starts=(Start("far", {}, {"row": [0, 9]}),))


class Unwanted(Centroids):
    produces = "poetry"


class FreeOfCost(Centroids):
    @classmethod
    def estimate(cls, facts: Facts, params: Any) -> Estimate:
        return Estimate(0.0)


class NoProbabilities(Centroids):
    def predict(self, request: Request) -> Any:
        return 2 * super().predict(request)


class LooksAtTheBatch(Centroids):
    def predict(self, request: Request) -> Any:
        out = super().predict(request) / super().predict(request).max(axis=0)
        return out / out.sum(axis=1, keepdims=True)


class Drifting(Centroids):
    def predict(self, request: Request) -> Any:
        drift = np.linspace(0, 0.1, len(request))[:, None]
        return (1 - drift) * super().predict(request) + drift / self.n_outputs


class AfraidOfHoles(Centroids):
    view = "columns"
    kinds = ("numeric", "category")

    def cleaned(self, X: Any) -> FloatArray:
        known = [np.eye(len(c.levels) + 1)[c.values] if c.kind == "category" else c.values[:, None] for c in X]
        if isinstance(X, Table) and all(bool(_holes(column).all()) for column in X):
            raise ValueError("cannot take the logarithm of nothing")
        return np.asarray(np.nan_to_num(np.hstack(known)))


def _holes(column: Column) -> Any:
    return column.missing()


class Forgetful(Centroids):
    def save(self, folder: Path) -> None:
        self_copy = type(self).restore({**vars(self), "scale": np.ones_like(self.scale)})
        super(Forgetful, self_copy).save(folder)


class Pickler(Centroids):
    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "params.json").write_text(json.dumps(self.params))
        (folder / "model.bin").write_bytes(pickle.dumps(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        back: Self = pickle.loads((folder / "model.bin").read_bytes())
        return back


class Unseeded(Centroids):
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        super().fit(train, valid, ctx)
        self.centres = self.centres + np.random.default_rng().normal(scale=0.1, size=self.centres.shape)
        return None


class EditsInputs(Centroids):
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        train.X[np.isnan(train.X)] = 0.0
        train.X[:] = np.clip(train.X, -1, 1)
        return super().fit(train, valid, ctx)


class WritesWhatWasThere(Centroids):
    def predict(self, request: Request) -> Any:
        request.X[:1] = request.X[:1].copy()
        return super().predict(request)


class EditsParameters(Centroids):
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        self.params["n_rows"] = len(train.X)
        return super().fit(train, valid, ctx)


class NeedsValidation(Centroids):
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        self.held = len(valid.X)  # type: ignore[union-attr]
        return super().fit(train, valid, ctx)


class LearnsFromValidation(Centroids):
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        if valid is not None and valid.y is not None and train.y is not None:
            train = Batch(np.vstack([train.X, valid.X]), np.concatenate([train.y, valid.y]))
        return super().fit(train, valid, ctx)


class WantsEveryClass(Centroids):
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        if len(np.unique(train.y)) < ctx.n_outputs:  # type: ignore[arg-type]
            raise ValueError("a class is missing")
        return super().fit(train, valid, ctx)


class KnowsNothing(Centroids):
    def predict(self, request: Request) -> Any:
        return np.full((len(request), self.n_outputs), 1 / self.n_outputs)


class SaysItTakesHoles(Centroids):
    def cleaned(self, X: Matrix) -> FloatArray:
        if np.isnan(X).mean() > 0.15:
            raise ValueError("Input contains NaN")
        return super().cleaned(X)


class SaysItWeighs(Centroids):
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        return super().fit(Batch(train.X, train.y), valid, ctx)


class SaysItStops(Centroids):
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        return super().fit(train, valid, FitContext(ctx.facts, ctx.seed))


class AnswersForTheFirst(Centroids):
    @classmethod
    def together(cls, models: Sequence[Self], threads: int = 1) -> Callable[[Request], Sequence[Any]]:
        return lambda request: [models[0].predict(request)]


class SaysItIsReadable(Centroids):
    readable = True


class FailsOffTheDefault(Centroids):
    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        if self.params["sharpness"] != 2:
            raise ValueError("too sharp")
        return super().fit(train, valid, ctx)


class SavesTheDefaultOnly(Centroids):
    """One option of six leaves something in the model that cannot be saved, and with more than two classes only."""

    options = ("a", "b", "c", "d", "e", "f")
    space = SearchSpace({"way": Choice(options), "sharpness": Int(1, 5)}, {"way": "a", "sharpness": 2})

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        if self.params["way"] == "f" and ctx.n_outputs > 2:
            self.way = self.cleaned
        return super().fit(train, valid, ctx)


BAD: dict[type[ModelPlugin], str] = {
    SavesTheDefaultOnly: "points_of_its_space_fit",
    BadlyNamed: "it_has_a_name_of_its_own",
    BusyConstructor: "the_constructor_only_stores",
    TrustsStrangers: "what_it_declares_makes_sense",
    StartsOutside: "its_search_space_is_sound",
    Unwanted: "a_task_can_use_it",
    FreeOfCost: "costs_are_estimated_for_any_size",
    NoProbabilities: "predictions_are_what_the_task_means",
    LooksAtTheBatch: "units_are_predicted_independently",
    Drifting: "the_order_of_units_is_irrelevant",
    AnswersForTheFirst: "models_asked_together_answer_as_each_alone",
    AfraidOfHoles: "it_survives_missing_values_and_unseen_categories",
    Forgetful: "it_is_the_same_after_save_and_load",
    Pickler: "it_saves_no_code",
    Unseeded: "the_same_seed_gives_the_same_model",
    EditsInputs: "inputs_are_left_alone",
    WritesWhatWasThere: "read_only_inputs_are_enough",
    EditsParameters: "fit_leaves_the_parameters_alone",
    NeedsValidation: "it_fits_without_validation",
    LearnsFromValidation: "it_does_not_learn_from_validation",
    WantsEveryClass: "a_class_may_be_absent_from_a_fold",
    KnowsNothing: "it_learns_something",
    SaysItTakesHoles: "missing_values_are_handled_if_it_says_so",
    SaysItWeighs: "weights_are_used_if_it_says_so",
    SaysItStops: "it_stops_early_if_it_says_so",
    SaysItIsReadable: "it_describes_itself_if_it_says_so",
    FailsOffTheDefault: "points_of_its_space_fit",
}
