"""The conformance kit for models: every promise of `ModelPlugin`, tried on every example of every task it can serve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from automl.contract import Estimate, Facts, ModelPlugin, Resources, TaskPlugin
from automl.discovery import Registry, missing_requirement
from automl.testing import fitting, predicting
from automl.testing.checks import FAULTS, Check, ContractBroken, Kit, require, run_all
from automl.testing.plugins import (
    require_constructor_only_stores,
    require_declarations,
    require_installed_under_its_name,
    require_light_import,
    require_trusted_types_of_its_own,
)
from automl.testing.scene import Scene, scenes_of
from automl.testing.spaces import SPACE_CHECKS


@dataclass(frozen=True)
class ModelSubject:
    """A model class, and the tasks to try it on; None takes all installed ones."""

    model: type[ModelPlugin]
    tasks: tuple[type[TaskPlugin], ...] | None = None

    def scenes(self) -> list[Scene]:
        """The model on every example it can serve."""
        return scenes_of(self.model, self.tasks)


def check_a_task_can_use_it(subject: ModelSubject) -> None:
    """Its libraries are there, and some task wants its kind from a view that it offers."""
    model = subject.model
    missing = missing_requirement(model)
    require(not missing, f"{model.name!r} cannot run here: {missing}")
    require(subject.scenes(), f"no task here wants {model.kinds_produced()} from a view {model.view!r}")


def check_it_has_a_name_of_its_own(model: type[ModelPlugin]) -> None:
    """The entry point and the class agree on the name."""
    require_installed_under_its_name(model, Registry.installed().models)


def check_importing_it_is_light(model: type[ModelPlugin]) -> None:
    """Its libraries are imported when it works, not when it is listed."""
    require_light_import(model)


def check_the_constructor_only_stores(model: type[ModelPlugin]) -> None:
    """Parameters go in, nothing else happens."""
    require_constructor_only_stores(model)


def check_what_it_declares_makes_sense(model: type[ModelPlugin]) -> None:
    """Kinds, view and flags are of the right types."""
    names = (
        "handles_missing",
        "handles_weight",
        "sparse",
        "baseline",
        "truncatable",
        "seeded",
        "readable",
        "on_request",
    )
    flags = dict.fromkeys(names, bool)
    require_declarations(model, {**flags, "view": str, "kinds": tuple, "encoders": tuple, "produces": (str, tuple)})
    require(model.kinds_produced() and all(model.kinds_produced()), "it does not say what it produces")
    require_trusted_types_of_its_own(model)


def check_its_search_space_is_sound(model: type[ModelPlugin]) -> None:
    """The kit for spaces passes on its own space."""
    for result in run_all(SPACE_CHECKS, model.space) if model.space is not None else []:
        require(result.ok, f"{result.check}: {result.message}")


def check_costs_are_estimated_for_any_size(scene: Scene) -> None:
    """`resources` offers something and `estimate` is a positive figure that does not shrink with the rows."""
    kinds = {"numeric": 8, "category": 2}
    sizes = [
        Facts(scene.problem.task, scene.problem.kind, n, 10, 2, scene.problem.n_outputs, kinds) for n in (50, 10**6)
    ]
    for facts in sizes:
        offers = list(scene.model.resources(facts, scene.params))
        require(offers and all(isinstance(offer, Resources) for offer in offers), "resources() offers nothing")
        require(all(offer.cpus >= 1 for offer in offers), "resources() asks for less than one thread")
    costs = [scene.model.estimate(facts, scene.params) for facts in sizes]
    require(all(isinstance(cost, Estimate) and cost.seconds > 0 for cost in costs), f"estimate() says {costs}")
    require(costs[0].seconds <= costs[1].seconds, "estimate() says that a million rows are faster than fifty")


def _of_model(run: Callable[[type[ModelPlugin]], None]) -> Check:
    return Check(run.__name__.removeprefix("check_"), lambda subject: run(subject.model))


def _of_scene(run: Callable[[Scene], None], applies: Callable[[type[ModelPlugin]], Any] = lambda model: True) -> Check:
    def everywhere(subject: ModelSubject) -> None:
        for scene in subject.scenes():
            try:
                run(scene)
            except FAULTS as error:
                what = str(error) if isinstance(error, ContractBroken) else f"{type(error).__name__}: {error}"
                raise ContractBroken(f"on {scene.stage}: {what}") from error

    return Check(run.__name__.removeprefix("check_"), everywhere, lambda subject: bool(applies(subject.model)))


def _of_all(run: Callable[[Sequence[Scene]], None], applies: Callable[[ModelSubject], bool]) -> Check:
    return Check(run.__name__.removeprefix("check_"), lambda subject: run(subject.scenes()), applies)


def _is_tabular(model: type[ModelPlugin]) -> bool:
    return model.view in ("matrix", "columns")


def _takes_missing(model: type[ModelPlugin]) -> bool:
    return model.view == "columns" or (model.view == "matrix" and model.handles_missing)


def _has_knobs(subject: ModelSubject) -> bool:
    return any(scene.space.knobs for scene in subject.scenes())


MODEL_CHECKS: tuple[Check, ...] = (
    _of_model(check_it_has_a_name_of_its_own),
    _of_model(check_importing_it_is_light),
    _of_model(check_the_constructor_only_stores),
    _of_model(check_what_it_declares_makes_sense),
    _of_model(check_its_search_space_is_sound),
    Check("a_task_can_use_it", check_a_task_can_use_it),
    _of_scene(check_costs_are_estimated_for_any_size),
    _of_scene(predicting.check_predictions_are_what_the_task_means),
    _of_scene(predicting.check_units_are_predicted_independently),
    _of_scene(predicting.check_the_order_of_units_is_irrelevant),
    _of_scene(predicting.check_models_asked_together_answer_as_each_alone),
    _of_scene(predicting.check_it_survives_missing_values_and_unseen_categories, _is_tabular),
    _of_scene(predicting.check_it_is_the_same_after_save_and_load),
    _of_scene(predicting.check_it_saves_no_code),
    _of_scene(predicting.check_it_describes_itself_if_it_says_so, lambda model: model.readable),
    _of_scene(fitting.check_the_same_seed_gives_the_same_model, lambda model: model.deterministic),
    _of_scene(fitting.check_inputs_are_left_alone),
    _of_scene(fitting.check_read_only_inputs_are_enough),
    _of_scene(fitting.check_fit_leaves_the_parameters_alone),
    _of_scene(fitting.check_it_fits_without_validation),
    _of_scene(fitting.check_it_does_not_learn_from_validation),
    _of_scene(fitting.check_a_class_may_be_absent_from_a_fold),
    _of_scene(fitting.check_it_learns_something, lambda model: not model.baseline),
    _of_scene(fitting.check_missing_values_are_handled_if_it_says_so, _takes_missing),
    _of_scene(fitting.check_weights_are_used_if_it_says_so, lambda model: model.handles_weight),
    _of_all(fitting.check_it_stops_early_if_it_says_so, lambda subject: subject.model.truncatable),
    _of_all(fitting.check_points_of_its_space_fit, _has_knobs),
)


class ModelChecks(Kit):
    """Set `plugin` to a model class; `tasks` narrows the tasks it is tried on, all installed ones by default."""

    checks = MODEL_CHECKS
    tasks: ClassVar[Sequence[type[TaskPlugin]] | None] = None

    def subject(self) -> ModelSubject:
        return ModelSubject(self.plugin, None if self.tasks is None else tuple(self.tasks))
