"""What runs inside a Ray actor: plain classes, which the driver's side turns into actors. Does not import Ray.

Nothing here imports numpy before a worker has set its thread counts: libraries read them when they are loaded.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.execution.luggage import Parcel

_PROGRESS_SECONDS = 0.5
_WATCH_SECONDS = 0.1


class Board:
    """Where workers leave progress reports and last words, so that the driver can read them when it likes."""

    def __init__(self) -> None:
        self._progress: dict[int, tuple[int, float]] = {}
        self._last_words: dict[int, str] = {}

    def report(self, job: int, step: int, value: float) -> None:
        """The latest progress of a job."""
        self._progress[job] = (step, value)

    def take(self) -> dict[int, tuple[int, float]]:
        """Progress since the last call: job -> (step, value)."""
        taken, self._progress = self._progress, {}
        return taken

    def leave_word(self, job: int, message: str) -> None:
        """Why the worker of this job is about to end itself."""
        self._last_words[job] = message

    def last_word(self, job: int) -> str:
        """What was left for this job, or nothing."""
        return self._last_words.pop(job, "")


class RemoteWorker:
    """Runs jobs, one at a time, over data that the node's object store holds."""

    def __init__(
        self,
        variables: Mapping[str, str],
        runner: bytes,
        preload: tuple[str, ...],
        luggage: Collection[Parcel],
        paths: list[str],
        board: Any,
    ) -> None:
        os.environ.update(variables)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.path += [path for path in paths if path not in sys.path]
        from automl.execution.luggage import unpack

        unpack(luggage)
        for name in ("numpy", *preload):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        self._runner, self._board = runner, board
        self._dataset: Any = None
        self._shared = 0

    def open(self, block: Any, generation: int) -> tuple[int, int]:
        """Take the data, an array of bytes or None; answers with its generation and this process's id."""
        from automl.execution.shared import unpack

        self._dataset = None
        if block is not None:
            self._dataset, self._shared = unpack(memoryview(block)), block.nbytes
        return generation, os.getpid()

    def run(self, parcel: bytes) -> bytes:
        """Do a job and give back its event."""
        from automl.execution.running import encode, find_runner, run_safely

        job, last, over = pickle.loads(parcel), -_PROGRESS_SECONDS, threading.Event()

        def progress(step: int, value: float) -> None:
            nonlocal last
            if time.monotonic() - last >= _PROGRESS_SECONDS:
                last = time.monotonic()
                self._board.report.remote(job.id, int(step), float(value))

        if job.memory:
            threading.Thread(target=self._watch, args=(job.id, job.memory, over), daemon=True).start()
        try:
            return encode(run_safely(find_runner(pickle.loads(self._runner)), job, self._dataset, progress))
        finally:
            over.set()

    def _watch(self, job: int, cap: int, over: threading.Event) -> None:
        """End this process when it and its children hold more than `cap` bytes."""
        from automl.execution.memory import resident

        while not over.wait(_WATCH_SECONDS):
            held = resident(os.getpid(), self._shared)
            if held > cap:
                message = f"held {held / 1e9:.2f} GB of memory, over its cap of {cap / 1e9:.2f} GB"
                with contextlib.suppress(Exception):
                    self._board.leave_word.remote(job, message).future().result(timeout=2.0)
                os._exit(1)
