"""The program of a local worker: ``python -m automl.execution.worker <fd>``. It never imports the driver's script."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import pickle
import signal
import socket
import sys
import time
from collections import deque
from typing import Any

from automl.execution.channel import Channel

_PROGRESS_SECONDS = 0.2


def main(fd: int) -> None:
    """Serve jobs until the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    channel = Channel(socket.socket(fileno=fd))
    try:
        _serve(channel)
    except (EOFError, ConnectionError):
        os._exit(0)


def _serve(channel: Channel) -> None:
    runner, preload = channel.receive()
    for name in ("numpy", *preload):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    from automl.execution import shared

    dataset: Any = None
    inbox = Inbox(channel)
    channel.send(("ready", 0))
    while True:
        kind, *rest = inbox.next()
        if kind == "data":
            generation, paths, fd = rest
            sys.path[:] = paths
            dataset = None
            dataset = shared.attach(fd)
            channel.send(("ready", generation))
        elif inbox.void(rest[0]):
            channel.put(("end", rest[0]), _passed_over(rest[0]))
        else:
            job, answer = _do(channel, runner, rest[1], dataset)
            channel.put(("end", job), answer)


class Inbox:
    """What the driver has said, in its order, and which jobs it has called off meanwhile."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._void: set[int] = set()

    def next(self) -> tuple[Any, ...]:
        """The next message but for calls off, however long it takes. Raises EOFError when the driver is gone."""
        while not self._waiting:
            self._read()
        return self._waiting.popleft()

    def void(self, job: int) -> bool:
        """Has this job been called off by now?"""
        while self._channel.waits():
            self._read()
        return job in self._void

    def _read(self) -> None:
        kind, *rest = self._channel.receive()
        if kind == "void":
            self._void.add(rest[0])
        else:
            self._waiting.append((kind, *rest, *([self._channel.receive_fd()] if kind == "data" else [])))


def _passed_over(job: int) -> bytes:
    from automl.execution.job import Event
    from automl.execution.running import encode

    return encode(Event(job, "timeout", message="called off before it began"))


def _do(channel: Channel, runner: bytes, parcel: bytes, dataset: Any) -> tuple[int, bytes]:
    from automl.execution.running import encode, failure, find_runner, run_safely

    job, pid = pickle.loads(parcel), os.getpid()
    last = -_PROGRESS_SECONDS

    def progress(step: int, value: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_SECONDS:
            last = now
            channel.send_if_room(("progress", job.id, int(step), float(value)))

    try:
        event = run_safely(find_runner(pickle.loads(runner)), job, dataset, progress)
    except BaseException as error:
        event = failure(job.id, error)
    if os.getpid() != pid:
        os._exit(1)  # a child that the plugin forked came back here; only the worker itself may answer
    return job.id, encode(event)


if __name__ == "__main__":
    main(int(sys.argv[1]))
