"""Jobs that fit members once more on all rows: sent out, and those that a loss has hit sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from automl.contract import ExecutionError
from automl.execution.job import Job, Outcome
from automl.execution.protocol import Executor

_WAIT_SECONDS = 0.5
_ATTEMPTS = 3
_LOSSES = ("node_lost", "crashed")


def outcomes(
    executor: Executor, jobs: Sequence[Job], seconds_left: Callable[[], float], stopped: Callable[[], bool]
) -> Iterator[tuple[int, Outcome]]:
    """(position of the job, its outcome), as they come, until the time is up.

    What cannot be run, fails or is lost three times is left out. The jobs' ids are -1, -2 …
    """
    waiting: dict[int, tuple[int, int]] = {}

    def send(position: int, attempt: int) -> None:
        job = replace(jobs[position], id=jobs[position].id - attempt * len(jobs))
        try:
            executor.submit(job)
        except ExecutionError:  # the cluster is lost, or the machine that was large enough
            return
        waiting[job.id] = position, attempt

    for position in range(len(jobs)):
        send(position, 0)
    while waiting and seconds_left() > 0 and not stopped():
        for event in executor.wait(min(_WAIT_SECONDS, max(0.0, seconds_left()))):
            if event.kind == "progress" or event.job not in waiting:
                continue
            position, attempt = waiting.pop(event.job)
            if event.outcome is not None:
                yield position, event.outcome
            elif event.kind in _LOSSES and attempt + 1 < _ATTEMPTS:
                send(position, attempt + 1)
