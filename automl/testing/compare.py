"""Looking inside what flows through a plugin: fingerprints, read-only copies, and files that hold code."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_CODE = {"GLOBAL", "STACK_GLOBAL", "REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"}


def fingerprint(value: Any) -> str:
    """Hex digest of a value's content: equal content, equal digest; arrays, tables and plain values are understood."""
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    digest.update(type(value).__name__.encode())
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            digest.update(repr(key).encode())
            _feed(digest, inner)
    elif isinstance(value, list | tuple | np.ndarray):
        for inner in value:
            _feed(digest, inner)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            _feed(digest, getattr(value, field.name))
    elif hasattr(value, "tocsr"):
        for inner in (value.data, value.tocsr().indices, value.tocsr().indptr):
            _feed(digest, inner)
    elif hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        _feed(digest, vars(value))
    else:
        digest.update(repr(value).encode())


def read_only(value: Any) -> Any:
    """The same content in memory that cannot be written to, as Ray and memory maps hand it out."""
    if isinstance(value, np.ndarray):
        copy = np.empty_like(value)
        copy[:] = [read_only(inner) for inner in value] if value.dtype == object else value
        copy.flags.writeable = False
        return copy
    if isinstance(value, list | tuple):
        return type(value)(read_only(inner) for inner in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{name: read_only(getattr(value, name)) for name in names})
    if hasattr(value, "tocsr"):
        value = value.copy()
        for part in ("data", "indices", "indptr"):
            getattr(value, part).flags.writeable = False
    return value


def code_in(folder: Path) -> list[str]:
    """Names of the files below a folder that hold a pickle able to run code; zip archives are looked into."""
    return [str(file.relative_to(folder)) for file in sorted(folder.rglob("*")) if _holds_code(file)]


def _holds_code(file: Path) -> bool:
    if not file.is_file():
        return False
    data = file.read_bytes()
    parts = [data]
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [archive.read(name) for name in archive.namelist()]
    return any(_pickled(part) for part in parts)


def _pickled(data: bytes) -> bool:
    """Does a pickle that builds objects begin anywhere in these bytes (or, in the oldest protocol, at their start)?"""
    starts = [match.start() for match in _PICKLE.finditer(data)]
    return any(_builds_objects(data[start:]) for start in [0, *starts])


def _builds_objects(data: bytes) -> bool:
    names = set()
    try:
        for opcode, _, _ in pickletools.genops(data):
            names.add(opcode.name)
    except Exception:  # not a pickle after all: genops fails in as many ways as there are bytes
        return False
    return bool(names & _CODE)
