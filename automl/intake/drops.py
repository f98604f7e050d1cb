"""Columns that can teach nothing: empty, constant, repeated and id-like ones. Each drop is a finding."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl.contract import Column, Finding
from automl.intake.refusals import shorten

FEW_ROWS = 50
DENSE = 0.5
MANY = 10
_WHY = {
    "all-missing": "no row has a value",
    "constant": "every row holds one and the same value",
    "duplicate": "they repeat the values of other columns",
    "id-like": "every row has its own value, which names the row and tells nothing about others",
}
_COUNTER = re.compile(
    r"unnamed: ?\d+|(row|obs|observation|record|case|line)?[ _.-]?(no|nr|num|number|#)\.?|row(name)?s?|", re.I
)
_ID_CASED = re.compile(r"(^|[\W_])([iI][dD]|uuid|guid|index|idx)$|[a-z]I[dD]$|[A-Z]ID$|^(rowid|rownum|rownumber)$")


def useless(columns: Sequence[Column]) -> tuple[set[str], set[str], list[Finding]]:
    """Names of columns to drop, which of them only look like ids, and a finding for each."""
    gone: set[str] = set()
    ids: set[str] = set()
    found: list[Finding] = []
    seen: dict[bytes, Column] = {}
    for column in columns:
        code, what = _verdict(column, seen)
        if code:
            gone.add(column.name)
            found.append(Finding(code, what, f"column {column.label!r}", "dropped"))
        if code == "id-like":
            ids.add(column.name)
    return gone, ids, _grouped(found)


def _grouped(found: list[Finding]) -> list[Finding]:
    """One finding for all columns dropped for one reason, where there are many of them."""
    codes = dict.fromkeys(finding.code for finding in found)
    out: list[Finding] = []
    for code in codes:
        alike = [finding for finding in found if finding.code == code]
        if len(alike) > MANY:
            labels = shorten([finding.where.removeprefix("column ") for finding in alike], MANY)
            alike = [replace(alike[0], what=f"{len(alike)} columns: {_WHY[code]}", where=f"columns {labels}")]
        out += alike
    return out


def _verdict(column: Column, seen: dict[bytes, Column]) -> tuple[str, str]:
    missing = column.missing()
    if missing.all():
        return "all-missing", _WHY["all-missing"]
    if not missing.any() and _constant(column):
        return "constant", f"every row holds {_first(column)!r}"
    twin = seen.setdefault(_digest(column), column)
    if twin is not column:
        return "duplicate", f"holds the same values as {twin.label!r}"
    if len(column) >= FEW_ROWS and _id_like(column, missing):
        return "id-like", _WHY["id-like"]
    return "", ""


def _constant(column: Column) -> bool:
    values = column.values
    if column.kind == "object":
        return False
    return bool((values == values[0]).all())


def _first(column: Column) -> Any:
    value = column.values[:1].tolist()[0]
    return column.levels[value] if column.kind == "category" else value


def _digest(column: Column) -> bytes:
    digest = hashlib.blake2b(column.kind.encode(), digest_size=16)
    if column.kind in ("text", "image", "object"):
        digest.update(
            repr([hash(value) if isinstance(value, str | bytes) else id(value) for value in column.values]).encode()
        )
    else:
        digest.update(np.ascontiguousarray(column.values).tobytes())
        digest.update(repr(column.levels).encode("utf-8", "backslashreplace"))
    return digest.digest()


def _id_like(column: Column, missing: Any) -> bool:
    if column.kind == "category":
        n_values = int((~missing).sum())
        worded = column.origin in ("str", "object", "category")
        return worded and n_values >= FEW_ROWS and len(column.levels) == n_values
    if column.kind != "numeric" or missing.any() or not _whole(column):
        return False
    named = isinstance(column.label, str) and _ID_CASED.search(column.label) is not None
    return (named or _counts(column)) and len(np.unique(column.values)) == len(column.values)


def _counts(column: Column) -> bool:
    """Does it count the rows: in their order, or under a name that says so? A rank, say, is in another order."""
    values = column.values
    if len(values) < DENSE * (values.max() - values.min() + 1):
        return False
    steps = np.diff(values)
    called = isinstance(column.label, str) and _COUNTER.fullmatch(column.label) is not None
    return called or bool((steps > 0).all() or (steps < 0).all())


def _whole(column: Column) -> bool:
    """Integers by dtype, or numbers written as text without a fraction."""
    if "int" in column.origin.lower():
        return True
    return column.origin in ("str", "object") and bool((column.values == np.floor(column.values)).all())
