"""The one refusal that is also a TypeError: a container or a cell of a type that no column can hold."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from automl.contract import DataError


class DataTypeError(DataError, TypeError):
    """The data is of a type that cannot be read: a sparse matrix, a dict in a cell, an unknown container."""


def closest(wanted: Any, labels: Iterable[Any]) -> str:
    """A sentence naming the labels most like the one that was not found, or the first few."""
    names = {str(label): label for label in labels}
    near = difflib.get_close_matches(str(wanted), list(names), n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(repr(names[name]) for name in near)}?"
    return f"The data has {shorten([repr(label) for label in names.values()])}."


def shorten(words: list[str], most: int = 10) -> str:
    """At most `most` of the words, each cut to 80 characters, joined by commas."""
    shown = ", ".join(word if len(word) <= 80 else word[:77] + "..." for word in words[:most])
    return shown + (f" and {len(words) - most} more" if len(words) > most else "")
