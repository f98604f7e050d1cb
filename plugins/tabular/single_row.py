"""One row asked of a LightGBM booster without what `Booster.predict` prepares anew for every call.

LightGBM's C interface keeps that in a "fast config" (`LGBM_BoosterPredictForMatSingleRowFastInit` in its
``c_api.h``, since version 3.0): 11 instead of 215 microseconds for 300 trees. Its Python package does not offer it, so
its library is called by name, and `Booster.predict` answers wherever that cannot be done.
"""

from __future__ import annotations

import ctypes
import importlib
import threading
import weakref
from typing import Any

import numpy as np

from automl.contract import AnyArray, FloatArray

_FLOAT32, _RAW_SCORE, _ALL_TREES = 0, 1, -1


class SingleRow:
    """Raw scores of one float32 row at a time; threads take turns, since the library computes in one place.

    Args:
        booster: kept alive, since the library reads its trees.
        width: columns of a row.
        sums: raw scores of a row.

    Raises OSError when the library cannot do it.
    """

    def __init__(self, booster: Any, width: int, sums: int) -> None:
        self._booster, self._width, self._turn = booster, width, threading.Lock()
        library, handle = _library(), getattr(booster, "_handle", None)
        if handle is None:
            raise OSError("this version of LightGBM keeps its booster elsewhere")
        self._config, self._length = ctypes.c_void_p(), ctypes.c_int64()
        self._out: FloatArray = np.zeros(sums)
        self._call = library.LGBM_BoosterPredictForMatSingleRowFast
        _check(
            library.LGBM_BoosterPredictForMatSingleRowFastInit(
                handle,
                ctypes.c_int(_RAW_SCORE),
                ctypes.c_int(0),
                ctypes.c_int(_ALL_TREES),
                ctypes.c_int(_FLOAT32),
                ctypes.c_int32(width),
                b"num_threads=1",
                ctypes.byref(self._config),
            )
        )
        self._free = weakref.finalize(self, library.LGBM_FastConfigFree, self._config)
        self._given = (ctypes.byref(self._length), self._out.ctypes.data_as(ctypes.c_void_p))

    def __call__(self, row: AnyArray) -> FloatArray:
        """(1, sums) of a C-contiguous float32 (1, width)."""
        if row.shape != (1, self._width) or row.dtype != np.float32 or not row.flags.c_contiguous:
            raise ValueError(f"one float32 row of {self._width} columns is wanted, not {row.dtype} {row.shape}")
        with self._turn:
            _check(self._call(self._config, ctypes.c_void_p(row.ctypes.data), *self._given))
            return self._out[None].copy()


def single_row(booster: Any, width: int, sums: int) -> SingleRow | None:
    """The fast way, or None where there is none."""
    try:
        return SingleRow(booster, width, sums)
    except (OSError, AttributeError):
        return None


def _library() -> Any:
    basic: Any = importlib.import_module("lightgbm.basic")
    return basic._LIB


def _check(code: int) -> None:
    if code:
        raise OSError(f"LightGBM refused to predict one row (code {code})")
