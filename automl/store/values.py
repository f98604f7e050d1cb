"""JSON text for records, with numbers that JSON cannot say: NaN, infinities and numpy's own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_MARK = "__float__"
_WORDS = {b"nan": b"NaN", b"inf": b"Infinity", b"-inf": b"-Infinity"}


def dumps(value: Any) -> str:
    """Strict JSON on one line. Raises TypeError for what is no JSON value, numpy number, array or path-like string."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_plain)
    except ValueError:
        return json.dumps(_marked(value), allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """What `dumps` wrote; tuples and arrays come back as lists. Raises ValueError."""
    return json.loads(_unmarked(text if isinstance(text, bytes) else text.encode()))


def loads_all(texts: Iterable[bytes]) -> list[Any]:
    """`loads` of each, faster together. Raises ValueError when one is damaged, which need not say which."""
    values: list[Any] = json.loads(_unmarked(b"[" + b",".join(texts) + b"]"))
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__qualname__} is no JSON value")


def _marked(value: Any) -> Any:
    """The same value with every non-finite float as ``{"__float__": "nan"}``."""
    if isinstance(value, np.generic | np.ndarray):
        value = _plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {_MARK: repr(value)}
    if isinstance(value, Mapping):
        return {key: _marked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(inner) for inner in value]
    return value


def _unmarked(text: bytes) -> bytes:
    """With the words for those floats that Python's reader knows; within a string the mark's quotes are escaped."""
    if _MARK.encode() in text:
        for number, word in _WORDS.items():
            text = text.replace(b'{"%b":"%b"}' % (_MARK.encode(), number), word)
    return text
