"""Files that are whole or absent: writing, forcing to disk, hashing, and names that stay inside their folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from automl.contract import ArtifactError

_CHUNK = 1 << 20
_SYNC_THREADS = 8


def digest(data: bytes) -> str:
    """sha256 in hex."""
    return hashlib.sha256(data).hexdigest()


def digest_of(path: Path) -> str:
    """sha256 in hex of a file's content."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def safe_name(name: str) -> str:
    """The name, if it is a plain relative path with forward slashes. Raises ArtifactError."""
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") for part in parts) and not any(c in name for c in "\\:\0")
    if not plain or PurePosixPath(name).is_absolute():
        raise ArtifactError(
            f"{name!r} is no name for a file of an artifact; use plain relative names such as 'state.json'"
        )
    return name


def write(path: Path, data: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def sync(paths: Collection[Path]) -> None:
    """Force files or folders to disk; several at once, which a busy disk answers many times faster than one by one."""
    if len(paths) <= 2:
        for path in paths:
            _sync_one(path)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_SYNC_THREADS) as threads:
        list(threads.map(_sync_one, paths))


def _sync_one(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def replace(path: Path, data: bytes) -> None:
    """Give a file new content at once: whoever reads it sees the old or the new; after this the disk has the new."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_bytes(data)
        sync([temporary])
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync([path.parent])


def below(folder: Path) -> Iterator[Path]:
    """All that is in a folder and its folders and is not a folder itself; links are not followed."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            yield from below(entry)
        else:
            yield entry


def size_below(folder: str) -> int:
    """Bytes of all files in a folder and its folders; links are not followed."""
    total, waiting = 0, [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def folders_in(root: Path, folder: str, depth: int) -> list[str]:
    """What lies so deep in a folder of `root`, by its path relative to that."""
    if depth == 0:
        return [folder]
    try:
        names = sorted(os.listdir(root / folder))
    except OSError:  # none, or a file
        return []
    return [found for name in names for found in folders_in(root, f"{folder}/{name}", depth - 1)]


def folders_of(paths: Iterable[Path], root: Path) -> list[Path]:
    """The folders that hold these files, up to and with `root`, each once."""
    found: set[Path] = {root}
    for path in paths:
        folder = path.parent
        while folder not in found:
            found.add(folder)
            folder = folder.parent
    return sorted(found)


def discard(path: Path) -> None:
    """Remove a file or folder as far as possible; what cannot be removed is left."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
