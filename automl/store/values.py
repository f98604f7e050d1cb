"""JSON text for records, with numbers that JSON cannot say: NaN, infinities and numpy's own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_MARK = "__float__"


def dumps(value: Any) -> str:
    """Strict JSON on one line. Raises TypeError for what is no JSON value, numpy number, array or path-like string."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_plain)
    except ValueError:
        return json.dumps(_marked(value), allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """What `dumps` wrote; tuples and arrays come back as lists. Raises ValueError."""
    mark = _MARK.encode() if isinstance(text, bytes) else _MARK
    return json.loads(text, object_hook=_unmarked if mark in text else None)  # type: ignore[operator]


def loads_all(texts: Sequence[bytes]) -> list[Any]:
    """`loads` of each, faster together. Raises ValueError when one is damaged, which need not say which."""
    mark = _MARK.encode()
    marked = {place: loads(text) for place, text in enumerate(texts) if mark in text}
    plain = [b"null" if place in marked else text for place, text in enumerate(texts)]
    values: list[Any] = json.loads(b"[" + b",".join(plain) + b"]")
    for place, value in marked.items():
        values[place] = value
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


def _unmarked(pairs: dict[str, Any]) -> Any:
    return float(pairs[_MARK]) if pairs.keys() == {_MARK} else pairs
