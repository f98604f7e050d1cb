"""The conformance kit for tasks: every promise of `TaskPlugin`, tried on the examples that the task brings itself."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from automl.contract import (
    AutoMLError,
    Column,
    DataError,
    FoldPlan,
    IntArray,
    ModelPlugin,
    Predictions,
    Table,
    TaskPlugin,
    Truth,
    read_state,
    write_state,
)
from automl.discovery import Registry, missing_requirement
from automl.testing import scoring
from automl.testing.checks import FAULTS, Check, ContractBroken, Kit, require
from automl.testing.compare import fingerprint
from automl.testing.plugins import require_installed_under_its_name, require_light_import
from automl.testing.scene import Scene, Stage, scenes_of, stages_of


@dataclass(frozen=True)
class TaskSubject:
    """A task class, and the models to play on it; None takes all installed ones."""

    task: type[TaskPlugin]
    models: tuple[type[ModelPlugin], ...] | None = None

    def stages(self) -> list[Stage]:
        """Its examples, read and split."""
        return stages_of(self.task)

    def scenes(self) -> list[Scene]:
        """Its first baseline on each of its examples. Raises ContractBroken when it has none."""
        models = self.models
        if models is None:
            models = tuple(Registry.installed().models.load_all().values())
        for model in sorted(models, key=lambda model: model.name):
            fits = self.task.produces in model.kinds_produced() and model.view in self.task.views
            if fits and model.baseline and not missing_requirement(model):
                return scenes_of(model, (self.task,))
        raise ContractBroken(f"no model with baseline = True produces {self.task.produces!r} from {self.task.views}")


def check_it_has_a_name_of_its_own(subject: TaskSubject) -> None:
    """The entry point and the class agree on the name."""
    require_installed_under_its_name(subject.task, Registry.installed().tasks)


def check_importing_it_is_light(subject: TaskSubject) -> None:
    """Its libraries are imported when it works, not when it is listed."""
    require_light_import(subject.task)


def check_what_it_declares_makes_sense(subject: TaskSubject) -> None:
    """It says what it produces, in which container, from which views, and what its use is bound to."""
    task = subject.task
    require(task.produces, "it does not say what it produces")
    require(isinstance(task.views, tuple) and task.views, f"views is {task.views!r}, not a tuple of names")
    require(isinstance(task.roles, Mapping), f"roles is {task.roles!r}, not a mapping of role to meaning")
    container = task.container
    require(isinstance(container, type) and issubclass(container, Predictions), f"container is {container!r}")
    truth_type = task.truth_type
    require(isinstance(truth_type, type) and issubclass(truth_type, Truth), f"truth_type is {truth_type!r}")
    for name, kind in {"extra": str, "license": str, "noncommercial": bool, "needs_network": bool}.items():
        require(isinstance(getattr(task, name), kind), f"{name} is {getattr(task, name)!r}, not a {kind.__name__}")
    require(subject.stages(), "examples() gives no example")


def check_it_knows_its_own_examples(stage: Stage) -> None:
    """`claims` is a number from 0 to 1, also for data without roles; `load` speaks of this task."""
    for roles in (stage.roles, {}):
        claim = stage.task.claims(stage.table, roles)
        require(0.0 <= claim <= 1.0, f"claims {claim!r} for roles {sorted(roles)}")
    problem = stage.problem
    require(problem.task == stage.task.name, f"load says task {problem.task!r}")
    require(problem.kind == stage.task.produces, f"load says kind {problem.kind!r}, not {stage.task.produces!r}")
    require(set(problem.features) <= set(stage.table.names), "load names features that are no columns")
    require(problem.n_outputs >= 1, f"load says n_outputs = {problem.n_outputs}")


def check_what_it_learnt_can_travel(stage: Stage) -> None:
    """The facts are JSON values and arrays: they go to workers and into the artifact."""
    pickle.loads(pickle.dumps(stage.problem))
    with tempfile.TemporaryDirectory() as place:
        write_state(Path(place), {"facts": dict(stage.problem.facts)})
        back = read_state(Path(place))["facts"]
    require(
        fingerprint(back) == fingerprint(dict(stage.problem.facts)), "the facts change when they are saved and read"
    )


def check_it_learns_from_its_rows_only(stage: Stage) -> None:
    """`load` on some rows gives the same whatever the other rows hold."""
    rows = stage.folds[0].train
    index = np.arange(len(stage.table))
    others = np.setdiff1d(index, rows)
    index[others] = rows[np.arange(len(others)) % len(rows)]
    plain = stage.task.load(stage.table, stage.roles, rows)
    altered = stage.task.load(stage.table.take(index), stage.roles, rows)
    same = fingerprint([plain.facts, plain.n_outputs]) == fingerprint([altered.facts, altered.n_outputs])
    require(same, "load learns from rows that it was not given")


def check_unusable_data_is_refused(stage: Stage) -> None:
    """Without the roles it needs, `load` raises DataError and nothing else."""
    if not stage.roles:
        return
    try:
        stage.task.load(stage.table, {}, np.arange(len(stage.table)))
    except DataError as error:
        require(error.code and error.what, "the DataError has no code or says nothing")
    except FAULTS as error:
        raise ContractBroken(f"without roles, load raises {type(error).__name__}, not DataError: {error}") from error
    else:
        raise ContractBroken(f"load accepts data without the roles {sorted(stage.roles)} of its own example")


def check_folds_keep_validation_rows_apart(stage: Stage) -> None:
    """Rows exist, none is learnt from and validated on, none validated on twice; `n_folds = 1` gives one fold."""
    n = len(stage.table)
    for n_folds in (3, 1):
        folds = stage.task.folds(stage.problem, stage.table, FoldPlan(n_folds, seed=0))
        require(1 <= len(folds) <= n_folds, f"{len(folds)} folds for a plan of {n_folds}")
        for fold in folds:
            for rows in (fold.train, fold.valid):
                require(len(rows), "a fold without training or validation rows")
                require(rows.min() >= 0 and rows.max() < n, "a fold names rows that do not exist")
                require(len(np.unique(rows)) == len(rows), "a fold names a row twice")
            unsupervised = np.array_equal(fold.train, fold.valid) and "target" not in stage.roles
            shared = np.intersect1d(fold.train, fold.valid)
            require(unsupervised or not len(shared), f"{len(shared)} rows are learnt from and validated on")
        valid = np.concatenate([fold.valid for fold in folds])
        require(len(folds) == 1 or len(np.unique(valid)) == len(valid), "a row is validated on in two folds")


def check_the_same_plan_gives_the_same_folds(stage: Stage) -> None:
    """Folds depend on the plan alone, and the user's own are used as they are."""
    plan = FoldPlan(3, seed=4)
    one, other = (stage.task.folds(stage.problem, stage.table, plan) for _ in range(2))
    require(fingerprint(list(one)) == fingerprint(list(other)), "two splits by one plan differ")
    rows = np.arange(len(stage.table))
    given = ((rows[::2], rows[1::2]), (rows[1::2], rows[::2]))
    folds = stage.task.folds(stage.problem, stage.table, FoldPlan(2, given=given))
    kept = len(folds) == 2 and all(np.array_equal(f.valid, valid) for f, (_, valid) in zip(folds, given, strict=True))
    require(kept, "the user's own folds (plan.given) are not used")


