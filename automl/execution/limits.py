"""What this process may use: cores, memory and GPU devices, inside containers too."""

from __future__ import annotations

import math
import numbers
import os
import re
import shutil
import subprocess
from pathlib import Path

from automl.contract import OptionError

_CGROUPS = Path("/sys/fs/cgroup")
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_BINARY_UNITS = {"ki": 1024, "mi": 1024**2, "gi": 1024**3, "ti": 1024**4}


def available_cpus() -> int:
    """Cores this process may use, at least 1: its affinity mask, cut by the container's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, math.floor(_cpu_quota())))


def slots_for(n_jobs: int | None) -> int:
    """Jobs at once: None takes all cores available; negative as in joblib (-1 all, -2 all but one).

    Raises:
        OptionError: for 0 and for what is no whole number.
    """
    if n_jobs is None:
        return available_cpus()
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, numbers.Integral) or n_jobs == 0:
        raise OptionError(f"n_jobs is {n_jobs!r}; give the number of jobs at once, -1 for all cores, or None")
    return int(n_jobs) if n_jobs > 0 else max(1, available_cpus() + 1 + int(n_jobs))


def available_memory() -> int:
    """Bytes that can still be allocated: free memory of the machine, cut by what the container has left."""
    import psutil

    free = int(psutil.virtual_memory().available)
    for folder in _cgroup_folders("memory"):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
        if limit is not None and limit < 1 << 60:
            free = min(free, max(0, limit - used + _page_cache(folder)))
    return free


def total_memory() -> int:
    """Bytes that this machine, or the container's limit, gives in all."""
    import psutil

    total = int(psutil.virtual_memory().total)
    for folder in _cgroup_folders("memory"):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        total = min(total, limit or total)
    return total


def parse_memory(text: str | float | None) -> int:
    """Bytes from ``"4GiB"``, ``"500 MB"`` or a number; None and 0 mean no cap. Raises OptionError."""
    if text is None:
        return 0
    if isinstance(text, numbers.Real) and not isinstance(text, bool) and 0 <= float(text) < math.inf:
        return int(text)
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*?)b?\s*", str(text).lower())
    scale = {**_UNITS, **_BINARY_UNITS}.get(found[2]) if found and isinstance(text, str) else None
    if not found or scale is None:
        raise OptionError(f'{text!r} is no amount of memory; write it as "4GiB", "500MB" or a number of bytes')
    return int(float(found[1]) * scale)


def gpu_devices() -> tuple[str, ...]:
    """The GPUs visible to this process, as CUDA_VISIBLE_DEVICES would name them. Imports no GPU library."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name.strip() for name in visible.split(",") if name.strip() not in ("", "-1"))
    found = [path for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)]
    if not found and Path("/dev/dxg").exists() and shutil.which("nvidia-smi"):
        return _listed_devices()
    return tuple(str(index) for index in range(len(found)))


def _listed_devices() -> tuple[str, ...]:
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    count = len(re.findall(r"^GPU \d+:", answer.stdout, flags=re.MULTILINE))
    return tuple(str(index) for index in range(count))


def _cpu_quota() -> float:
    quotas = [math.inf]
    for folder in _cgroup_folders("cpu"):
        words = _text(folder / "cpu.max").split()
        if not words:
            words = [_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")]
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
            quotas.append(int(words[0]) / int(words[1]))
    return min(min(quotas), 1e6)


def _cgroup_folders(controller: str) -> list[Path]:
    """Folders whose limits bind this process, from its own group up to the root; version 2 and 1."""
    folders = [_CGROUPS, _CGROUPS / controller]
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        base = _CGROUPS / controller if controllers else _CGROUPS
        parts = [part for part in path.split("/") if part not in ("", "..")]
        folders += [base.joinpath(*parts[: depth + 1]) for depth in range(len(parts))]
    return folders


def _page_cache(folder: Path) -> int:
    """Bytes counted as used that the kernel would give back."""
    found = re.search(r"^(?:total_)?inactive_file (\d+)$", _text(folder / "memory.stat"), flags=re.MULTILINE)
    return int(found[1]) if found else 0


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
