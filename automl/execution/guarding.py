"""The driver's side of the guard: a process that ends what the driver started, should the driver be killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from automl.contract import ExecutionError
from automl.execution import guard


class Guard:
    """The process that ends the workers should the driver be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [interpreter(), "-I", "-S", guard.__file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """This process group is to die with the driver."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """This group has ended."""
        self._tell(f"-{group}\n")

    def watch_marked(self, mark: str) -> None:
        """What is started from now on with this text in its environment is to die with the driver."""
        self._tell(f"={mark}\n")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.write(line.encode())


def interpreter() -> str:
    """The Python that workers are started with. Raises ExecutionError when there is none."""
    if not sys.executable:
        raise ExecutionError('no Python interpreter to start workers with (sys.executable is empty); use "inline"')
    return sys.executable
