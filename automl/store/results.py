"""What finished folds gave, one after the other in a file: a resumed run reads them back where the journal says."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.contract import ArtifactError, pack_state, unpack_state


class Results:
    """An append-only file of states. The journal, written after it, says where each is; what it does not name is lost.

    Raises ArtifactError when the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            self._end = os.fstat(self._file).st_size
        except OSError as error:
            raise ArtifactError(f"cannot open {path}: {error}; check the disk and its permissions") from error

    def append(self, state: Mapping[str, Any]) -> list[int]:
        """Add a state of JSON values and arrays; returns its place: [start, length, crc32].

        Raises ArtifactError when it cannot be saved or the disk does not take it.
        """
        data = pack_state(state)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
            self._end = os.fstat(self._file).st_size
            raise ArtifactError(f"cannot write {self.path}: {error}; free some space and resume") from error
        start, self._end = self._end, self._end + len(data)
        return [start, len(data), zlib.crc32(data)]

    def sync(self) -> None:
        """Force it to disk."""
        os.fsync(self._file)

    def whole(self, place: Sequence[int]) -> bool:
        """Is what `append` put there still there?"""
        return zlib.crc32(self._at(place)) == place[2]

    def read(self, place: Sequence[int]) -> dict[str, Any]:
        """The state that `append` put there. Raises ArtifactError when it is damaged."""
        data = self._at(place)
        if zlib.crc32(data) != place[2]:
            raise ArtifactError(f"{self.path} is damaged at byte {place[0]}: what a fold gave cannot be read back")
        return unpack_state(data)

    def close(self) -> None:
        """Force everything to disk and close; more than once is fine."""
        if self._file >= 0:
            file, self._file = self._file, -1
            try:
                os.fsync(file)
            except OSError as error:
                raise ArtifactError(f"the last second of {self.path} may not be on disk: {error}") from error
            finally:
                os.close(file)

    def _at(self, place: Sequence[int]) -> bytes:
        file = self._file if self._file >= 0 else os.open(self.path, os.O_RDONLY)
        try:
            return os.pread(file, place[1], place[0])
        finally:
            if file != self._file:
                os.close(file)
