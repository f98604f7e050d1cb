"""What a table contained, as a short hash: a resumed run must be given the same data."""

from __future__ import annotations

import hashlib

from automl.contract import Table

_SAMPLED = 1000


def fingerprint(table: Table) -> str:
    """16 hex digits of names, kinds, sizes and values; of texts and objects, up to 1000 evenly spread ones count."""
    digest = hashlib.sha256(str(len(table)).encode())
    for column in table:
        digest.update(repr((column.name, column.label, column.kind, column.levels[:_SAMPLED])).encode())
        if column.values.dtype == object:
            step = max(1, len(column) // _SAMPLED)
            digest.update(repr(column.values[::step].tolist()).encode("utf-8", "backslashreplace"))
        else:
            digest.update(column.values.tobytes())
    return digest.hexdigest()[:16]
