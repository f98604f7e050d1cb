"""A model inside the log of a job: the one way back that every cluster has to whoever may submit to it.

A Ray cluster gives a submitter its HTTP port and nothing else: no shared folder, no object store, and of a job no files
but its log. So the job's last words are its model: a packed folder, as numbered lines of text, of which neither a line
of somebody else's in between nor a cut can go unnoticed. Models too large for that, or wanted elsewhere, go to a URL.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from automl.contract import ArtifactError
from automl.store.files import safe_name

MOST_BYTES = 256_000_000
_LINE = 6_000
_BEGIN = "=== model:"
_HEAD = re.compile(re.escape(_BEGIN) + r" (\d+) lines, sha256 ([0-9a-f]{64})")
_PART = re.compile(r"^= (\d+) ([A-Za-z0-9+/=]+)$", re.MULTILINE)


def lines_of(folder: Path) -> Iterator[str]:
    """A model's folder as lines of text, each with its end. Raises ArtifactError when it is too large for a log."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.add(path, path.relative_to(folder).as_posix())
    content = packed.getvalue()
    if len(content) > MOST_BYTES:
        raise ArtifactError(
            f"the model has {len(content) / 1e6:.0f} MB packed, more than the {MOST_BYTES / 1e6:.0f} MB that come back "
            f"through a log; it is in {folder} on the node of the job. Give a URL as output"
        )
    count = -(-len(content) // _LINE)
    yield f"{_BEGIN} {count} lines, sha256 {hashlib.sha256(content).hexdigest()}\n"
    for number in range(count):
        part = content[number * _LINE : (number + 1) * _LINE]
        yield f"= {number} {base64.b64encode(part).decode()}\n"


def without_model(pieces: Iterator[str]) -> Iterator[str]:
    """A log as it comes, line by line, without the lines of a model."""
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).splitlines(keepends=True) or [""]
        if rest.endswith("\n"):
            lines, rest = [*lines, rest], ""
        yield from (line for line in lines if not _is_ours(line))
    if rest and not _is_ours(rest):
        yield rest


def _is_ours(line: str) -> bool:
    return line.startswith(_BEGIN) or _PART.match(line.rstrip("\r\n")) is not None


def holds_model(log: str) -> bool:
    """Has the job got so far?"""
    return _HEAD.search(log) is not None


def unpack_model(log: str, folder: Path) -> None:
    """Write the model that a log holds into a folder that is empty or not there. Raises ArtifactError."""
    heads = _HEAD.findall(log)
    if not heads:
        raise ArtifactError("the log of the job holds no model")
    count, wanted = int(heads[-1][0]), heads[-1][1]
    parts = {int(number): text for number, text in _PART.findall(log.replace("\r\n", "\n"))}
    missing = [number for number in range(count) if number not in parts]
    if missing:
        raise ArtifactError(f"{len(missing)} of {count} parts of the model are missing from the log of the job")
    content = b"".join(base64.b64decode(parts[number]) for number in range(count))
    if hashlib.sha256(content).hexdigest() != wanted:
        raise ArtifactError("the model in the log of the job is damaged")
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None:
                raise ArtifactError(f"the model in the log holds {member.name!r}, which is no plain file")
            place = folder / safe_name(member.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read())
