"""What a trial costs beside the model: Cairn's engine on Ray against Ray Tune with OptunaSearch, no-op trials.

Both search four numbers for the same value at no cost, on the same Ray of this machine, with as many trials at once and
workers that are kept, one after the other, several times in turn. Cairn's trial does all that a trial does there: a fit
of a no-op plugin on a fold, its predictions checked, the model saved, reloaded and compared. Printed are milliseconds a
trial: wall, and CPU of the driver, the workers and Ray's daemons together, without what the workers take to start.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

from automl.contract import Batch, FitContext, Float, ModelPlugin, Params, Request, SearchSpace
from automl.discovery import PluginRef, Registry
from automl.execution.job import Candidate, Dataset, Job
from automl.execution.ray import RayExecutor
from automl.search.proposer import Proposer
from automl.testing.scripted import RUNNER, script
from automl.testing.scripted import small_dataset as scripted_dataset

KNOBS = ("a", "b", "c", "d")
MOST_CPU_MS = 8.0
SHARE_OF_TUNE = 0.1
_SETTLE_SECONDS, _IDLE_SECONDS = 20.0, 0.03


class Nothing(ModelPlugin):
    """Predicts zero."""

    name = "nothing-at-all"
    produces = "real"
    view = "columns"
    space = SearchSpace({name: Float(0.0, 1.0) for name in KNOBS}, dict.fromkeys(KNOBS, 0.5))

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        """Learn nothing."""

    def predict(self, request: Request) -> Any:
        """Zero for every row."""
        return np.zeros(len(request.units))


@dataclass(frozen=True)
class Cost:
    """Milliseconds a trial."""

    wall: float
    cpu: float


class Meter(threading.Thread):
    """CPU seconds of this program and of all processes that come from it, all of Ray among them; ended ones too."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._used: dict[tuple[int, float], float] = {}
        self._over = threading.Event()

    def run(self) -> None:
        """Look four times a second, so that little is missed of a process that ends."""
        while not self._over.wait(0.25):
            self.seconds()

    def seconds(self) -> float:
        """Until now."""
        here = psutil.Process()
        for process in (here, *here.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                self._used[process.pid, process.create_time()] = times.user + times.system
        return sum(self._used.values())

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()


def settle() -> None:
    """Wait until what was started has come up: until all processes together take next to nothing."""
    meter, until = Meter(), time.monotonic() + _SETTLE_SECONDS
    used = meter.seconds()
    while time.monotonic() < until:
        time.sleep(0.5)
        before, used = used, meter.seconds()
        if used - before < _IDLE_SECONDS:
            return


@contextlib.contextmanager
def measured(trials: int) -> Iterator[list[Cost]]:
    """What the block took, for each of so many trials."""
    found: list[Cost] = []
    meter = Meter()
    cpu, wall = meter.seconds(), time.perf_counter()
    meter.start()
    yield found
    wall = time.perf_counter() - wall
    meter.stop()
    found.append(Cost(1000 * wall / trials, 1000 * (meter.seconds() - cpu) / trials))


def cairn(trials: int, slots: int) -> Cost:
    """Ask, run, tell through the proposer and the executor that `AutoML(executor="ray")` uses."""
    executor = RayExecutor(slots)
    try:
        executor.open(small_dataset())
        proposer = Proposer(Nothing.space or SearchSpace(), "regression", 0)
        drive(executor, proposer, range(20 * slots), slots)
        settle()
        with measured(trials) as found:
            drive(executor, proposer, range(1000, 1000 + trials), slots)
    finally:
        executor.close()
    return found[0]


def dispatch(trials: int, slots: int) -> Cost:
    """A job to a worker and its answer back, without suggestions and fits."""
    executor = RayExecutor(slots, runner=RUNNER)

    def pump(numbers: range) -> None:
        left, out, done = iter(numbers), 0, 0
        while done < len(numbers):
            while out < 2 * slots and (number := next(left, None)) is not None:
                executor.submit(script(number))
                out += 1
            ended = len(executor.wait(1.0))
            done, out = done + ended, out - ended

    try:
        executor.open(scripted_dataset())
        pump(range(20 * slots))
        settle()
        with measured(trials) as found:
            pump(range(1000, 1000 + trials))
    finally:
        executor.close()
    return found[0]


def drive(executor: RayExecutor, proposer: Proposer, numbers: range, slots: int) -> None:
    """Run these trials, twice as many at a time as there are slots."""
    reference = PluginRef.of(Nothing)
    left, asked, done = iter(numbers), dict[int, Params](), 0
    while done < len(numbers):
        while len(asked) < 2 * slots and (number := next(left, None)) is not None:
            asked[number] = proposer.ask()
            executor.submit(Job(number, Candidate(Nothing.name, asked[number]), 0, reference))
        for event in executor.wait(1.0):
            if event.kind == "progress":
                continue
            if event.kind != "done":
                raise SystemExit(f"a no-op trial ended with {event}")
            proposer.learn(asked.pop(event.job), 0.0)
            done += 1


def small_dataset() -> Dataset:
    """200 rows, two folds."""
    from automl.contract import Column, FoldPlan, Table

    task = Registry.installed().tasks.load("regression")
    draw = np.random.default_rng(0)
    columns = [Column(f"f{i}", f"x{i}", "numeric", draw.normal(size=200)) for i in range(4)]
    table = Table(tuple(columns), 200)
    problem = task().load(table, {"target": "f3"}, np.arange(200))
    folds = task().folds(problem, table, FoldPlan(2, seed=0))
    return Dataset(table, problem, tuple(folds), PluginRef.of(task))


def ray_tune(trials: int, slots: int) -> Cost:
    """The same with Ray Tune, its actors reused, without checkpoints, loggers and progress on the terminal."""
    os.environ.update(TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1", RAY_AIR_NEW_OUTPUT="0", RAY_TRAIN_V2_ENABLED="0")
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    class Nothing(tune.Trainable):  # type: ignore[misc, unused-ignore]
        """Reports zero."""

        def setup(self, config: dict[str, Any]) -> None:
            """Nothing to set up."""

        def step(self) -> dict[str, Any]:
            """One step is all there is."""
            return {"score": 0.0, "done": True}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            """The actor may be used again."""
            return True

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Nothing to save."""

    def run(count: int, place: str) -> None:
        settings = tune.TuneConfig(
            metric="score",
            mode="max",
            search_alg=OptunaSearch(seed=0),
            num_samples=count,
            max_concurrent_trials=slots,
            reuse_actors=True,
        )
        none = tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False)
        where = tune.RunConfig(storage_path=place, verbose=0, checkpoint_config=none)
        space = {name: tune.uniform(0.0, 1.0) for name in KNOBS}
        results = tune.Tuner(Nothing, param_space=space, tune_config=settings, run_config=where).fit()
        if results.num_errors or len(results) != count:
            raise SystemExit(f"Ray Tune did {len(results)} of {count} trials, {results.num_errors} failed")

    with tempfile.TemporaryDirectory() as place:
        run(2 * slots, place)  # workers and libraries are warm after that
        with measured(1) as few:
            run(2 * slots, place)
        with measured(1) as many:
            run(2 * slots + trials, place)
    return Cost((many[0].wall - few[0].wall) / trials, (many[0].cpu - few[0].cpu) / trials)


def main() -> int:
    """Measure in turn, print, and say with the exit code whether the figures are kept to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400, help="of Cairn in each round")
    parser.add_argument("--tune-trials", type=int, default=60, help="of Ray Tune in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slots", type=int, default=2)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    keeper = RayExecutor(given.slots, "local")
    keeper.capacity()
    ours, theirs = [], []
    for number in range(given.rounds):
        ours.append(cairn(given.trials, given.slots))
        theirs.append(ray_tune(given.tune_trials, given.slots))
        alone = dispatch(given.trials, given.slots)
        for name, cost in (("Cairn", ours[-1]), ("of it dispatch", alone), ("Ray Tune", theirs[-1])):
            print(f"round {number + 1} {name:<14} {cost.wall:8.1f} ms wall {cost.cpu:8.1f} ms CPU a trial", flush=True)
    keeper.close()
    wall = statistics.median(c.wall for c in ours) / statistics.median(c.wall for c in theirs)
    cpu = statistics.median(c.cpu for c in ours)
    print(f"median: {wall:.3f} of Ray Tune's wall (at most {SHARE_OF_TUNE}), {cpu:.1f} ms CPU (at most {MOST_CPU_MS})")
    return 0 if wall <= SHARE_OF_TUNE and cpu <= MOST_CPU_MS else 1


if __name__ == "__main__":
    sys.exit(main())
