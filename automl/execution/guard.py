"""Ends the workers when the driver dies without a word (kill -9). Run as a script; uses the standard library only.

The driver writes lines to its standard input. When that ends, or the driver is no longer its parent, every process
group still listed is killed, and every process with a mark: that works for workers which hang in C, and for children.

line        meaning
+<group>    a process group to end
-<group>    one that has ended by itself
=<mark>     ``NAME=value`` in the environment of processes to end, whoever their parent is by then
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

_PATIENCE_SECONDS = 20.0
_CALM_ROUNDS = 5


def main(driver: int) -> None:
    """Listen until the driver is gone and all it said is read, then kill what it left."""
    groups: set[int] = set()
    marks: set[bytes] = set()
    pending = b""
    while True:
        alive = os.getppid() == driver
        if not select.select([0], [], [], 1.0 if alive else 0.0)[0]:
            if alive:
                continue
            break
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
    if marks:
        end_marked(marks)


def end_marked(marks: set[bytes], rounds: int = _CALM_ROUNDS) -> None:
    """Kill processes with a mark until none was found for so many rounds: those under way may start others."""
    until, calm = time.monotonic() + _PATIENCE_SECONDS, 0
    while calm < rounds and time.monotonic() < until:
        found = marked(marks)
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        calm = 0 if found else calm + 1
        time.sleep(0.1)


def marked(marks: set[bytes]) -> list[int]:
    """Processes of this user, but this one, with one of the marks in the environment that they were started with."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                if marks & set(file.read().split(b"\0")):
                    found.append(int(name))
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]))
