"""Folders of runs that have none of their own: they go with the process, and those of killed ones go later."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from automl.contract import OptionError
from automl.store.claim import JOURNAL
from automl.store.journal import kept_from_running

_PREFIX = "automl-"
_LEFT_SECONDS = 24 * 3600


def make_private() -> Path:
    """A new folder that only this user may look into. Those that nobody needs any more are removed."""
    _sweep(Path(tempfile.gettempdir()))
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def hold(place: Path) -> int:
    """Say that a folder is needed as long as the descriptor returned is open; -1 where that cannot be said."""
    try:
        return _locked(place)
    except OSError:
        return -1


def remove_own(place: Path, owner: int, held: int) -> None:
    """Remove a folder that is held, unless this is a forked child of the process that made it."""
    if os.getpid() != owner:
        return
    shutil.rmtree(place, ignore_errors=True)
    if held >= 0:
        os.close(held)


def _sweep(folder: Path) -> None:
    """Remove what killed processes of this user have left behind for a day."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                _remove_left(Path(entry.path))


def _remove_left(place: Path) -> None:
    """Remove a run's folder if it is old and nobody holds it."""
    with contextlib.suppress(OSError, OptionError):
        seen = os.lstat(place)
        old = time.time() - seen.st_mtime > _LEFT_SECONDS
        if not (stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid() and old and (place / JOURNAL).is_file()):
            return
        held = _locked(place)
        try:
            with kept_from_running(place / JOURNAL):
                shutil.rmtree(place, ignore_errors=True)
        finally:
            os.close(held)


def _locked(place: Path) -> int:
    """The folder, open and locked. Raises OSError when another has it, or the file system knows no locks."""
    file = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
