"""A search whose trials are simulated: the real scheduler, planner and proposers over eight families of eight knobs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from automl.plugins.tabular.regression import Regression

from automl.contract import (
    ArrayPredictions,
    Column,
    Estimate,
    Facts,
    FitInfo,
    Float,
    Fold,
    ModelPlugin,
    Resources,
    SearchSpace,
    Table,
)
from automl.discovery import PluginRef
from automl.execution.job import Dataset, Job, Outcome
from automl.execution.protocol import Executor
from automl.search import planner as planning
from automl.search.board import Board
from automl.search.clock import Clock
from automl.search.families import Family, Field
from automl.search.folding import Folding
from automl.search.planner import Planner
from automl.search.scheduler import Scheduler
from automl.search.scorer import Scorer
from automl.search.settings import PRESETS, Settings

FAMILIES = 8
KNOBS = tuple(f"k{i}" for i in range(8))
ROWS, VALID = 2000, 400
_NO_BOUND = 10**9


def family(name: str) -> Family:
    """Eight knobs, and no code that ever runs."""

    def estimate(cls: Any, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        return Estimate(1.0)

    model = type(name, (ModelPlugin,), {"name": name, "produces": "real", "estimate": classmethod(estimate)})
    space = SearchSpace({knob: Float(0.0, 1.0) for knob in KNOBS}, dict.fromkeys(KNOBS, 0.5))
    points = tuple(space.portfolio("regression", ROWS))
    return Family(name, model, PluginRef(name, "nowhere:Model"), space, points, (), (), Resources())


def answer(job: Job, truth: Any, seconds: float) -> Outcome:
    """What a trial of so many seconds predicts: the (n,) truth, wrong by how far the knobs are from the best ones."""
    away = sum((float(job.candidate.params.get(name, 0.5)) - 0.3) ** 2 for name in KNOBS)
    wrong = np.random.default_rng(job.id).normal(size=len(truth)) * (0.1 + away)
    return Outcome(ArrayPredictions("real", (truth + wrong)[:, None]), {}, FitInfo(), seconds, seconds, 0.01, 0.001)


def dataset() -> Dataset:
    """2,000 rows, 400 of which are held out."""
    rng, rows = np.random.default_rng(0), np.arange(ROWS)
    columns = (Column("f0", "x", "numeric", rng.normal(size=ROWS)), Column("f1", "y", "numeric", rng.normal(size=ROWS)))
    table = Table(columns, ROWS)
    problem = Regression().load(table, {"target": "f1"}, rows)
    return Dataset(table, problem, (Fold(rows[VALID:], rows[:VALID]),), PluginRef.of(Regression))


@contextlib.contextmanager
def unbounded() -> Iterator[None]:
    """There may be as many trials as time allows, not as many as suit the rows and knobs."""
    bounds = planning._TRIALS_PER_KNOB, planning._FREE_CANDIDATES
    planning._TRIALS_PER_KNOB = planning._FREE_CANDIDATES = _NO_BOUND
    try:
        yield
    finally:
        planning._TRIALS_PER_KNOB, planning._FREE_CANDIDATES = bounds


def search(
    executor: Executor,
    workers: int,
    seconds: float,
    now: float,
    stopped: Callable[[], bool],
    history: Callable[[Planner, Board], None] = lambda planner, board: None,
) -> None:
    """Search with so many workers until `stopped`.

    Args:
        seconds: the time limit, from `now` on.
        history: puts trials on the board before the search, and lets the planner learn of them.
    """
    preset = replace(PRESETS["balanced"], racing=False, blocks=False)
    settings = Settings(slots=workers, deadline=now + seconds, seconds=seconds, preset=preset)
    data, task = dataset(), Regression()
    board, clock = Board(1, Facts("regression", "real", ROWS, 1, 0, 1), settings), Clock(settings, now)
    scorer = Scorer(task, data.problem, data.table, Folding(data.folds, 1), task.metric(data.problem, "auto"))
    executor.open(data)
    families = [family(f"family-{i}") for i in range(FAMILIES)]
    planner = Planner(Field(families), board, scorer, clock, settings, "regression")
    history(planner, board)
    try:
        Scheduler(
            executor,
            planner,
            board,
            scorer,
            clock,
            settings,
            wants=lambda trial, fold: True,
            keep=lambda trial, fold, outcome: {},
            finished=lambda trial: None,
            tick=lambda: None,
            drop=lambda trial: None,
            emit=lambda event: None,
            note=lambda record: None,
            narrow=lambda folds: None,
            stopped=stopped,
        ).run()
    finally:
        planner.close()
