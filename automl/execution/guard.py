"""Ends the workers when the driver dies without a word (kill -9). Run as a script; uses the standard library only.

The driver writes ``+<group>`` and ``-<group>`` lines to its standard input. When that ends, or the driver is no longer
its parent, every process group still listed is killed: that works for workers which hang in C, and for their children.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys


def main(driver: int) -> None:
    """Listen until the driver is gone, then kill what it left."""
    groups: set[int] = set()
    pending = b""
    while os.getppid() == driver:
        if not select.select([0], [], [], 1.0)[0]:
            continue
        chunk = os.read(0, 4096)
        if not chunk:
            break
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
