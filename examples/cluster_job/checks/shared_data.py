"""A table of 100 MB and eight workers on one node: one copy in shared memory, and next to nothing in each worker."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psutil

from automl.contract import Column, FitInfo, Fold, Problem, Table
from automl.discovery import PluginRef
from automl.execution.job import Dataset, Event, Job, Outcome
from automl.execution.ray import RayExecutor
from automl.testing.scripted import script

MOST_MB = 20.0
_MB = 1e6
_COLUMNS = 10


def read_all(job: Job, dataset: Dataset, progress: Callable[[int, float], None]) -> Event:
    """The runner: read every value, stay until all workers have begun, and say who did it."""
    total = sum(float(column.values.sum()) for column in dataset.table)
    time.sleep(2.0)
    notes = {"pid": os.getpid(), "total": total}
    return Event(job.id, "done", Outcome(None, {}, FitInfo(notes=notes), 0.0, 0.0, 0.0))


def dataset_of(megabytes: float) -> Dataset:
    """Numbers, so many megabytes of them."""
    rows = max(10, int(megabytes * _MB / 8 / _COLUMNS))
    draw = np.random.default_rng(0)
    columns = tuple(Column(f"f{i}", f"x{i}", "numeric", draw.normal(size=rows)) for i in range(_COLUMNS))
    problem = Problem(task="none", kind="real", roles={}, features=tuple(c.name for c in columns), n_outputs=1)
    fold = Fold(np.arange(5, 10), np.arange(5))
    return Dataset(Table(columns, rows), problem, (fold,), PluginRef("none", "nowhere:none"))


def private_mb(executor: RayExecutor, workers: int, numbers: range) -> dict[int, float]:
    """Worker's process id -> megabytes that it shares with nobody, after it has read all the data."""
    pids: set[int] = set()
    until = time.monotonic() + 120
    left = iter(numbers)
    while len(pids) < workers and time.monotonic() < until:
        jobs = [next(left) for _ in range(workers)]
        for number in jobs:
            executor.submit(script(number))
        pids |= _pids(executor, jobs, until)
    return {
        pid: (psutil.Process(pid).memory_info().rss - psutil.Process(pid).memory_info().shared) / _MB for pid in pids
    }


def _pids(executor: RayExecutor, jobs: Sequence[int], until: float) -> set[int]:
    missing, pids = set(jobs), set[int]()
    while missing and time.monotonic() < until:
        for event in executor.wait(1.0):
            if event.outcome is None:
                raise SystemExit(f"a job ended with {event}")
            missing.discard(event.job)
            pids.add(event.outcome.info.notes["pid"])
    return pids


def stored_mb() -> float:
    """Megabytes in the node's object store."""
    import ray

    time.sleep(3.0)  # Ray tells what is used once in a while
    name = "object_store_memory"
    there: Any = ray
    return float(there.cluster_resources()[name] - there.available_resources().get(name, 0.0)) / _MB


def main() -> int:
    """Measure with a small and a large table, print, and say with the exit code whether the figures are kept to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--megabytes", type=float, default=100.0)
    given = parser.parse_args()
    import ray

    options: dict[str, Any] = {
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
        "object_store_memory": 10**9,
    }
    ray.init("local", num_cpus=given.workers, **options)
    executor = RayExecutor(given.workers, runner=read_all)
    executor.open(dataset_of(0.1))
    before = private_mb(executor, given.workers, range(10_000))
    stored = stored_mb()
    executor.open(dataset_of(given.megabytes))
    after = private_mb(executor, given.workers, range(10_000, 20_000))
    copies = (stored_mb() - stored) / given.megabytes
    executor.close()
    ray.shutdown()
    growth = [after[pid] - before[pid] for pid in after if pid in before]
    print(f"{len(growth)} workers, private memory each: {np.mean(list(before.values())):.0f} MB with a small table")
    print(f"growth with {given.megabytes:g} MB: at most {max(growth):.1f} MB a worker (at most {MOST_MB:g})")
    print(f"copies in shared memory: {copies:.2f} (1)")
    return 0 if len(growth) == given.workers and max(growth) <= MOST_MB and abs(copies - 1) < 0.1 else 1


if __name__ == "__main__":
    sys.exit(main())
