"""Whose folder is it? A run or an artifact is put only where nothing is lost that is not ours."""

from __future__ import annotations

from pathlib import Path

from automl.contract import OptionError
from automl.store.files import discard
from automl.store.journal import looks_like_journal
from automl.store.manifest import MANIFEST, looks_like_manifest

JOURNAL, MEMBERS, STATES = "journal.jsonl", "members", "states"
RESULTS, INPUTS, NEW_INPUTS = "results.bin", "inputs", ".inputs.new"
OURS = (MANIFEST, f".{MANIFEST}.new", JOURNAL, MEMBERS, STATES, RESULTS, INPUTS, NEW_INPUTS)


def check_free(path: Path, overwrite: bool) -> bool:
    """May something of ours be put there? Returns True when something of ours is there and may be replaced.

    Raises OptionError naming the path when it is a file, somebody else's folder, or ours without `overwrite`.
    """
    try:
        if not path.is_symlink() and not path.exists():
            return False
        if not path.is_dir():
            raise OptionError(f"{path} is a file; give a folder that does not exist yet")
        if not any(path.iterdir()):
            return False
        ours = is_ours(path)
    except OSError as error:
        raise OptionError(f"cannot look into {path}: {error}; choose another folder") from error
    if not ours:
        raise OptionError(f"{path} holds files that are no run of Cairn; give an empty or new folder")
    if not overwrite:
        raise OptionError(f"{path} already holds a run; overwrite=True or --overwrite replaces it; or choose another")
    return True


def is_ours(path: Path) -> bool:
    """Does the folder hold a run or an exported model, by the content of its files and not just by their names?"""
    manifest, journal = path / MANIFEST, path / JOURNAL
    if manifest.is_file() and looks_like_manifest(manifest.read_bytes()[:64]):
        return True
    return journal.is_file() and not manifest.exists() and looks_like_journal(journal.read_bytes())


def clear(path: Path) -> None:
    """Remove what is ours from a folder, the manifest first, and leave everything else."""
    for name in OURS:
        discard(path / name)
