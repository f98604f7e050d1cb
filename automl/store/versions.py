"""Versions of what a commit was made with."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

DISTRIBUTION = "cairn-automl"


def versions(libraries: Iterable[str] = ()) -> dict[str, str]:
    """Name -> version of the engine, Python, the platform, numpy and the distributions asked for ("" when absent)."""
    found = {
        "automl": _installed(DISTRIBUTION),
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}".lower(),
        "numpy": np.__version__,
    }
    return found | _dependencies() | {name: _installed(name) for name in sorted(set(libraries))}


@lru_cache(maxsize=1)
def _dependencies() -> dict[str, str]:
    """Versions of the libraries that the engine's own distribution names, as far as they are installed."""
    from importlib import metadata

    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    wanted = [line for line in lines if not re.search(r"extra == .dev.", line)]
    names = sorted({re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in wanted} - {DISTRIBUTION})
    return {name: version for name in names if (version := _installed(name))}


@lru_cache(maxsize=256)
def _installed(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
