"""Ctrl-C and termination end a run early with the best so far, instead of losing it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupted:
    """Calls as False until a signal came. A second Ctrl-C raises KeyboardInterrupt at once."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> bool:
        return self.count > 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self.count += 1
        if self.count > 1 and number == signal.SIGINT:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interrupted]:
    """Within the block, SIGINT and SIGTERM only set a flag. Outside the main thread nothing is changed."""
    flag = Interrupted()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before: dict[int, Any] = {}
    for wanted in (signal.SIGINT, signal.SIGTERM):
        before[wanted] = signal.signal(wanted, flag.handle)
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
