"""What a worker inherits: thread counts fixed before any library is loaded, and where modules are found."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def thread_variables(threads: int) -> dict[str, str]:
    """Environment variables that hold numeric libraries to so many threads, which sleep while they wait."""
    return {**dict.fromkeys(_THREAD_VARIABLES, str(threads)), "OMP_WAIT_POLICY": "PASSIVE"}


def module_paths() -> list[str]:
    """Where this process finds modules now; relative folders made absolute."""
    return [os.path.abspath(path) if not path or os.path.exists(path) else path for path in map(str, sys.path)]


def by_value(function: str | Callable[..., Any]) -> bytes:
    """A function, or its import path, for another process; one of a script or notebook travels with its code."""
    import cloudpickle

    return pickle.dumps(function) if isinstance(function, str) else bytes(cloudpickle.dumps(function))
