"""A plugin on stage: an example of a task, read and split as the engine would, ready to be fitted on."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from automl.contract import (
    AnyArray,
    Batch,
    EncoderPlugin,
    Example,
    FitContext,
    FitInfo,
    Fold,
    FoldPlan,
    IntArray,
    ModelPlugin,
    Predictions,
    Problem,
    Request,
    SearchSpace,
    Table,
    TaskPlugin,
)
from automl.discovery import Registry, missing_requirement
from automl.discovery.spaces import space_of
from automl.execution.checks import checked
from automl.execution.fitted import FittedModel
from automl.execution.unit import facts_of
from automl.execution.views import TABULAR, View
from automl.intake import ingest
from automl.testing.compare import fingerprint

TRAIN_ROWS, VALID_ROWS = 90, 30


@dataclass(frozen=True)
class Stage:
    """One example of one task: what `AutoML.fit` would have after reading the data."""

    task: TaskPlugin
    example: Example
    table: Table
    roles: Mapping[str, Any]
    problem: Problem
    folds: tuple[Fold, ...]

    def __str__(self) -> str:
        return f"example {self.example.id!r} of task {self.task.name!r}"


@dataclass(frozen=True)
class Reference:
    """One fit with default settings.

    Attributes:
        model, info: what it gave.
        params: fingerprint of the model's parameters before it.
        edited: did it change its batches?
    """

    model: ModelPlugin
    info: FitInfo
    params: str
    edited: bool


@dataclass
class Scene:
    """A model on a stage.

    Attributes:
        model: the class under test.
        stage: where it plays.
        train, valid: row numbers; cut to a few for tabular views, where rows are exchangeable.
        chain: the encoders of its view.
    """

    model: type[ModelPlugin]
    stage: Stage
    train: IntArray
    valid: IntArray
    chain: tuple[type[EncoderPlugin], ...]

    @property
    def problem(self) -> Problem:
        """What the task learnt."""
        return self.stage.problem

    @property
    def space(self) -> SearchSpace:
        """The model's search space for this task."""
        return space_of(self.model, self.stage.task.family)

    @property
    def params(self) -> dict[str, Any]:
        """Its default settings for this task."""
        return self.space.point(self.stage.task.name)

    def context(self, **changes: Any) -> FitContext:
        """What a fit here is told."""
        facts = facts_of(self.problem, self.stage.table, len(self.train))
        return replace(FitContext(facts, seed=7, problem_facts=self.problem.facts), **changes)

    @cached_property
    def _viewed(self) -> tuple[View | None, Batch, Batch]:
        """The fitted view, and both batches with X in it."""
        task, table = self.stage.task, self.stage.table
        train, valid = (task.batch(self.problem, table, rows, self.model.view) for rows in (self.train, self.valid))
        if self.model.view not in TABULAR:
            return None, train, valid
        features = table.select(self.problem.features)
        view, X = View.fit(self.model, self.chain, features.take(self.train), train.y, self.context())
        return view, replace(train, X=X), replace(valid, X=view.transform(features.take(self.valid)))

    @property
    def view(self) -> View | None:
        """The fitted tabular view, or None when the task fills the model's view itself."""
        return self._viewed[0]

    def batches(self) -> tuple[Batch, Batch]:
        """Fresh, writable copies of the training and the validation batch."""
        _, train, valid = self._viewed
        return copy.deepcopy(train), copy.deepcopy(valid)

    def fit(
        self,
        train: Batch | None = None,
        valid: Batch | None = None,
        params: Mapping[str, Any] | None = None,
        ctx: FitContext | None = None,
        alone: bool = False,
    ) -> tuple[ModelPlugin, FitInfo]:
        """A new model, fitted on these batches (the stage's own by default; `alone`: without validation)."""
        own_train, own_valid = self.batches()
        model = self.model(**copy.deepcopy(self.params if params is None else dict(params)))
        held = None if alone else own_valid if valid is None else valid
        info = model.fit(own_train if train is None else train, held, ctx or self.context())
        return model, info or FitInfo()

    @cached_property
    def reference(self) -> Reference:
        """The model fitted once with its default settings; checks that only look share it."""
        train, valid = self.batches()
        model = self.model(**copy.deepcopy(self.params))
        params, inputs = fingerprint(model.params), fingerprint([train, valid])
        info = model.fit(train, valid, self.context())
        return Reference(model, info or FitInfo(), params, fingerprint([train, valid]) != inputs)

    @property
    def fitted(self) -> tuple[ModelPlugin, FitInfo]:
        """The model of the reference, and what its fit said."""
        return self.reference.model, self.reference.info

    def request(self, table: Table | None = None) -> Request:
        """A fresh request for the validation units, or for all units of a new table."""
        whole = FittedModel(self.model(**self.params), self.view)
        if table is not None:
            return whole.request(self.stage.task, self.problem, table)
        request = whole.request(self.stage.task, self.problem, self.stage.table, self.valid, self.train)
        return copy.deepcopy(request)

    def predict(self, model: ModelPlugin, request: Request | None = None) -> Predictions:
        """Checked predictions; the validation units by default. Raises PluginError or ValueError."""
        request = self.request() if request is None else request
        predictions = FittedModel(model, self.view).answer(self.problem, request)
        self.stage.task.check(self.problem, predictions, request)
        return predictions

    def checked(self, answer: Any, request: Request) -> Predictions:
        """What a model gave, as predictions. Raises PluginError."""
        return checked(answer, self.problem.kind, len(request), self.problem.n_outputs, self.model.name)


