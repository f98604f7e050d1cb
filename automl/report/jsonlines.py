"""The events of a run as lines of JSON in a file, for other programs, and how such a file is read."""

from __future__ import annotations

import json
import math
import os
import re
import weakref
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from automl.contract import ArtifactError, OptionError
from automl.search.events import RunEvent, RunFinished

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_START = b'{"event": "'


class JsonLines:
    """A callback for `AutoML` that appends every event of a run to a file, one JSON object a line.

    ``{"event": "trial_finished", "time": "2026-01-31T12:00:00.123456+00:00", "model": "…", "score": 0.91, …}``

    ============== ================================================================================================
    ``event``      the event's class in snake case: ``run_started``, ``phase_started``, ``trial_started``,
                   ``trial_reported``, ``trial_retried``, ``trial_finished``, ``trial_failed``, ``budget_left``,
                   ``ensemble_improved``, ``noticed``, ``run_finished``
    ``time``       when it was told: ISO 8601, UTC, microseconds
    all others     the fields of the event in `automl.events`, under their names and in their units; infinite and
                   undefined numbers are null; ``finding`` is an object, ``nodes`` a list of objects
    ============== ================================================================================================

    Later versions may add events and fields. A line is written at once and whole, so that the file can be followed
    while the run goes on; a crash leaves at most the last line cut, which `read_events` leaves out. A run that is
    resumed, or another one, goes on in the same file behind what is there: it begins with its own ``run_started``.

    Args:
        path: of the file; made when the first event comes.

    Raises OptionError when no such file can be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = -1
        self._close: Any = None
        _check(self.path)

    def __call__(self, event: RunEvent) -> None:
        """Write one line. Raises OSError when the disk does not take it."""
        if self._file < 0:
            self._open()
        line = json.dumps(as_record(event), allow_nan=False, ensure_ascii=False)
        _write_all(self._file, line.encode("utf-8", "backslashreplace") + b"\n")
        if isinstance(event, RunFinished):
            self.close()

    def close(self) -> None:
        """Close the file, as the end of a run does; a further event opens it again. More than once is fine."""
        if self._close is not None:
            self._close()
        self._file, self._close = -1, None

    def _open(self) -> None:
        """Go on behind the last line; one that was cut off is ended."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._close = weakref.finalize(self, os.close, self._file)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            _write_all(self._file, b"\n")

    def __reduce__(self) -> tuple[type[JsonLines], tuple[Path]]:
        return type(self), (self.path,)


def as_record(event: RunEvent) -> dict[str, Any]:
    """The event as JSON values, with its name and the time now."""
    name = _WORD.sub("_", type(event).__name__).lower()
    return {"event": name, "time": datetime.now(UTC).isoformat(timespec="microseconds"), **jsonable(asdict(event))}


def read_events(path: str | Path) -> Iterator[dict[str, Any]]:
    """The events in a file that `JsonLines` wrote, oldest first, as JSON values.

    A line that a crash cut off is left out, also where a later run went on behind it.

    Raises ArtifactError when the file cannot be read or holds something else.
    """
    try:
        with Path(path).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                record = _parsed(line)
                if record is not None:
                    yield record
                elif not _cut(line):
                    raise ArtifactError(f"line {number} of {path} is no event of a run: {line[:60]!r}")
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error}; is this a file that JsonLines wrote?") from error


def jsonable(value: Any) -> Any:
    """The value with JSON types only: NaN and infinities are None, and what JSON cannot say becomes its text."""
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The record in a whole line, or None."""
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return record if isinstance(record, dict) and "event" in record else None


def _cut(line: bytes) -> bool:
    """Is this the beginning of a line of ours?"""
    return line.rstrip(b"\n").startswith(_START) or _START.startswith(line.rstrip(b"\n"))


def _check(path: Path) -> None:
    folder = path.absolute().parent
    if path.is_dir():
        raise OptionError(f"the events cannot be written to {path}: it is a folder; name a file in it")
    if not folder.is_dir():
        raise OptionError(f"the events cannot be written to {path}: there is no folder {folder}; make it first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise OptionError(f"the events cannot be written to {path}: it may not be written; choose another file")


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
