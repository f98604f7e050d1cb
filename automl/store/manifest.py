"""The manifest: which files a commit consists of, with their hashes, checked before any of them is parsed."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl.contract import ArtifactError, read_state
from automl.store.files import below, digest, digest_of, safe_name
from automl.store.values import dumps, loads

FORMAT, _BEFORE_SHARING = 2, 1
MANIFEST = "manifest.json"
_HEAD, _MIDDLE, _TAIL = b'{"sha256":"', b'","manifest":', b"}\n"
_COMMITS_MEANWHILE = 10
_AGAIN = "copy the artifact again or use an older one"


@dataclass(frozen=True)
class FileEntry:
    """A file of the commit: sha256 in hex, and bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """A commit that can be trusted to be what was written.

    Attributes:
        folder: where it lies.
        created: UTC time, ISO format.
        versions: of automl, python, platform, numpy and the libraries that took part.
        files: relative path -> entry, of every file that belongs to it.
        models: key -> fold -> relative folder.
        states: name -> relative folder.
        content: what the engine had to say, as JSON values.
        same: sub-folder of a model -> the one of equal content that stands for it, since an export keeps them once.
    """

    folder: Path
    created: str
    versions: Mapping[str, str]
    files: Mapping[str, FileEntry]
    models: Mapping[str, Mapping[int, str]]
    states: Mapping[str, str]
    content: Mapping[str, Any]
    same: Mapping[str, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of all files of the commit, the manifest's own among them."""
        return sum(entry.size for entry in self.files.values()) + (self.folder / MANIFEST).stat().st_size

    @property
    def folders(self) -> list[str]:
        """Relative folders of all models and states."""
        return [p for folds in self.models.values() for p in folds.values()] + list(self.states.values())

    def model_folder(self, key: str, fold: int) -> Path:
        """Where a member's files lie. Raises ArtifactError when it is not part of the commit."""
        if fold not in self.models.get(key, {}):
            raise ArtifactError(f"{self.folder} has no model {key!r} for fold {fold}; it has {sorted(self.models)}")
        return self.folder / self.models[key][fold]

    def unchanged_folder(self, key: str, fold: int) -> Path:
        """`model_folder`, checked to hold what was committed. Raises ArtifactError when it was replaced meanwhile."""
        place = self.model_folder(key, fold)
        check_unchanged(self.folder, self.models[key][fold], self.files)
        return place

    def elsewhere(self, key: str, fold: int) -> dict[str, Path]:
        """Sub-folders of a member's folder that lie in another's: name -> where.

        Raises ArtifactError when what was committed there was replaced meanwhile.
        """
        folder = self.models[key][fold]
        found = {name: place for name, place in self.same.items() if name.rpartition("/")[0] == folder}
        for place in found.values():
            check_unchanged(self.folder, place, self.files)
        return {name.rpartition("/")[2]: self.folder / place for name, place in found.items()}

    def state_folder(self, name: str) -> Path:
        """Where a named state lies, for classes with a `load` of their own. Raises ArtifactError."""
        if name not in self.states:
            raise ArtifactError(f"{self.folder} has no state {name!r}; it has {sorted(self.states)}")
        return self.folder / self.states[name]

    def state(self, name: str) -> dict[str, Any]:
        """A named state as it was committed. Raises ArtifactError, also when it was replaced meanwhile."""
        place = self.state_folder(name)
        check_unchanged(self.folder, self.states[name], self.files)
        return read_state(place)

    def contents(self) -> dict[str, bytes]:
        """All files of the commit, its manifest among them. Raises ArtifactError when they were replaced meanwhile."""
        found = {}
        for name, entry in self.files.items():
            try:
                found[name] = (self.folder / name).read_bytes()
            except OSError as error:
                raise replaced(self.folder, name) from error
            if digest(found[name]) != entry.sha256:
                raise replaced(self.folder, name)
        return {**found, MANIFEST: encode(self)}


def check_unchanged(root: Path, folder: str, files: Mapping[str, FileEntry]) -> None:
    """Raise ArtifactError unless a folder below `root` holds just those of these files that were noted for it."""
    noted = {name: entry.sha256 for name, entry in files.items() if name.startswith(f"{folder}/")}
    try:
        found = {path.relative_to(root).as_posix(): digest_of(path) for path in below(root / folder)}
    except OSError as error:
        raise replaced(root, folder) from error
    if found != noted:
        raise replaced(root, folder)


def replaced(root: Path, name: str) -> ArtifactError:
    """What is raised when a file or folder is not what the manifest that was read says."""
    return ArtifactError(
        f"the model in {root} was replaced since it was loaded: load it again to use what is there now ({name} is gone "
        "or another one); give every run and every saved model a folder of its own to keep them all"
    )


def encode(manifest: Manifest) -> bytes:
    """The bytes of manifest.json: strict JSON that carries the hash of its own body."""
    body = dumps(
        {
            "format_version": FORMAT if manifest.same else _BEFORE_SHARING,
            "created": manifest.created,
            "versions": manifest.versions,
            "files": {name: [entry.sha256, entry.size] for name, entry in sorted(manifest.files.items())},
            "models": {key: {str(k): path for k, path in folds.items()} for key, folds in manifest.models.items()},
            "states": manifest.states,
            "content": manifest.content,
            **({"same": manifest.same} if manifest.same else {}),
        }
    ).encode("utf-8")
    return _HEAD + digest(body).encode() + _MIDDLE + body + _TAIL


def load_manifest(path: Path | str) -> Manifest:
    """Read a commit and check that every file of it is as it was written.

    A run that goes on may commit again meanwhile and remove what the commit before needed; then the newer one is read.
    Raises ArtifactError naming the file that is missing, damaged, foreign or from a newer version.
    """
    folder = Path(path)
    data = _bytes(folder)
    for _ in range(_COMMITS_MEANWHILE):
        try:
            return _checked(folder, data)
        except ArtifactError:
            before, data = data, _bytes(folder)
            if data == before:
                raise
    return _checked(folder, data)


def check_folder(folder: Path) -> None:
    """Raise ArtifactError when no folder is there."""
    if not folder.is_dir():
        what = "is a file; a saved model is a folder" if folder.exists() else "does not exist"
        raise ArtifactError(f"{folder} {what}: give the folder that `save` or a run wrote")


def _bytes(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError as error:
        check_folder(folder)
        raise ArtifactError(
            f"cannot read {folder / MANIFEST}: {error}; either this is no saved model, or its run ended before the "
            "first model was committed"
        ) from error


def _checked(folder: Path, data: bytes) -> Manifest:
    manifest = _decode(folder, data)
    _verify(manifest)
    return manifest


def looks_like_manifest(data: bytes) -> bool:
    """Is this the beginning of a manifest of ours?"""
    return data.startswith(_HEAD)


def _decode(folder: Path, data: bytes) -> Manifest:
    start = len(_HEAD) + 64
    body = data[start + len(_MIDDLE) : -len(_TAIL)]
    if data != _HEAD + digest(body).encode() + _MIDDLE + body + _TAIL:
        raise ArtifactError(f"{folder / MANIFEST} is damaged or was edited: its hash differs; {_AGAIN}")
    try:
        fields = loads(body)
        version = fields["format_version"]
        if version > FORMAT:
            raise ArtifactError(
                f"{folder / MANIFEST} has format {version}, written by version {fields['versions']['automl']}; this "
                f"version reads up to format {FORMAT}: install {fields['versions']['automl']} or newer"
            )
        return Manifest(
            folder,
            fields["created"],
            fields["versions"],
            {safe_name(name): FileEntry(sha, size) for name, (sha, size) in fields["files"].items()},
            {key: {int(k): safe_name(p) for k, p in folds.items()} for key, folds in fields["models"].items()},
            {name: safe_name(p) for name, p in fields["states"].items()},
            fields["content"],
            {safe_name(name): safe_name(place) for name, place in fields.get("same", {}).items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{folder / MANIFEST} lacks what a manifest must say: {error!r}; {_AGAIN}") from error


def _verify(manifest: Manifest) -> None:
    """Every file listed is there as written, and the folders that get loaded hold nothing else."""
    for name, entry in manifest.files.items():
        file = manifest.folder / name
        try:
            _refuse_links(manifest.folder, name)
            size = os.lstat(file).st_size
            same = size == entry.size and digest_of(file) == entry.sha256
        except OSError as error:
            raise ArtifactError(f"cannot read {file}: {error}; the artifact is incomplete: {_AGAIN}") from error
        if not same:
            raise ArtifactError(f"{file} is damaged: its hash differs from the manifest's; {_AGAIN}")
    for folder in dict.fromkeys([*manifest.folders, *manifest.same.values()]):
        if not (manifest.folder / folder).is_dir():
            raise ArtifactError(f"{manifest.folder / folder} is missing; the artifact is incomplete: {_AGAIN}")
        for file in _listed(manifest.folder / folder):
            if file.relative_to(manifest.folder).as_posix() not in manifest.files:
                raise ArtifactError(f"{file} does not belong to the artifact; remove it or {_AGAIN}")


def _listed(folder: Path) -> list[Path]:
    try:
        return list(below(folder))
    except OSError as error:
        raise ArtifactError(f"cannot look into {folder}: {error}; the artifact is incomplete: {_AGAIN}") from error


def _refuse_links(folder: Path, name: str) -> None:
    """Neither the file nor a folder on the way to it is a link; the file is a regular one."""
    place = folder
    for part in name.split("/"):
        place = place / part
        mode = os.lstat(place).st_mode
        if stat.S_ISLNK(mode):
            raise ArtifactError(f"{place} is a link; an artifact holds plain files only: {_AGAIN}")
    if not stat.S_ISREG(mode):
        raise ArtifactError(f"{place} is no plain file; {_AGAIN}")