def part(batch: Batch, positions: AnyArray) -> Batch:
    """Some rows of a batch with targets."""
    fields = {name: getattr(batch, name) for name in ("y", "weight", "groups")}
    cut = {name: None if values is None else values[positions] for name, values in fields.items()}
    return replace(batch, X=Request(np.arange(len(fields["y"])), batch.X).take(positions).X, **cut)


def stages_of(task: type[TaskPlugin], n_folds: int = 3) -> list[Stage]:
    """Every example of a task, read and split."""
    return list(_stages(task, n_folds))


@lru_cache(maxsize=64)
def _stages(task_class: type[TaskPlugin], n_folds: int) -> tuple[Stage, ...]:
    task = task_class()
    stages = []
    for example in task.examples():
        intake = ingest(example.data, target=example.target, roles=dict(example.roles))
        problem = task.load(intake.table, intake.roles, np.arange(len(intake.table)))
        folds = tuple(task.folds(problem, intake.table, FoldPlan(n_folds, seed=0)))
        stages.append(Stage(task, example, intake.table, intake.roles, problem, folds))
    return tuple(stages)


def scenes_of(model: type[ModelPlugin], tasks: Sequence[type[TaskPlugin]] | None = None) -> list[Scene]:
    """The model on every example of every task that wants its kind and offers its view; installed tasks by default."""
    if tasks is None:
        tasks = tuple(Registry.installed().tasks.load_all().values())
    return list(_scenes(model, tuple(tasks)))


@lru_cache(maxsize=256)
def _scenes(model: type[ModelPlugin], tasks: tuple[type[TaskPlugin], ...]) -> tuple[Scene, ...]:
    fitting = [task for task in tasks if task.produces in model.kinds_produced() and model.view in task.views]
    if not fitting or missing_requirement(model):
        return ()
    chain = chain_of(model)
    return tuple(_scene(model, stage, chain) for task in fitting for stage in stages_of(task))


def _scene(model: type[ModelPlugin], stage: Stage, chain: tuple[type[EncoderPlugin], ...]) -> Scene:
    fold = stage.folds[0]
    most = (TRAIN_ROWS, VALID_ROWS) if model.view in TABULAR else (math.inf, math.inf)
    train, valid = (_few(rows, size) for rows, size in zip((fold.train, fold.valid), most, strict=True))
    return Scene(model, stage, train, valid, chain)


def _few(rows: IntArray, most: float) -> IntArray:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, int(most), replace=False))


def chain_of(model: type[ModelPlugin]) -> tuple[type[EncoderPlugin], ...]:
    """The encoders a model names, else the installed defaults of its view, highest priority first."""
    encoders = Registry.installed().encoders
    if model.encoders:
        return tuple(encoders.load(name) for name in model.encoders)
    usable = [encoder for encoder in encoders.load_all().values() if not missing_requirement(encoder)]
    defaults = [encoder for encoder in usable if model.view in encoder.default_for]
    return tuple(sorted(defaults, key=lambda encoder: (-encoder.priority, encoder.name)))
