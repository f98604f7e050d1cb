"""The journal: what happened in a run, one checked record a line, readable up to the last whole one after any crash.

A line is ``<length of the JSON, 8 hex digits> <crc32 of the JSON, 8 hex digits> <JSON>\\n``.
"""

from __future__ import annotations

import fcntl
import gc
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from automl.contract import ArtifactError, OptionError
from automl.store.values import dumps, loads, loads_all

_HEAD = 18
_SYNC_SECONDS = 1.0


class Journal:
    """An append-only file of records.

    Args:
        path: opened for appending; created when absent. A damaged tail is cut off.
        sync: True forces every record to disk before `append` returns; False does so at most once a second, which can
            lose that second when the machine (not just the process) dies.
        before: called before records are forced to disk, to force what they speak of.

    Attributes:
        found: the records that were there when it was opened.

    Raises ArtifactError when the file cannot be opened, and OptionError while another process writes it.
    """

    def __init__(self, path: Path, sync: bool = True, before: Callable[[], None] = lambda: None) -> None:
        self.path, self.sync, self.before = path, sync, before
        self._synced = time.monotonic()
        try:
            self._file = _opened(path, os.O_CREAT | os.O_APPEND)
            self.found, self._end = _scan(path.read_bytes())
            if os.fstat(self._file).st_size > self._end:
                os.ftruncate(self._file, self._end)
                os.fsync(self._file)
        except OSError as error:
            raise ArtifactError(
                f"cannot open the journal {path}: {error}; check the disk and its permissions"
            ) from error

    def append(self, record: dict[str, Any]) -> None:
        """Add a record of JSON values (NaN, infinities and numpy numbers too).

        Raises ArtifactError when the disk does not take it; the journal then ends with the record before.
        """
        line = _framed(dumps(record).encode("utf-8"))
        try:
            _write_all(self._file, line)
            if self.sync or time.monotonic() - self._synced >= _SYNC_SECONDS:
                self.before()
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            self._cut()
            raise ArtifactError(f"cannot write the journal {self.path}: {error}; free some space and resume") from error
        self._end += len(line)

    def close(self) -> None:
        """Force everything to disk and close; more than once is fine."""
        if self._file < 0:
            return
        file, self._file = self._file, -1
        try:
            os.fsync(file)
        except OSError as error:
            raise ArtifactError(f"the last second of {self.path} may not be on disk: {error}") from error
        finally:
            os.close(file)

    @staticmethod
    def read(path: Path) -> list[dict[str, Any]]:
        """All records up to the first damaged one. Raises ArtifactError when there is no such file."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"cannot read the journal {path}: {error}; is this the folder of a run?") from error
        return _scan(data)[0]

    def _cut(self) -> None:
        """Take back a record that was written in part."""
        try:
            os.ftruncate(self._file, self._end)
        except OSError:
            return


@contextmanager
def uncollected() -> Iterator[None]:
    """While thousands of records come and none goes, nobody looks for garbage among them, which would take long."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def looks_like_journal(data: bytes) -> bool:
    """Is this the content of a journal, perhaps of one that never got a whole record?"""
    return not data or bool(_scan(data)[0])


def _framed(text: bytes) -> bytes:
    return b"%08x %08x %s\n" % (len(text), zlib.crc32(text), text)


@uncollected()
def _scan(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The whole records from the start, and where the last of them ends."""
    texts: list[bytes] = []
    start = 0
    while (end := data.find(b"\n", start)) >= 0 and data[start : end + 1] == _framed(data[start + _HEAD : end]):
        texts.append(data[start + _HEAD : end])
        start = end + 1
    try:
        records = loads_all(texts)
    except ValueError:
        records = []
    if len(records) == len(texts) and all(isinstance(record, dict) for record in records):
        return records, start
    return _scan_each(texts)


def _scan_each(texts: list[bytes]) -> tuple[list[dict[str, Any]], int]:
    """The same of frames that hold what is no record."""
    records: list[dict[str, Any]] = []
    start = 0
    for text in texts:
        try:
            record = loads(text)
        except ValueError:
            break
        if not isinstance(record, dict):
            break
        records.append(record)
        start += len(_framed(text))
    return records, start


@contextmanager
def kept_from_running(path: Path) -> Iterator[None]:
    """No run begins or goes on with this journal for the while. Raises OptionError while one is at it."""
    file = -1
    with suppress(OSError):  # there is none, or none that could be written
        file = _opened(path, 0)
    try:
        yield
    finally:
        if file >= 0:
            os.close(file)


def _opened(path: Path, flags: int) -> int:
    """The journal, open and locked. Raises OSError, and OptionError while another run has it."""
    file = os.open(path, os.O_RDWR | flags, 0o666)
    _lock(file, path)
    return file


def _lock(file: int, path: Path) -> None:
    """One writer at a time, where the file system knows locks; the lock goes with the process."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise OptionError(f"a run is still going on in {path.parent}; wait for its end, or end it first") from None
    except OSError:
        return


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