def check_request_and_truth_speak_of_the_same_units(stage: Stage) -> None:
    """One entry each per unit, also after `take`; new data without the target has units too."""
    fold = stage.folds[0]
    for view in stage.task.views:
        request = stage.task.request(stage.problem, stage.table, fold.valid, fold.train, view)
        require(len(request), "a request for validation rows has no units")
        truth = stage.task.truth(stage.problem, stage.table, fold.valid)
        require(truth is None or len(truth) == len(request), f"{len(request)} units, truth for {truth and len(truth)}")
        first = np.array([0])
        require(len(request.take(first)) == 1, "one unit of a request is not one unit")
        require(truth is None or len(truth.take(first)) == 1, "the truth of one unit is not one truth")
        new = stage.task.request(stage.problem, without_target(stage), None, None, view)
        require(len(new) >= len(request), f"all rows without target give {len(new)} units, some gave {len(request)}")


def check_its_truth_can_be_saved(stage: Stage) -> None:
    """What `state` gives survives on disk, and `truth_type` restores the same truth from it."""
    truth = stage.task.truth(stage.problem, stage.table, stage.folds[0].valid)
    if truth is None:
        return
    wanted = stage.task.truth_type
    require(type(truth) is wanted, f"its truth is a {type(truth).__name__}, and truth_type says {wanted.__name__}")
    with tempfile.TemporaryDirectory() as place:
        write_state(Path(place), truth.state())
        again = wanted.from_state(read_state(Path(place)))
    require(fingerprint(vars(again)) == fingerprint(vars(truth)), "its truth is another one after save and load")


