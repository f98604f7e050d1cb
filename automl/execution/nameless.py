"""Files without a name, which nothing can leave behind: in memory when that is roomy, else on disk."""

from __future__ import annotations

import os
import tempfile
from typing import IO

from automl.execution.limits import available_memory


def nameless_file(size: int) -> IO[bytes]:
    """A file for `size` bytes, empty and open for reading and writing."""
    if hasattr(os, "memfd_create") and size < available_memory() // 2:
        return os.fdopen(os.memfd_create("automl"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def write_all(fd: int, part: memoryview) -> None:
    """Write all of it, however often the system stops short. Raises OSError."""
    rest = part.cast("B") if part.nbytes else part
    while rest.nbytes:
        rest = rest[os.write(fd, rest) :]
