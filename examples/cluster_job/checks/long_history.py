"""How long a run with many trials behind it takes to go on: until its first new job is handed to a worker.

A real run of a small model makes the history. Beside the time of `AutoML.resume` stands that of a fresh `fit` on the
same data to its first job; what remains is what the history costs. CPU seconds tell on a busy machine.

    python long_history.py --trials 1000
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl import AutoML
from automl.contract import Float, ModelPlugin, SearchSpace
from automl.search.scheduler import Scheduler
from automl.search.settings import Preset

Took = tuple[float, float]


class Shifted(ModelPlugin):
    """The mean of the target, moved by a knob: a model that takes no time."""

    name = "shifted-mean"
    produces = "real"
    view = "columns"
    space = SearchSpace({"shift": Float(-1.0, 1.0), "scale": Float(0.5, 2.0)}, {"shift": 0.5, "scale": 1.0})

    def fit(self, train: Any, valid: Any, ctx: Any) -> None:
        """Learn the mean."""
        self.answer = float(np.mean(train.y)) * self.params["scale"] + self.params["shift"]

    def predict(self, request: Any) -> Any:
        """The same for every row."""
        return np.full((len(request), 1), self.answer)


class FirstJob(BaseException):
    """Ends a run at its first job."""


def table() -> pd.DataFrame:
    """A small table of numbers."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=60), "target": rng.normal(size=60) + 1.0})


def options() -> dict[str, Any]:
    """Of the run: nothing but trials."""
    preset = Preset(ensemble=False, racing=False)
    return {
        "models": ["shifted-mean"],
        "extra_plugins": [Shifted],
        "executor": "inline",
        "preset": preset,
        "random_state": 0,
        "verbose": 0,
    }


def to_first_job(begin: Callable[[], object]) -> Took:
    """(wall, CPU) seconds of this process until the run hands over a job."""
    submit = Scheduler._submit

    def end(*_: object) -> None:
        raise FirstJob

    Scheduler._submit = end  # type: ignore[assignment, method-assign]
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        begin()
    except FirstJob:
        return time.perf_counter() - wall, time.process_time() - cpu
    finally:
        Scheduler._submit = submit  # type: ignore[method-assign]
    raise RuntimeError("the run ended without a job")


def main() -> int:
    """Make the history, measure, and say what was found; the exit code is 0 when it costs at most half a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    told = parser.parse_args()
    data, folds = table(), np.arange(60) % 2
    with tempfile.TemporaryDirectory() as folder:
        path, fresh = Path(folder) / "run", Path(folder) / "fresh"
        began = time.perf_counter()
        AutoML(n_trials=told.trials, path=path, **options()).fit(data, "target", folds=folds)
        print(
            f"{told.trials} trials took {time.perf_counter() - began:.0f} s; the journal has "
            f"{(path / 'journal.jsonl').stat().st_size / 1e6:.1f} MB",
            flush=True,
        )
        more = {"n_trials": told.trials + 1, "extra_plugins": [Shifted], "verbose": 0}
        anew, again = [], []
        for _ in range(told.repeats):
            shutil.rmtree(fresh, ignore_errors=True)
            model = AutoML(n_trials=told.trials, path=fresh, **options())
            anew.append(to_first_job(partial(model.fit, data, "target", folds=folds)))
            again.append(to_first_job(lambda: AutoML.resume(path, **more)))
    for place, name in enumerate(("wall", "CPU")):
        new, old = (statistics.median(took[place] for took in series) for series in (anew, again))
        print(f"{name} seconds to the first job: anew {new:.3f}, resumed {old:.3f}, history {old - new:.3f}")
    return 0 if old - new <= 0.5 else 1


if __name__ == "__main__":
    sys.exit(main())
