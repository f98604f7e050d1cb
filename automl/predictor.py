"""What a fitted AutoML serves: predictions of the ensemble or of one member, read from a run's folder when needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import (
    ADDITIVE,
    AnyArray,
    ArrayPredictions,
    ArtifactError,
    DataError,
    EncoderPlugin,
    Metric,
    OptionError,
    PluginError,
    Predictions,
    Problem,
    Request,
    Table,
    TaskPlugin,
    Truth,
)
from automl.discovery import Registry, missing_requirement
from automl.ensemble import Recipe, restored
from automl.execution.fitted import FittedModel
from automl.execution.serving import Serving
from automl.intake import Container, Schema
from automl.intake.target import given_weights
from automl.report import Description
from automl.search.deploy import ENSEMBLE, Deployment, Honest, Member, problem_from
from automl.store import Manifest, RunFolder, load_manifest


class Predictor:
    """A committed model.

    Models are loaded from the folder when they are first asked, and kept.

    Attributes:
        plan: members and how they combine.
        board: leaderboard rows of the run, as JSON values.
    """

    def __init__(self, manifest: Manifest, registry: Registry) -> None:
        self.manifest, self.registry = manifest, registry
        content = manifest.content
        self.plan = Deployment.of(content["deployment"])
        self.board: list[dict[str, Any]] = content["board"]
        self.task: TaskPlugin = self._plugin(registry.tasks, content["task"])()
        self.problem: Problem = problem_from(manifest.state("problem"))
        self.schema = Schema.from_state(manifest.state("schema"))
        self._servings: dict[tuple[str, ...], Serving] = {}
        self._known: dict[Any, Any] = {}
        self._recipe: Recipe | None = None
        self._honest: Honest | None = None
        self._guests: dict[str, Member] = {}
        self._run_folder: RunFolder | None = None

    def admit(self, members: Sequence[Member], folder: RunFolder) -> None:
        """Let further models of the run answer by name, as long as its folder is there."""
        self._guests = {member.name: member for member in members if self.plan.member(member.name) is None}
        self._run_folder = folder
        for member in self._guests.values():
            folder.note(member.key)

    @classmethod
    def open(cls, path: Path | str, registry: Registry) -> Predictor:
        """Read a folder that a run committed or `save` wrote. Raises ArtifactError."""
        return cls(load_manifest(path), registry)

    # -- answers ---------------------------------------------------------------------------------------------------

    def read(self, X: Any) -> tuple[Table, Container]:
        """The caller's data as a table. Raises DataError."""
        return self.schema.apply(X)

    def predict(self, X: Any, model: str | None = None) -> Any:
        """Labels, values or the task's own answers, one per unit, in the caller's kind of container."""
        table, container = self.read(X)
        predictions, request = self.predictions(table, model)
        answer = self.task.answer(self.problem, predictions, request)
        if isinstance(answer, np.ndarray) and answer.ndim == 1 and len(answer) == len(table):
            return container.wrap(answer, self._target_label())
        return answer

    def predict_proba(self, X: Any, model: str | None = None) -> Any:
        """(n, K) probabilities with the original labels as columns. Raises DataError for tasks without."""
        table, container = self.read(X)
        predictions, request = self.predictions(table, model)
        values, labels = self.task.answer_proba(self.problem, predictions, request)
        return container.wrap_frame(np.asarray(values), labels)

    def predictions(self, table: Table, model: str | None = None) -> tuple[Predictions, Request]:
        """Predictions for all rows of a new table, and the request they answer."""
        if not len(table) and self.problem.kind in ADDITIVE:
            empty = np.zeros((0, self.problem.n_outputs))
            return ArrayPredictions(self.problem.kind, empty), Request(np.zeros(0, dtype=np.int64))
        if model is not None and model != ENSEMBLE:
            answers, request = self._serving((model,)).answers(table)
            return answers[0], request
        if not self.plan.chosen:
            raise ArtifactError("the committed model has no members; the run ended before the first model")
        answers, request = self._serving(self.plan.chosen).answers(table)
        recipe = self._loaded_recipe()
        if recipe is None:
            return answers[0], request
        features = table.select(self.problem.features) if recipe.needs_features else None
        return recipe.apply(answers, request, features), request

    def _serving(self, names: tuple[str, ...]) -> Serving:
        """What answers for these members; that of the ensemble is kept, and that of the member asked for last."""
        if names not in self._servings:
            models = [self.fitted(self._member(name)) for name in names]
            kept = {chosen: serving for chosen, serving in self._servings.items() if chosen == self.plan.chosen}
            self._servings = {**kept, names: Serving(models, self.task, self.problem)}
        return self._servings[names]

    def fitted(self, member: Member) -> list[FittedModel]:
        """A member's fitted models, read from their folders. Raises ArtifactError or PluginError."""
        model = self._plugin(self.registry.models, member.model)
        encoders: dict[str, type[EncoderPlugin]] = {
            name: self._plugin(self.registry.encoders, name) for name in member.encoders
        }
        places = [self._place_of(member, fold) for fold in member.folds]
        if not places:
            raise ArtifactError(f"member {member.name!r} has no fitted model")
        return [FittedModel.load(folder, model, encoders, self._known, elsewhere) for folder, elsewhere in places]

    def _place_of(self, member: Member, fold: int) -> tuple[Path, Mapping[str, Path]]:
        """The folder of a member's model of a fold, and sub-folders of it that lie elsewhere."""
        if member.name in self._guests and self._run_folder is not None:
            return self._run_folder.unchanged_folder(member.key, fold), {}
        folder = self.manifest.unchanged_folder(member.key, fold)
        return folder, self.manifest.elsewhere(member.key, fold)

    def check_plugins(self) -> None:
        """Raise ArtifactError when the ensemble needs a plugin or a library that is not here. No model is read."""
        for name in self.plan.chosen:
            member = self._member(name)
            needed = [self._plugin(self.registry.models, member.model)]
            needed += [self._plugin(self.registry.encoders, encoder) for encoder in member.encoders]
            for plugin in needed:
                if reason := missing_requirement(plugin):
                    raise ArtifactError(f"the saved model needs the plugin {plugin.name!r}: {reason}")

    def describe(self, name: str | None = None) -> Description:
        """A model in words: the only one that answers, or the one named. Raises OptionError for what cannot be read."""
        name = self.plan.chosen[0] if name in (None, ENSEMBLE) and len(self.plan.chosen) == 1 else name
        member = None if name in (None, ENSEMBLE) else self._member(str(name))
        if member is None or not self._plugin(self.registry.models, member.model).readable:
            what = (
                f"the ensemble has {len(self.plan.chosen)} models"
                if member is None
                else f"{name!r} is no readable model"
            )
            readable = [m.name for m in self.plan.members if self._plugin(self.registry.models, m.model).readable]
            hint = f"those that can be described by name are {readable}; " if readable else ""
            raise OptionError(f'{what}; {hint}preset="interpretable" fits a single readable model')
        fitted, *more = self.fitted(member)
        features = fitted.view.describe(self.schema.blank.select(self.problem.features)) if fitted.view else []
        labels = () if (found := self.class_labels()) is None else tuple(found.tolist())
        note = f"one of the {1 + len(more)} models whose answers are averaged" if more else ""
        note = "the model of one fold, which has not seen the rows of that fold" if member.folds == (0,) else note
        return Description(member.name, fitted.model.describe(features), self._target_label(), labels, note)

    def names(self) -> list[str]:
        """Names that `predict(X, model=…)` takes."""
        return [ENSEMBLE, *(member.name for member in self.plan.members), *self._guests]

    def class_labels(self) -> Any:
        """(K,) labels in the order of the probabilities' columns; None for tasks without probabilities."""
        nothing = np.zeros((0, self.problem.n_outputs))
        try:
            predictions = ArrayPredictions(self.problem.kind, nothing)
            _, labels = self.task.answer_proba(self.problem, predictions, Request(np.zeros(0, dtype=np.int64)))
        except DataError:
            return None
        return np.array(labels) if len({type(label) for label in labels}) == 1 else np.array(labels, dtype=object)

    def _member(self, name: str) -> Member:
        member = self.plan.member(name) or self._guests.get(name)
        if member is not None:
            return member
        known = self.names()
        tried = [row["model"] for row in self.board if row["model"] == name]
        hint = "it was tried, but its model was not kept" if tried else "there is no such model"
        raise OptionError(f"model={name!r}: {hint}; those that can predict are {known}")

    def _loaded_recipe(self) -> Recipe | None:
        if self.plan.combiner and self._recipe is None:
            self._recipe = restored(self.manifest.state("combiner"), self.task.combiners(self.problem))
        return self._recipe

    def _plugin(self, group: Any, name: str) -> Any:
        try:
            return group.load(name)
        except PluginError as error:
            told = self.manifest.content.get("plugins", {}).get(f"{group.group}:{name}")
            origin = f" of {told[0]} {told[1]}" if told else ""
            what = f"the saved model needs the plugin {name!r}{origin}: {error}"
            if name not in group.rivals:  # the error of a name that is there twice says what to do
                install = f"install {told[0]}=={told[1]}" if told else "install it"
                what += f"; {install}, or pass its class to AutoML.load(path, extra_plugins=[…])"
            raise ArtifactError(what) from error

    # -- scores ----------------------------------------------------------------------------------------------------

    def metric(self) -> Metric:
        """The metric that decided. Raises DataError when it was a function, which is not saved."""
        try:
            return self.task.metric(self.problem, self.problem.metric)
        except OptionError as error:
            raise DataError(
                "metric-not-saved",
                f"this model was fitted for {self.problem.metric!r}, and a saved model holds no code",
                "metric",
                "Give it the function again: model.set_params(metric=function).",
            ) from error

    def about(self, wanted: str | Callable[..., float]) -> dict[str, Any]:
        """What scores are: ``task``, ``metric``, and ``negated``, None where the metric is code that was not saved.

        wanted: the metric as it was asked for.
        """
        try:
            metric = self.metric() if isinstance(wanted, str) else self.task.metric(self.problem, wanted)
            negated = not metric.greater_is_better
        except DataError:
            negated = None
        return {"task": self.task.name, "metric": self.problem.metric, "negated": negated}

    def labelled(self, data: Any, y: Any = None, sample_weight: Any = None) -> tuple[Table, Truth | None, int]:
        """Data with its target as table and truth, weighted if weights are given or among the data's columns.

        Rows without a target are left out, as they are in `fit`; the third is how many. Raises DataError when the
        target is missing.
        """
        table, known = self.schema.labelled(data, y)
        target = self.problem.roles.get("target")
        if target is not None and target not in table.names:
            raise DataError(
                "target-missing",
                f"the data has no column {self._target_label()!r} to score against",
                fix="Pass data that contains the target, or the target beside it: score(X, y).",
            )
        given = len(table)
        weight = None if sample_weight is None else given_weights(sample_weight, given)
        if known is not None and not known.all():
            table, weight = self._with_target(table, known), None if weight is None else weight[known]
        truth = self.task.truth(self.problem, table, np.arange(len(table), dtype=np.int64))
        if truth is not None and weight is not None:
            truth.weight = weight
        return table, truth, given - len(table)

    def _with_target(self, table: Table, known: AnyArray) -> Table:
        """The rows that have one."""
        if not known.any():
            raise DataError(
                "target-all-missing",
                f"no row has a value in {self._target_label()!r} to score against",
                fix="Give rows with a target.",
            )
        return table.take(np.flatnonzero(known))

    def scored(self, metric: Metric, table: Table, truth: Truth | None, model: str | None = None) -> float:
        """Score on labelled data, higher is better."""
        predictions, request = self.predictions(table, model)
        return float(metric.score(truth, predictions, request))

    def honest(self) -> Honest:
        """The ensemble's cross-fitted predictions. Raises ArtifactError when they were not saved."""
        if self._honest is None:
            if "honest" not in self.manifest.states:
                raise ArtifactError(
                    "this model has no cross-fitted predictions: its run was cut short before they were saved, or its "
                    "task's truth cannot be saved; fit again to get an interval"
                )
            self._honest = Honest.of(self.manifest.state("honest"), self.task.container, self.task.truth_type)
        return self._honest

    def _target_label(self) -> Any:
        target = self.problem.roles.get("target")
        rules = {rule.name: rule.label for rule in self.schema.rules}
        return rules.get(target) if isinstance(target, str) else None


def importances(
    predictor: Predictor, metric: Metric, table: Table, truth: Truth | None, repeats: int, seed: int
) -> list[Mapping[str, Any]]:
    """How much the score drops when a feature's values are shuffled: mean and spread over `repeats`, largest first."""
    from dataclasses import replace

    base = predictor.scored(metric, table, truth)
    rng = np.random.default_rng(seed)
    rows = []
    for name in predictor.problem.features:
        drops = []
        for _ in range(repeats):
            order = rng.permutation(len(table))
            columns = tuple(c.take(order) if c.name == name else c for c in table)
            drops.append(base - predictor.scored(metric, replace(table, columns=columns), truth))
        label = table[name].label
        rows.append({"feature": label, "importance": float(np.mean(drops)), "std": float(np.std(drops))})
    return sorted(rows, key=lambda row: -float(row["importance"]))
