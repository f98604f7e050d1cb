"""Versions of what a commit was made with."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import lru_cache
from importlib import metadata

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
    return found | {name: _installed(name) for name in sorted(set(libraries))}


@lru_cache(maxsize=256)
def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
