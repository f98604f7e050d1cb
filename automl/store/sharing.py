"""Keeping equal folders once: much of what members see of the data is alike, and of a text it is most of their size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from automl.store.manifest import FileEntry, Manifest

_Content = dict[str, FileEntry | str]


def shared(manifest: Manifest) -> Manifest:
    """The same commit, its models' equal folders kept once.

    A model whose folder equals an earlier one has that. A sub-folder that equals an earlier one is left out, and that
    stands for it; but every folder keeps a file, since some ways of copying know of no folders.
    """
    contents = _contents(manifest)
    firsts: dict[tuple[tuple[str, FileEntry | str], ...], str] = {}
    to = {f: firsts.setdefault(tuple(inside.items()), f) if inside else f for f, inside in contents.items()}
    kept = {folder: inside for folder, inside in contents.items() if to[folder] == folder}
    same = _equal_parts(kept)
    gone = {
        f"{folder}/{name}"
        for folder, inside in contents.items()
        for name in inside
        if folder not in kept or _part(folder, name) in same
    }
    return replace(
        manifest,
        models={key: {fold: to[folder] for fold, folder in folds.items()} for key, folds in manifest.models.items()},
        files={name: entry for name, entry in manifest.files.items() if name not in gone},
        same={**_still_elsewhere(manifest.same, to, same), **same},
    )


def _contents(manifest: Manifest) -> dict[str, _Content]:
    """Of each model's folder, in order: relative name -> the file, or where the sub-folder lies instead."""
    folders = {folder for folds in manifest.models.values() for folder in folds.values()}
    out: dict[str, _Content] = {folder: {} for folder in sorted(folders)}
    everything: dict[str, FileEntry | str] = {**manifest.files, **manifest.same}
    for name, what in sorted(everything.items(), key=lambda one: one[0]):
        folder = next((str(above) for above in PurePosixPath(name).parents if str(above) in out), None)
        if folder is not None:
            out[folder][name.removeprefix(f"{folder}/")] = what
    return out


def _part(folder: str, name: str) -> str:
    """The sub-folder that a file of a folder is in; "" for one that is in none."""
    first, _, rest = name.partition("/")
    return f"{folder}/{first}" if rest else ""


def _equal_parts(contents: Mapping[str, _Content]) -> dict[str, str]:
    """Sub-folder -> the first of equal content, but for one of a folder that had nothing else."""
    parts: dict[str, list[tuple[str, FileEntry | str]]] = {}
    for folder, inside in contents.items():
        for name, what in inside.items():
            if part := _part(folder, name):
                parts.setdefault(part, []).append((name, what))
    firsts: dict[tuple[tuple[str, FileEntry | str], ...], str] = {}
    to = {part: firsts.setdefault(tuple(inside), part) for part, inside in parts.items()}
    same = {part: first for part, first in to.items() if part != first}
    for folder, inside in contents.items():
        own = {_part(folder, name) for name, what in inside.items() if isinstance(what, FileEntry)}
        if own and own <= set(same):
            del same[min(own, key=lambda part: len(parts[part]))]
    return same


def _still_elsewhere(before: Mapping[str, str], to: Mapping[str, str], same: Mapping[str, str]) -> dict[str, str]:
    """What lay elsewhere before, where it lies now; without what belongs to a folder that is gone."""
    out = {}
    for part, place in before.items():
        folder, _, name = place.rpartition("/")
        moved = f"{to.get(folder, folder)}/{name}"
        if to.get(part.rpartition("/")[0]) == part.rpartition("/")[0]:
            out[part] = same.get(moved, moved)
    return out
