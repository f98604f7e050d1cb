"""The unit of work, as every executor runs it: fit one candidate on one fold, save it, reload it, compare, report."""

from __future__ import annotations

import importlib
import json
import math
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import (
    ArtifactError,
    Facts,
    FitContext,
    FitInfo,
    IntArray,
    ModelPlugin,
    PluginError,
    Predictions,
    Problem,
    Table,
    TaskPlugin,
)
from automl.execution.fitted import FittedModel
from automl.execution.fold_views import Asked, own, views_of
from automl.execution.job import Dataset, Event, Job, Outcome
from automl.execution.views import TABULAR

_COMPARED_ROWS = 200
_RELOAD_TOLERANCE = 1e-6
_REPORT_SECONDS = 0.5
_TIMED_TOGETHER, _SWEPT_CELLS = 2, 1 << 20


def run(job: Job, dataset: Dataset, progress: Callable[[int, float], None]) -> Event:
    """Do the job. Never raises: whatever a plugin does short of killing the process comes back as an event."""
    try:
        return Event(job.id, "done", evaluate(job, dataset, progress))
    except MemoryError as error:
        return Event(job.id, "oom", message=f"out of memory: {error}"[:300], detail=traceback.format_exc())
    except (PluginError, ArtifactError) as error:
        return Event(job.id, "invalid", message=str(error)[:300], detail=traceback.format_exc())
    except BaseException as error:  # a plugin may raise SystemExit or KeyboardInterrupt
        return Event(job.id, "error", message=f"{type(error).__name__}: {error}"[:300], detail=traceback.format_exc())


def evaluate(job: Job, dataset: Dataset, progress: Callable[[int, float], None]) -> Outcome:
    """Fit, predict the fold's validation units, save, reload and compare. Raises what the plugin raises."""
    _import_libraries(job)
    wall, cpu = time.perf_counter(), time.process_time()
    task: TaskPlugin = dataset.task.load()()
    train, valid = rows_of(job, dataset)
    fitted, info, X = _fit(job, dataset, task, train, valid, progress)
    predictions, predict_s = None, 0.0
    if valid is not None:
        start = time.perf_counter()
        request = task.request(dataset.problem, dataset.table, valid, train, fitted.model.view)
        predictions = fitted.answer(dataset.problem, request if X is None else replace(request, X=own(X)))
        _check(task, dataset, predictions, valid, train, fitted.model.name)
        predict_s = time.perf_counter() - start
    probe = train if valid is None else valid
    files, reloaded = _saved(job, dataset, task, fitted, probe, train) if job.save else ({}, fitted)
    row_s = _row_seconds(reloaded, dataset, task, probe) if job.measure else math.nan
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Outcome(predictions, files, info, wall, cpu, predict_s, row_s)


def _check(
    task: TaskPlugin, dataset: Dataset, predictions: Predictions, valid: IntArray, train: IntArray, name: str
) -> None:
    """The task's own check. Raises PluginError with its reason."""
    request = task.request(dataset.problem, dataset.table, valid, train)
    try:
        task.check(dataset.problem, predictions, request)
    except ValueError as error:
        raise PluginError(f"model {name!r} returned what task {task.name!r} does not take: {error}") from error


def _import_libraries(job: Job) -> None:
    """Import what the plugins require, so that no fit pays for it."""
    for reference in (job.model, *job.encoders):
        for module in reference.load().requires:
            importlib.import_module(module)


def rows_of(job: Job, dataset: Dataset) -> tuple[IntArray, IntArray | None]:
    """Training and validation rows of a job; a fidelity below 1 thins the training rows evenly at random."""
    if job.fold < 0:
        return np.arange(len(dataset.table), dtype=np.int64), None
    fold = dataset.folds[job.fold]
    train = fold.train
    if job.candidate.fidelity < 1.0:
        size = max(2, round(len(train) * job.candidate.fidelity))
        chosen = np.random.default_rng(job.fold).choice(len(train), size, replace=False)
        train = train[np.sort(chosen)]
    return train, fold.valid


def facts_of(problem: Problem, table: Table, n_rows: int) -> Facts:
    """A problem as models are told it."""
    kinds: dict[str, int] = {}
    for name in problem.features:
        kind = table[name].kind
        kinds[kind] = kinds.get(kind, 0) + 1
    features = len(problem.features)
    categories = kinds.get("category", 0)
    return Facts(
        problem.task, problem.kind, n_rows, features, categories, problem.n_outputs, kinds, learnt=problem.facts
    )


