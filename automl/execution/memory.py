"""Resident memory of a process and its children, cheap enough to ask ten times a second."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_FAST = (_PROC / "self/task" / str(os.getpid()) / "children").exists() and (_PROC / "self/statm").exists()


def tree(pid: int) -> list[int]:
    """The process and all its descendants that are alive, itself first."""
    if not _FAST:
        return _slow_tree(pid)
    pids = [pid]
    for parent in pids:
        pids += _children(parent)
    return pids


def resident(pid: int, shared: int = 0) -> int:
    """Bytes of physical memory held by the process and its descendants; 0 when it is gone.

    Args:
        shared: bytes that all workers map together; up to this much of each process's shared pages is not counted.
    """
    return sum(_resident(each, shared) for each in tree(pid))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(_PROC / str(pid) / "task"):
            text = (_PROC / str(pid) / "task" / thread / "children").read_bytes()
            found += [int(child) for child in text.split()]
    except OSError:
        pass
    return found


def _resident(pid: int, shared: int) -> int:
    if not _FAST:
        return _slow_resident(pid, shared)
    try:
        fields = (_PROC / str(pid) / "statm").read_bytes().split()
    except OSError:
        return 0
    total, mapped = int(fields[1]) * _PAGE, int(fields[2]) * _PAGE
    return total - min(shared, mapped)


def _slow_tree(pid: int) -> list[int]:
    import psutil

    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return [pid]


def _slow_resident(pid: int, shared: int) -> int:
    import psutil

    try:
        return max(0, int(psutil.Process(pid).memory_info().rss) - shared)
    except psutil.Error:
        return 0
