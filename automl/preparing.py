"""All that is decided before the first model of a run, and how a run that was broken off is taken up again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import ArtifactError, Finding, OptionError, TaskPlugin
from automl.execution.unit import facts_of
from automl.footprint import Footprints
from automl.intake import Intake, Schema
from automl.search.choosing import choose_task, define
from automl.search.clock import Clock
from automl.search.events import Noticed
from automl.search.families import Field, gather
from automl.search.folding import make_folds
from automl.search.history import History, Inputs
from automl.search.run import Run
from automl.search.settings import Settings, resolved
from automl.session import Session
from automl.store import RunFolder

Metric = str | Callable[..., float]


def prepared(
    running: Session,
    params: Mapping[str, Any],
    intake: Intake,
    asked: Mapping[str, Any],
    folds: Any,
    data: Any,
    kinds: Sequence[str] | None,
) -> tuple[Run, Inputs]:
    """A new run, and what it begins with.

    Args:
        params: the public options.
        asked: settings of the task.
        folds: as given to `AutoML.fit`, as `data` is.
        kinds: of predictions, to choose a task by; None for all.
    """
    registry, settings, table = running.registry, running.settled(), intake.table
    task = choose_task(registry, params["task"], table, intake.roles, kinds, settings)
    problem, _ = define(task, table, intake.roles, asked, params["metric"])
    facts = facts_of(problem, table, len(table))
    field = gather(registry, task, facts, settings, list(table.select(problem.features)))
    folding = make_folds(task, problem, table, facts, field.contenders(), settings, _kept_folds(folds, intake))
    problem = replace(problem, findings=(*problem.findings, *registry.findings()))
    for finding in (*intake.findings, *problem.findings):
        running.emit(Noticed(finding))
    names = _feature_names(data, intake.schema.n_features_in)
    params = {**params, "random_state": settings.seed}
    inputs = Inputs(params, task.name, problem, table, intake.schema.to_state(), folding, names)
    folder = running.make_folder(params["path"], params["overwrite"])
    if params["path"] is not None:
        _keep(inputs, folder, running)
    return _run(running, params["metric"], inputs, task, field, settings), inputs


def continued(running: Session, metric: Metric, inputs: Inputs, history: History) -> Run:
    """The run of an earlier process, whose folder the session has. Raises OptionError for a preset that cannot be."""
    settings, table = running.settled(), inputs.table
    if resolved(inputs.params["preset"]).refit != settings.preset.refit:
        raise OptionError(
            f"the run kept the models for preset {inputs.params['preset']!r}, whose members are fitted on all rows in "
            "another way: go on with that one, or fit anew in another folder"
        )
    task = choose_task(running.registry, inputs.task, table, inputs.problem.roles, None, settings)
    facts = facts_of(inputs.problem, table, len(table))
    field = gather(running.registry, task, facts, settings, list(table.select(inputs.problem.features)))
    history.widen(settings.deadline - time.monotonic())
    return _run(running, metric, inputs, task, field, settings, history)


@contextmanager
def reopened(path: str | Path) -> Iterator[tuple[RunFolder, Inputs, History]]:
    """The folder of a run that was broken off, what it began with, and what it has done.

    Raises ArtifactError when it cannot be resumed, OptionError while another process is at it.
    """
    folder = RunFolder.reopen(path, sync=False)
    try:
        inputs = Inputs.read(folder)
        history = History.of(folder.journal.found, folder)
        folder.journal.found = []  # thousands of records, which the history has
        folder.adopt(history.models())
        yield folder, inputs, history
    except BaseException:
        folder.close()
        raise


def _keep(inputs: Inputs, folder: RunFolder, running: Session) -> None:
    """For a later process; a run on what cannot be kept goes on, and says so."""
    try:
        folder.write_inputs(inputs.state())
    except (ArtifactError, OSError) as error:
        what = f"this run cannot be resumed if it is broken off: {error}"
        running.emit(Noticed(Finding("not-resumable", what, done="its last commit can be loaded all the same")))


def _run(
    running: Session,
    metric: Metric,
    inputs: Inputs,
    task: TaskPlugin,
    field: Field,
    settings: Settings,
    history: History | None = None,
) -> Run:
    folder = running.folder
    assert folder is not None
    folder.plugins = running.registry.origins()
    return Run(
        task,
        running.registry.tasks.reference(task.name),
        inputs.problem,
        inputs.table,
        Schema.from_state(inputs.schema).served_state(),
        metric,
        field,
        inputs.folding.narrowed(history.narrowed) if history and history.narrowed else inputs.folding,
        settings,
        running.executor,
        folder,
        Clock(settings, settings.deadline - settings.seconds if settings.clocked else time.monotonic()),
        running.emit,
        running.stopped,
        Footprints(folder.path, running.registry, task, inputs.problem, inputs.table, inputs.schema),
        history,
    )


def _kept_folds(folds: Any, intake: Intake) -> Any:
    """The user's folds in numbers of the rows that were kept: what was dropped leaves both sides."""
    if folds is None or hasattr(folds, "split"):
        return folds
    if hasattr(folds, "__next__"):
        folds = list(folds)
    rows = intake.rows_kept
    if isinstance(folds, list | tuple) and folds and isinstance(folds[0], list | tuple):
        return folds if len(rows) == intake.n_given else [tuple(_renumbered(p, intake) for p in pair) for pair in folds]
    numbers = np.asarray(folds)
    return numbers[rows] if numbers.ndim == 1 and len(numbers) > len(rows) else numbers


def _renumbered(part: Any, intake: Intake) -> Any:
    """Positions in the caller's data as those of the table's rows; as given where they are none."""
    given = np.asarray(part)
    if given.ndim != 1 or given.dtype.kind not in "iu" or not len(given):
        return part
    if given.min() < 0 or given.max() >= intake.n_given:
        raise OptionError(f"folds: a fold has rows outside 0…{intake.n_given - 1}")
    return np.flatnonzero(np.isin(intake.rows_kept, given))


def _feature_names(data: Any, width: int) -> list[str] | None:
    """The caller's `width` column names, when the data is a frame of nothing but features, named by strings."""
    names = list(getattr(data, "columns", ()))
    if len(names) != width or not all(isinstance(name, str) for name in names):
        return None
    return names