def _fit(
    job: Job,
    dataset: Dataset,
    task: TaskPlugin,
    train: IntArray,
    valid: IntArray | None,
    progress: Callable[[int, float], None],
) -> tuple[FittedModel, FitInfo, Any]:
    """The fitted model, what it found out, and X of the validation rows as it saw them; None where there is none."""
    problem, table = dataset.problem, dataset.table
    model_class: type[ModelPlugin] = job.model.load()
    model = model_class(**job.candidate.params)
    ctx = _context(job, dataset, len(train), progress)
    batch = task.batch(problem, table, train, model.view)
    ctx = replace(ctx, groups=batch.groups)
    held = None if valid is None else task.batch(problem, table, valid, model.view)
    seen = None
    if model.view in TABULAR:
        seen = views_of(dataset).sight(Asked(job, dataset, train, valid, batch.y, ctx), job.encoders)
        batch = replace(batch, X=seen.train)
        held = None if held is None else replace(held, X=own(seen.valid))
    if not model.handles_weight and batch.weight is not None:
        batch = replace(batch, weight=None)
        held = None if held is None else replace(held, weight=None)
    info = _told(model.fit(batch, held, ctx))
    return FittedModel(model, None if seen is None else seen.view), info, None if seen is None else seen.valid


def _told(info: Any) -> FitInfo:
    """What fit returned. Raises PluginError when that is nothing that the journal could take."""
    if info is None:
        return FitInfo()
    if not isinstance(info, FitInfo):
        raise PluginError(f"fit returned {type(info).__name__}, not FitInfo or None")
    refit = {}
    for name, value in info.refit.items():
        try:
            json.dumps(value, default=_as_json)
        except (TypeError, ValueError):
            raise PluginError(
                f"FitInfo.refit[{name!r}] is {value!r}, which is no JSON value: give settings of the model"
            ) from None
        refit[name] = _as_json(value) if isinstance(value, np.generic) else value
    return replace(info, refit=refit)


def _as_json(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _context(job: Job, dataset: Dataset, n_rows: int, progress: Callable[[int, float], None]) -> FitContext:
    """What the model is told; progress goes out at most twice a second."""
    last = 0.0
    deadline = min(time.monotonic() + job.seconds, job.until)

    def report(step: int, value: float) -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last >= _REPORT_SECONDS:
            last = now
            progress(step, float(value))
        return now >= deadline

    return FitContext(
        facts=facts_of(dataset.problem, dataset.table, n_rows),
        seed=job.candidate.seed,
        threads=job.resources.cpus,
        device="cuda" if job.resources.gpus else "cpu",
        deadline=deadline,
        problem_facts=dataset.problem.facts,
        aim=dataset.problem.aim,
        report=report,
    )


def _saved(
    job: Job, dataset: Dataset, task: TaskPlugin, fitted: FittedModel, rows: IntArray, known: IntArray
) -> tuple[Mapping[str, bytes], FittedModel]:
    """The model's files, and the model read back from them. Raises PluginError when it predicts differently."""
    encoders = {ref.name: ref.load() for ref in job.encoders}
    with tempfile.TemporaryDirectory(prefix="cairn-") as place:
        folder = Path(place)
        fitted.save(folder)
        reloaded = FittedModel.load(folder, type(fitted.model), encoders)
        few = rows[:_COMPARED_ROWS]
        before = fitted.predict(task, dataset.problem, dataset.table, few, known)
        after = reloaded.predict(task, dataset.problem, dataset.table, few, known)
        _compare(before, after, fitted.model.name)
        files = {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}
    return files, reloaded


def _compare(before: Predictions, after: Predictions, name: str) -> None:
    distance = before.distance(after)
    if not distance <= _RELOAD_TOLERANCE:
        raise PluginError(
            f"model {name!r} predicts differently after save and load (largest difference {distance:.3g}); "
            "its save or load forgets something that fit learnt"
        )


def _row_seconds(fitted: FittedModel, dataset: Dataset, task: TaskPlugin, rows: IntArray) -> float:
    """Seconds to predict one row as a saved ensemble does it: half of what two such models together take.

    The row is read already, as it is once for all members, and what a busy service leaves of the processor's caches is
    imitated. The least of five tries: whatever else the machine does should not count.
    """
    problem, view = dataset.problem, fitted.view
    ask = type(fitted.model).together([fitted.model] * _TIMED_TOGETHER)
    swept, times = np.zeros(_SWEPT_CELLS), []
    for row in [rows[0], *rows[:5]]:
        request = task.request(problem, dataset.table.take(np.array([row])), None, None, fitted.model.view)
        features = dataset.table.select(problem.features).take(np.array([row]))
        swept += 1.0
        start = time.perf_counter()
        ask(request if view is None else replace(request, X=view.transform(features)))
        times.append(time.perf_counter() - start)
    return min(times[1:]) / _TIMED_TOGETHER