def without_target(stage: Stage) -> Table:
    """The table as it comes to predict: no target column."""
    target = stage.roles.get("target")
    return Table(tuple(column for column in stage.table if column.name != target), len(stage.table))


def check_requests_do_not_show_the_target(stage: Stage) -> None:
    """With other targets in the validation rows, the request for them stays the same."""
    target = stage.roles.get("target")
    if target is None:
        return
    fold = stage.folds[0]
    altered = tuple(_turned(column, fold.valid) if column.name == target else column for column in stage.table)
    for view in stage.task.views:
        tables = (stage.table, Table(altered, len(stage.table)))
        seen = [stage.task.request(stage.problem, table, fold.valid, fold.train, view) for table in tables]
        require(fingerprint(seen[0]) == fingerprint(seen[1]), "a request holds what is to be predicted")


def _turned(column: Column, rows: IntArray) -> Column:
    values = column.values.copy()
    values[rows] = values[rows[::-1]]
    return replace(column, values=values)


def check_the_table_is_left_alone(stage: Stage) -> None:
    """No step changes the table or the problem."""
    before = fingerprint([stage.table, stage.problem])
    fold = stage.folds[0]
    stage.task.load(stage.table, stage.roles, fold.train)
    for view in stage.task.views:
        stage.task.batch(stage.problem, stage.table, fold.train, view)
        stage.task.request(stage.problem, stage.table, fold.valid, fold.train, view)
    require(fingerprint([stage.table, stage.problem]) == before, "the table or the problem changed")


def check_metrics_can_be_asked_for(stage: Stage) -> None:
    """By name or "auto"; an unknown name is an error of ours that says so."""
    metrics = stage.task.metrics(stage.problem)
    require(metrics, "it has no metric")
    for name, metric in metrics.items():
        require(metric.name == name, f"metric {name!r} calls itself {metric.name!r}")
        require(metric.signed(metric.signed(1.5)) == 1.5, f"metric {name!r}: signed is not its own inverse")
    require(stage.task.metric(stage.problem, "auto").name in metrics, "its default metric is none of its metrics")
    try:
        stage.task.metric(stage.problem, "no such metric")
    except AutoMLError:
        return
    raise ContractBroken("it accepts a metric that does not exist")


def _everywhere(run: Callable[[Any], None], places: str) -> Check:
    def everywhere(subject: TaskSubject) -> None:
        for place in getattr(subject, places)():
            try:
                run(place)
            except FAULTS as error:
                what = str(error) if isinstance(error, ContractBroken) else f"{type(error).__name__}: {error}"
                raise ContractBroken(f"on {getattr(place, 'stage', place)}: {what}") from error

    return Check(run.__name__.removeprefix("check_"), everywhere)


TASK_CHECKS: tuple[Check, ...] = (
    *(
        Check(run.__name__.removeprefix("check_"), run)
        for run in (check_it_has_a_name_of_its_own, check_importing_it_is_light, check_what_it_declares_makes_sense)
    ),
    *(
        _everywhere(run, "stages")
        for run in (
            check_it_knows_its_own_examples,
            check_what_it_learnt_can_travel,
            check_it_learns_from_its_rows_only,
            check_unusable_data_is_refused,
            check_folds_keep_validation_rows_apart,
            check_the_same_plan_gives_the_same_folds,
            check_request_and_truth_speak_of_the_same_units,
            check_its_truth_can_be_saved,
            check_requests_do_not_show_the_target,
            check_the_table_is_left_alone,
            check_metrics_can_be_asked_for,
        )
    ),
    *(
        _everywhere(run, "scenes")
        for run in (
            scoring.check_a_baseline_runs_and_has_a_score,
            scoring.check_no_metric_depends_on_the_order_of_units,
            scoring.check_true_answers_score_no_worse_than_a_baseline,
            scoring.check_its_container_can_be_cut_joined_and_saved,
            scoring.check_its_combiners_keep_their_contract,
            scoring.check_there_is_one_answer_per_unit,
        )
    ),
)


class TaskChecks(Kit):
    """Set `plugin` to a task class; `models` narrows the models played on it, all installed ones by default."""

    checks = TASK_CHECKS
    models: ClassVar[Sequence[type[ModelPlugin]] | None] = None

    def subject(self) -> TaskSubject:
        return TaskSubject(self.plugin, None if self.models is None else tuple(self.models))
