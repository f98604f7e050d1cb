"""Code of plugins that travels to machines which lack it: packed by the driver, unpacked once on each machine.

Nothing here imports numpy: a worker reads it before its thread counts are set.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

ENGINE = "cairn-automl"
_MOST_BYTES = 100_000_000


@dataclass(frozen=True)
class Parcel:
    """A distribution that brings plugins.

    Attributes:
        name, version: of the distribution.
        content: a zip of its modules and its metadata.
        source: it is a folder of source that its author works on, so its version does not tell what is in it.
    """

    name: str
    version: str
    content: bytes
    source: bool = False

    @property
    def key(self) -> str:
        """32 hex digits of its content."""
        return hashlib.sha256(self.content).hexdigest()[:32]


def pack(distributions: Mapping[str, Collection[str]]) -> tuple[Parcel, ...]:
    """Parcels of these distributions, and one of the engine's version without content.

    Args:
        distributions: name -> top-level modules that are surely theirs.

    Raises ExecutionError for one that is too large to travel.
    """
    engine = Parcel(ENGINE, version(ENGINE), b"")
    return (engine, *(_pack(distribution(name), tops) for name, tops in sorted(distributions.items())))


def unpack(parcels: Collection[Parcel]) -> None:
    """Make importable here what this machine lacks or has in another version, before what is installed.

    Raises ExecutionError when the engine itself is of another version.
    """
    for parcel in parcels:
        there = _version_here(parcel.name)
        if parcel.name == ENGINE and there not in (parcel.version, None):
            from automl.contract import ExecutionError

            raise ExecutionError(
                f"{os.uname().nodename} has {ENGINE} {there}, the program that sends it work {parcel.version}; install "
                "the same version on every node"
            )
        if parcel.content and (parcel.source or there != parcel.version):
            sys.path.insert(0, str(_laid_out(parcel)))
    importlib.invalidate_caches()


def _version_here(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _pack(dist: Distribution, tops: Collection[str]) -> Parcel:
    files = dict(_recorded(dist)) if not _is_source(dist) else {}
    source = not any(name.endswith(".py") for name in files)
    if source:
        files = dict(_of_modules(dist, tops))
    size = sum(path.stat().st_size for path in files.values())
    if size > _MOST_BYTES:
        from automl.contract import ExecutionError

        raise ExecutionError(
            f"{dist.name}, which brings plugins, has {size / 1e6:.0f} MB; more than {_MOST_BYTES / 1e6:.0f} MB do not "
            f"travel: pip install {dist.name}=={dist.version} on every node"
        )
    texts = {f"{_about(dist)}/{name}": dist.read_text(name) for name in ("METADATA", "entry_points.txt")}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
        for name, text in texts.items():
            if name not in files and text:
                archive.writestr(zipfile.ZipInfo(name), text)
    return Parcel(dist.name, dist.version, content.getvalue(), source)


def _is_source(dist: Distribution) -> bool:
    """Was it installed with ``pip install -e``?"""
    told = json.loads(dist.read_text("direct_url.json") or "{}")
    return bool(told.get("dir_info", {}).get("editable"))


def _recorded(dist: Distribution) -> Iterator[tuple[str, Path]]:
    """(name in the parcel, path) of what an installer has written down, without scripts and caches."""
    for file in dist.files or ():
        path = Path(str(file.locate()))
        if ".." not in file.parts and "__pycache__" not in file.parts and path.is_file():
            yield file.as_posix(), path


def _of_modules(dist: Distribution, tops: Collection[str]) -> Iterator[tuple[str, Path]]:
    """(name in the parcel, path) of all files of its top-level modules."""
    for top in sorted({*tops, *(dist.read_text("top_level.txt") or "").split()}):
        spec = find_spec(top)
        if spec is None:
            continue
        if spec.submodule_search_locations is None and spec.origin:
            yield Path(spec.origin).name, Path(spec.origin)
        for folder in map(Path, spec.submodule_search_locations or ()):
            for path in folder.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    yield (PurePosixPath(top) / path.relative_to(folder).as_posix()).as_posix(), path


def _about(dist: Distribution) -> str:
    return f"{dist.name.replace('-', '_')}-{dist.version}.dist-info"


def _laid_out(parcel: Parcel) -> Path:
    """The folder with a parcel's files, made by the first worker of this user on this machine that needs it."""
    place = _own_folder() / parcel.key
    if not place.exists():
        fresh = Path(tempfile.mkdtemp(dir=place.parent))
        with zipfile.ZipFile(io.BytesIO(parcel.content)) as archive:
            archive.extractall(fresh)
        try:
            fresh.rename(place)
        except OSError:  # another worker was faster
            shutil.rmtree(fresh, ignore_errors=True)
    return place


def _own_folder() -> Path:
    """A folder below the one for temporary files that no other user can write to; code is imported from it."""
    folder = Path(tempfile.gettempdir()) / f"automl-plugins-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022:
        return Path(tempfile.mkdtemp(prefix="automl-plugins-"))
    return folder
