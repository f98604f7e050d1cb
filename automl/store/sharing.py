"""Keeping equal folders once: much of what members see of the data is alike, and of a text it is most of their size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from automl.store.manifest import FileEntry, Manifest


def shared(manifest: Manifest) -> Manifest:
    """The same commit without the files of models' sub-folders that equal an earlier one, which stands for them."""
    models = {folder for folds in manifest.models.values() for folder in folds.values()}
    contents: dict[str, list[tuple[str, FileEntry]]] = {}
    for name, entry in sorted(manifest.files.items()):
        model = next((above.as_posix() for above in PurePosixPath(name).parents if above.as_posix() in models), "")
        inside, _, rest = name.removeprefix(f"{model}/").partition("/")
        if model and rest:
            contents.setdefault(f"{model}/{inside}", []).append((rest, entry))
    first = {tuple(content): folder for folder, content in reversed(contents.items())}
    same = {folder: first[tuple(content)] for folder, content in contents.items() if first[tuple(content)] != folder}
    gone = {f"{folder}/{rest}" for folder in same for rest, _ in contents[folder]}
    kept = {name: entry for name, entry in manifest.files.items() if name not in gone}
    return replace(manifest, files=kept, same={**manifest.same, **same})
