"""How long a run of many trials takes to be resumed: from `AutoML.resume` to its first new trial, beside a fresh `fit`.

A real run of so many trials is made first, on one slot in this process, and then resumed a few times for one trial
more each. What a fresh run of the same data takes to its first trial is taken off, since it is no cost of the history.

    python long_history.py --trials 1000
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from automl import AutoML, Preset
from automl.events import RunEvent, TrialStarted

GIVEN: dict[str, Any] = {
    "executor": "inline",
    "models": ["linear-baseline"],
    "random_state": 0,
    "verbose": 0,
    "preset": Preset(folds=2, ensemble=False, racing=False, blocks=False),
}


class FirstTrial:
    """A callback that notes when the first trial starts."""

    def __init__(self) -> None:
        self.wall, self.cpu = (time.monotonic(), time.process_time())
        self.took: tuple[float, float] | None = None

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, TrialStarted) and self.took is None:
            self.took = (time.monotonic() - self.wall, time.process_time() - self.cpu)

    def seconds(self) -> tuple[float, float]:
        """Wall and CPU seconds from this object's making to the first trial."""
        if self.took is None:
            raise SystemExit("no trial was started")
        return self.took


def fresh(frame: Any, path: Path, n_trials: int) -> tuple[float, float]:
    """A new run."""
    first = FirstTrial()
    AutoML(n_trials=n_trials, path=path, callbacks=[first], **GIVEN).fit(frame, "target")
    return first.seconds()


def resumed(path: Path, n_trials: int) -> tuple[float, float]:
    """The run at `path` again, with more trials."""
    first = FirstTrial()
    AutoML.resume(path, n_trials=n_trials, callbacks=[first])
    return first.seconds()


def main() -> int:
    """Make the run, resume it, and say what that took; the exit code is 0 when it is at most half a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--times", type=int, default=5)
    told = parser.parse_args()
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True).frame
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long"
        began = time.monotonic()
        fresh(frame, path, told.trials)
        print(f"{told.trials} trials took {time.monotonic() - began:.1f} s", flush=True)
        new = [fresh(frame, Path(folder) / f"new-{k}", 1) for k in range(told.times)]
        again = [resumed(path, told.trials + 1 + k) for k in range(told.times)]
    (new_wall, new_cpu), (wall, cpu) = ([statistics.median(v) for v in zip(*t, strict=True)] for t in (new, again))
    print(f"to the first trial, median of {told.times}: fresh {new_wall:.3f} s ({new_cpu:.3f} s of CPU),", end=" ")
    print(f"resumed {wall:.3f} s ({cpu:.3f} s of CPU); the history costs {wall - new_wall:.3f} s")
    return 0 if wall - new_wall <= 0.5 else 1


if __name__ == "__main__":
    sys.exit(main())
