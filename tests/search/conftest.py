"""A search without models: families whose quality is known, and an executor that answers as it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from automl.plugins.tabular.regression import Regression

from automl.contract import (
    ArrayPredictions,
    Column,
    Estimate,
    Facts,
    FitInfo,
    Float,
    FoldPlan,
    ModelPlugin,
    Resources,
    SearchSpace,
    Start,
    Table,
)
from automl.discovery import PluginRef
from automl.execution.job import Dataset, Event, Job, Outcome
from automl.execution.protocol import Capacity, NodeUse
from automl.search.board import Board
from automl.search.clock import Clock
from automl.search.events import TrialFinished
from automl.search.families import Family, Field
from automl.search.folding import Folding
from automl.search.planner import Planner
from automl.search.scheduler import Scheduler
from automl.search.scorer import Scorer
from automl.search.settings import Settings
from automl.search.trial import Trial

FACTS = Facts("regression", "real", 60, 1, 0, 1)
Answer = Callable[[Job], Any]


def family(
    name: str,
    *,
    baseline: bool = False,
    seconds: float = 1.0,
    knobs: bool | None = None,
    starts: int = 0,
    **traits: Any,
) -> Family:
    """A family with `starts` further start points and the knob `level`, whose default is .5; a baseline has none.

    Further knobs that mean nothing let it go on for long.
    """

    def estimate(cls: Any, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        return Estimate(seconds)

    made = {"name": name, "produces": "real", "baseline": baseline, "estimate": classmethod(estimate), **traits}
    model = type(name, (ModelPlugin,), made)
    others = tuple(Start(f"s{i}", {"level": 0.1 * (i + 1)}) for i in range(starts))
    names = ("level", *(f"idle{i}" for i in range(5)))
    space = SearchSpace()
    if knobs if knobs is not None else not baseline:
        space = SearchSpace({n: Float(0.0, 1.0) for n in names}, dict.fromkeys(names, 0.5), {}, others)
    points = tuple(space.portfolio("regression", 60))
    return Family(name, model, PluginRef(name, "nowhere:Model"), space, points, (), (), Resources())


class FakeExecutor:
    """Answers a job with predictions that are wrong by the number its answer gives, or with the event it names."""

    isolates = True

    def __init__(self, answer: Answer, slots: int = 1) -> None:
        self.answer, self.slots = answer, slots
        self.jobs: list[Job] = []
        self.killed: list[int] = []
        self._queue: list[Job] = []
        self.dataset: Dataset | None = None

    def start(self) -> None:
        """Nothing."""

    def open(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self._queue.append(job)

    def wait(self, timeout: float) -> list[Event]:
        if not self._queue:
            return []
        job = self._queue.pop(0)
        given = self.answer(job)
        if isinstance(given, Event):
            return [given]
        if isinstance(given, str):
            return [Event(job.id, given, message=f"{given} on purpose")]  # type: ignore[arg-type]
        assert self.dataset is not None
        y = self.dataset.table["f1"].values[self.dataset.folds[job.fold].valid]
        predictions = ArrayPredictions("real", (y + given)[:, None])
        outcome = Outcome(predictions, {"m": b"x"}, FitInfo(), 1.0, 1.0, 0.1, 0.001)
        return [Event(job.id, "progress", step=1, value=0.5), Event(job.id, "done", outcome)]

    def kill(self, job: int) -> None:
        self.killed.append(job)
        self.withdraw(job)

    def withdraw(self, job: int) -> bool:
        there = len(self._queue)
        self._queue = [waiting for waiting in self._queue if waiting.id != job]
        return len(self._queue) < there

    def capacity(self) -> Capacity:
        return Capacity(self.slots, len(self._queue))

    def nodes(self) -> list[NodeUse]:
        return []

    def close(self) -> None:
        """Nothing."""


@dataclass
class Search:
    """A finished scripted search."""

    board: Board
    executor: FakeExecutor
    scorer: Scorer
    told: list[Any]
    notes: list[dict[str, Any]]
    finished: list[Trial]
    dropped: list[Trial]
    kept: list[tuple[str, int]] = field(default_factory=list)
    narrowed: list[int] = field(default_factory=list)

    def keep(self, trial: Trial, fold: int, outcome: Outcome) -> dict[str, Any]:
        """Note that a fold was to be kept."""
        self.kept.append((trial.name, fold))
        return {}

    @property
    def order(self) -> list[tuple[str, int]]:
        """(model, fold) of every job, as submitted."""
        return [(job.candidate.model, job.fold) for job in self.executor.jobs]

    def trial(self, name: str) -> Trial:
        return next(trial for trial in self.board.trials if trial.name == name)

    def ends(self) -> list[TrialFinished]:
        return [event for event in self.told if isinstance(event, TrialFinished)]


def small_table(n: int = 60) -> Table:
    rng = np.random.default_rng(0)
    columns = (Column("f0", "x", "numeric", rng.normal(size=n)), Column("f1", "y", "numeric", rng.normal(size=n)))
    return Table(columns, n)


def searched(
    families: Sequence[Family],
    answer: Answer,
    *,
    n_folds: int = 3,
    repeats: int = 1,
    slots: int = 1,
    rows: int = 60,
    stopped: Callable[[], bool] = lambda: False,
    executor: type[FakeExecutor] = FakeExecutor,
    wants: Callable[[Trial, int], bool] = lambda trial, fold: True,
    keep: Callable[[Trial, int, Outcome], dict[str, Any]] | None = None,
    **options: Any,
) -> Search:
    """Run the whole search over these families with these answers, as if there were so many rows to learn from."""
    settings = Settings(slots=slots, **{"n_trials": 6, **options})
    table, task = small_table(), Regression()
    problem = task.load(table, {"target": "f1"}, np.arange(60))
    folds = [f for r in range(repeats) for f in task.folds(problem, table, FoldPlan(n_folds, seed=r))]
    folding = Folding(tuple(folds), repeats)
    board = Board(folding.judged, replace(FACTS, n_rows=rows), settings)
    clock = Clock(settings)
    scorer = Scorer(task, problem, table, folding, task.metric(problem, "auto"))
    planner = Planner(Field(list(families)), board, scorer, clock, settings, "regression", repeats)
    runs = executor(answer, slots)
    runs.open(Dataset(table, problem, folding.folds, PluginRef.of(Regression)))
    found = Search(board, runs, scorer, [], [], [], [])

    def narrow(folds: int) -> None:
        board.narrow(folds)
        scorer.narrow(folds)
        found.narrowed.append(folds)

    Scheduler(
        runs,
        planner,
        board,
        scorer,
        clock,
        settings,
        wants=wants,
        keep=keep or found.keep,
        finished=found.finished.append,
        tick=lambda: None,
        drop=found.dropped.append,
        emit=found.told.append,
        note=found.notes.append,
        narrow=narrow,
        stopped=stopped,
    ).run()
    planner.close()
    return found


class Workbench:
    """What the tests of this folder are given."""

    facts = FACTS
    executor = FakeExecutor
    family = staticmethod(family)
    search = staticmethod(searched)
    table = staticmethod(small_table)


@pytest.fixture
def bench() -> Workbench:
    return Workbench()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """``now[0]`` is what every clock of the engine shows."""
    shown = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: shown[0])
    return shown
