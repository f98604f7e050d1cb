"""GPU jobs and CPU jobs at once on logical GPUs: who sees which device, and whether any is promised twice.

Ray is told of two GPUs; none need be there, since nothing is computed on them. Each job notes what CUDA_VISIBLE_DEVICES
says and when it began and ended; that is all the check believes.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from automl.contract import FitInfo, Resources
from automl.execution.job import Dataset, Event, Job, Outcome
from automl.execution.ray import RayExecutor
from automl.testing.scripted import script, small_dataset

GPUS, CPUS = 2, 2
_CPU_LONGER = 8  # so that there are CPU jobs as long as there are GPU jobs, whose workers start anew for each share
KINDS = {
    "half": Resources(cpus=1, gpus=0.5),
    "whole": Resources(cpus=1, gpus=1),
    "both": Resources(cpus=1, gpus=2),
    "none": Resources(cpus=1),
}


@dataclass(frozen=True)
class Seen:
    """One job: what it asked for, the devices it saw, and when it ran."""

    kind: str
    devices: tuple[str, ...]
    began: float
    ended: float


def look(job: Job, dataset: Dataset, progress: Callable[[int, float], None]) -> Event:
    """The runner: stay a moment, and tell what was visible meanwhile."""
    began = time.time()
    time.sleep(float(job.candidate.params["seconds"]))
    notes = {"devices": os.environ.get("CUDA_VISIBLE_DEVICES"), "began": began, "ended": time.time()}
    return Event(job.id, "done", Outcome(None, {}, FitInfo(notes=notes), 0.0, 0.0, 0.0))


def ran(kinds: list[str], draw: random.Random) -> list[Seen]:
    """Run such jobs on an executor and collect what they saw."""
    executor = RayExecutor(runner=look)
    seen: list[Seen] = []
    try:
        executor.open(small_dataset())
        for number, kind in enumerate(kinds):
            seconds = draw.uniform(0.05, 0.4) * (1 if KINDS[kind].gpus else _CPU_LONGER)
            executor.submit(script(number, resources=KINDS[kind], seconds=seconds))
        until = time.monotonic() + 240
        while len(seen) < len(kinds) and time.monotonic() < until:
            seen += [_seen(kinds, event) for event in executor.wait(1.0) if event.kind != "progress"]
    finally:
        executor.close()
    return seen


def _seen(kinds: list[str], event: Event) -> Seen:
    if event.outcome is None:
        raise SystemExit(f"a {kinds[event.job]} job ended with {event.kind}: {event.message}")
    notes: dict[str, Any] = dict(event.outcome.info.notes)
    devices = tuple(name for name in str(notes["devices"]).split(",") if name)
    return Seen(kinds[event.job], devices, notes["began"], notes["ended"])


def wrong_devices(seen: list[Seen]) -> int:
    """Jobs that saw another number of devices than they asked for."""
    wanted = {kind: int(-(-need.gpus // 1)) for kind, need in KINDS.items()}
    return sum(len(set(one.devices)) != wanted[one.kind] for one in seen)


def most_promised(seen: list[Seen]) -> float:
    """The most that was ever promised of one device at a time; 1 is all of it."""
    most = 0.0
    for moment in [one.began for one in seen]:
        running = [one for one in seen if one.began <= moment < one.ended]
        for device in {name for one in running for name in one.devices}:
            shares = [min(1.0, KINDS[one.kind].gpus) for one in running if device in one.devices]
            most = max(most, sum(shares))
    return most


def seconds_together(seen: list[Seen]) -> float:
    """Seconds in which a GPU job and a CPU job ran side by side."""
    gpu = [one for one in seen if one.devices]
    cpu = [one for one in seen if not one.devices]
    return sum(max(0.0, min(g.ended, c.ended) - max(g.began, c.began)) for g in gpu for c in cpu)


def main() -> int:
    """Run a mixture, print what was seen, and say with the exit code whether it is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    import ray

    ray.init("local", num_cpus=CPUS, num_gpus=GPUS, include_dashboard=False, _node_ip_address="127.0.0.1")
    draw = random.Random(given.seed)
    kinds = draw.choices(list(KINDS), weights=(4, 2, 1, 4), k=given.jobs)
    seen = ran(kinds, draw)
    ray.shutdown()
    wrong, most, together = wrong_devices(seen), most_promised(seen), seconds_together(seen)
    print(f"{len(seen)} of {given.jobs} jobs ended: {', '.join(f'{kinds.count(k)} {k}' for k in KINDS)}")
    print(f"jobs with a wrong CUDA_VISIBLE_DEVICES: {wrong} (wanted 0)")
    print(f"most promised of one device at once: {most:g} (at most 1)")
    print(f"GPU and CPU jobs side by side: {together:.1f} s (more than 0)")
    return 0 if len(seen) == given.jobs and not wrong and most <= 1 and together > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
