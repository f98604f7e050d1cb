"""Ends the workers when the driver dies without a word (kill -9). Run as a script; uses the standard library only.

line on standard input   what is killed when that ends, or the driver is no longer the parent
``+<group>``             this process group: that works for workers which hang in C, and for their children
``-<group>``             no longer this one
``=<text>``              every process of this machine that was started with this text in its environment, for programs
                         whose parts leave their groups and sessions; where there is a ``/proc`` to read that from
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

_ROUNDS, _PAUSE_SECONDS = 3, 0.3


def main(driver: int) -> None:
    """Listen until the driver is gone, then kill what it left."""
    groups: set[int] = set()
    marks: set[bytes] = set()
    pending = b""
    while os.getppid() == driver:
        if not select.select([0], [], [], 1.0)[0]:
            continue
        chunk = os.read(0, 4096)
        if not chunk:
            break
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"="):
                marks.add(line[1:])
            else:
                (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    for _ in range(_ROUNDS if marks else 0):
        for process in marked(marks):
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)


def marked(marks: set[bytes]) -> list[int]:
    """Processes, but this one, that were started with one of these texts in their environment."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(name)}/environ", "rb") as file:
                environment = file.read()
            if int(name) != os.getpid() and any(mark in environment for mark in marks):
                found.append(int(name))
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]))
