"""Copying a commit to a place of its own: just the files it refers to, equal folders once, visible only when whole."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from automl.contract import ArtifactError, OptionError
from automl.store import files
from automl.store.claim import JOURNAL, OURS, check_free
from automl.store.journal import kept_from_running
from automl.store.manifest import MANIFEST, Manifest, encode, load_manifest, replaced
from automl.store.run import RunFolder
from automl.store.sharing import shared


def export(run: RunFolder | Manifest | Path | str, target: Path | str, overwrite: bool = False) -> None:
    """Copy a run's last commit to `target`, where `load_manifest` reads it.

    Args:
        run: the run, or its folder, or an exported one; a commit that was read, if no other must be copied.
        target: an empty or new folder, or with `overwrite` an earlier export.
        overwrite: replace what is there; it stays whole until the new one is.

    Raises OptionError when the target cannot be used, a run that still goes on there among the reasons, and
    ArtifactError when the source is damaged or was replaced, or the disk does not take the copy; the target is then as
    it was.
    """
    source = _folder_of(run).resolve()
    place = Path(target).absolute()
    resolved = place.resolve()
    if resolved == source or resolved in source.parents:
        raise OptionError(f"cannot export {source} onto itself or a folder above it; choose another target")
    replaces = check_free(place, overwrite)
    if replaces and (foreign := sorted(entry.name for entry in place.iterdir() if entry.name not in OURS)):
        raise OptionError(f"{place} also holds {foreign[:5]}, which overwriting would remove; choose another target")
    manifest = load_manifest(source)
    if isinstance(run, Manifest) and manifest.files != run.files:
        raise replaced(source, MANIFEST)
    mark = uuid.uuid4().hex[:8]
    new = place.with_name(f".{place.name}.{mark}.new")
    try:
        with kept_from_running(place / JOURNAL):
            _copy(shared(manifest), new)
            _swap(new, place, place.with_name(f".{place.name}.{mark}.old"))
    except OSError as error:
        files.discard(new)
        raise ArtifactError(f"cannot write the model to {place}: {error}; free some space or choose another") from error


def _folder_of(run: RunFolder | Manifest | Path | str) -> Path:
    if isinstance(run, RunFolder):
        return run.path
    return run.folder if isinstance(run, Manifest) else Path(run)


def _copy(manifest: Manifest, new: Path) -> None:
    """All files of the commit, the manifest last, forced to disk."""
    new.mkdir(parents=True)
    for folder in manifest.folders:
        (new / folder).mkdir(parents=True, exist_ok=True)
    copies = []
    for name in manifest.files:
        copies.append(new / name)
        copies[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(manifest.folder / name, copies[-1])
    files.sync(copies + files.folders_of(copies + [new / folder / "_" for folder in manifest.folders], new))
    files.replace(new / MANIFEST, encode(manifest))


def _swap(new: Path, place: Path, old: Path) -> None:
    """Put the new folder in place; when that fails, what was there is put back."""
    if place.exists():
        os.rename(place, old)
    try:
        os.rename(new, place)
    except OSError:
        if old.exists():
            os.rename(old, place)
        raise
    files.sync([place.parent])
    files.discard(old)
