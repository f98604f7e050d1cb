"""What one `fit` holds while it runs, and gives back however it ends: workers, progress, signals, the run's folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from automl.contract import Finding
from automl.discovery import Registry
from automl.execution.choose import make_executor
from automl.execution.limits import available_memory, gpu_devices, parse_memory, slots_for
from automl.execution.pace import slowness
from automl.execution.protocol import Executor
from automl.interrupts import Interrupted, interruptible
from automl.options import resolve
from automl.report import Progress
from automl.search.events import Noticed, RunEvent
from automl.search.settings import Settings
from automl.store import RunFolder

_FREE_SHARE = 0.8
_LATE_SHARE = 0.25
_LOG = logging.getLogger("automl")


@dataclass
class Session:
    """The means of one run.

    Attributes:
        emit: tells progress and the user's callbacks what happens.
        stopped: did a signal ask for an early end?
        gpus: how many the user allows, or ``"auto"``.
        capped: has the user said how much memory a trial may take?
        folder: of the run, once `make_folder` has been called.
    """

    registry: Registry
    settings: Settings
    executor: Executor
    emit: Callable[[RunEvent], None]
    stopped: Interrupted
    gpus: str | float = "auto"
    capped: bool = False
    folder: RunFolder | None = None

    def settled(self) -> Settings:
        """The settings, with the slots, GPUs and memory that the executor really has: a cluster has others than this
        machine.

        Waits for a cluster to be there. Raises ExecutionError.
        """
        began = time.monotonic()
        there = self.executor.capacity()
        self._notice_late_start(time.monotonic() - began)
        gpus = there.gpus if self.gpus == "auto" else min(float(self.gpus), there.gpus)
        threads = self.settings.preset.threads
        memory = self.settings.memory if self.capped or not there.memory else there.memory * threads
        return replace(self.settings, slots=max(1, there.slots // threads), gpus=gpus, memory=memory)

    def _notice_late_start(self, seconds: float) -> None:
        """A Ray that took much of the limit to come up is why a model is poor; it is said."""
        limit = self.settings.seconds
        if self.settings.clocked and seconds > _LATE_SHARE * limit:
            left = max(0.0, self.settings.deadline - time.monotonic())
            what = f"workers could be reached only after {seconds:.0f} s"
            done = f'{left:.0f} of {limit:.0f} s are left; allow more time, or use executor="local" on one machine'
            self.emit(Noticed(Finding("late-start", what, done=done)))

    def make_folder(self, path: str | Path | None, overwrite: bool) -> RunFolder:
        """The run's folder; it is closed again if the run fails. Raises OptionError."""
        self.folder = RunFolder.create(path, overwrite, sync=False)
        return self.folder


@contextmanager
def session(params: Mapping[str, Any], spent: float = 0.0) -> Iterator[Session]:
    """Start workers for a run with these public options; end them in any case. Raises OptionError or PluginError.

    spent: seconds of the time limit that earlier processes of the run have used.
    """
    started = time.monotonic() - spent
    registry = Registry.installed(params["plugins"], params["extra_plugins"] or ())
    registry.refuse_clashes()
    settings, executor = resources(params, started, registry)
    if settings.clocked:
        settings = replace(settings, slowness=slowness())
    try:
        with interruptible() as stopped, Progress(params["verbose"]) as progress:
            executor.start()
            emit = _fan_out([progress, *(params["callbacks"] or ())])
            capped = params["memory_limit"] is not None
            running = Session(registry, settings, executor, emit, stopped, params["gpus"], capped)
            try:
                yield running
            except BaseException:
                if running.folder is not None:
                    running.folder.close()
                raise
    finally:
        executor.close()


def resources(params: Mapping[str, Any], started: float, registry: Registry) -> tuple[Settings, Executor]:
    """Settings, and an executor that is not started yet. Raises OptionError."""
    slots = slots_for(params["n_jobs"])
    given = params["memory_limit"]
    memory = int(_FREE_SHARE * available_memory() / slots) if given is None else parse_memory(given)
    settings = resolve(dict(params), started, slots, memory, len(gpu_devices()))
    executor = make_executor(
        params["executor"],
        slots=params["n_jobs"],
        address=params["ray_address"],
        plugins=registry.strangers(),
        patience=settings.deadline - time.monotonic(),
    )
    return settings, executor


def _fan_out(callbacks: Sequence[Callable[[RunEvent], None]]) -> Callable[[RunEvent], None]:
    """One callback for all. One that raises is reported to the log and called no more: a run outlives its watchers."""
    alive = list(callbacks)

    def emit(event: RunEvent) -> None:
        for callback in list(alive):
            try:
                callback(event)
            except Exception:
                alive.remove(callback)
                _LOG.exception("the callback %r failed and is called no more", callback)

    return emit
