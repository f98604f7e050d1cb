"""The folder of one run: members are written as they come, and each commit makes a loadable model of some of them.

manifest.json            the last commit; written last, at once
journal.jsonl            what happened
results.bin              what finished folds gave, where the journal says
inputs/                  what a resumed run needs beside those: the data, the folds, the options
members/<key>/fold-<k>/  saved models
states/<version>/<name>/ what a commit says besides: the combiner, the schema, …
"""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from automl.contract import ArtifactError, OptionError, read_state, write_state
from automl.store import files
from automl.store.claim import INPUTS, JOURNAL, MEMBERS, NEW_INPUTS, RESULTS, STATES, check_free, clear
from automl.store.journal import Journal, kept_from_running
from automl.store.manifest import MANIFEST, FileEntry, Manifest, check_folder, check_unchanged, encode, load_manifest
from automl.store.private import hold, make_private, remove_own
from automl.store.results import Results
from automl.store.values import dumps, loads
from automl.store.versions import versions

_SUMS = "sums.json"
_AGAIN = "copy the folder again, or fit anew"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")


class RunFolder:
    """One run on disk. After every `commit`, `load_manifest` on its path gives a whole model, whatever happens later.

    Attributes:
        path: the folder.
        journal: the run's journal.
        results: what finished folds gave; None in a private folder, which cannot be resumed.
        committed: of a run that is resumed, its last commit.
        plugins: ``group:name`` -> distribution and version of installed plugins, which commits say.
    """

    def __init__(self, path: Path, sync: bool, temporary: bool = False) -> None:
        """Use `RunFolder.create` or `RunFolder.reopen`."""
        self.path = path
        self.journal = Journal(path / JOURNAL, sync)
        self.results = None if temporary else _results_beside(self.journal)
        self.committed: Manifest | None = None
        self.plugins: Mapping[str, Sequence[str]] = {}
        self._models: dict[str, dict[int, str]] = {}
        self._entries: dict[str, dict[str, FileEntry]] = {}
        self._referenced: set[str] = set()
        self._on_disk: set[str] = set()
        self._version = 0
        self._remove = weakref.finalize(self, remove_own, path, os.getpid(), hold(path)) if temporary else None

    @classmethod
    def create(cls, path: Path | str | None, overwrite: bool = False, sync: bool = True) -> RunFolder:
        """Start a run.

        Args:
            path: an empty or new folder; None makes a private one that goes away on `close`, with the last reference to
                this object, or at interpreter exit.
            overwrite: replace the run that is there.
            sync: force every journal record to disk at once, see `Journal`.

        Raises OptionError naming the path when the folder cannot be used, or the run that is there still goes on.
        """
        if path is None:
            return cls(make_private(), sync, temporary=True)
        place = Path(path).absolute()
        if check_free(place, overwrite):
            with kept_from_running(place / JOURNAL):
                clear(place)
        try:
            place.mkdir(parents=True, exist_ok=True)
            os.close(os.open(place / JOURNAL, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError as error:
            raise OptionError(f"another run has just started in {place}; choose another path") from error
        except OSError as error:
            raise OptionError(f"cannot start a run in {place}: {error}; choose a folder that can be written") from error
        return cls(place, sync)

    @classmethod
    def reopen(cls, path: Path | str, sync: bool = True) -> RunFolder:
        """A run that was broken off. Raises ArtifactError when there is none, OptionError while it still goes on."""
        place = Path(path).absolute()
        check_folder(place)
        if not (place / JOURNAL).is_file():
            raise ArtifactError(f"{place} holds no run that could be resumed: there is no {JOURNAL}")
        return cls(place, sync)

    def adopt(self, kept: Mapping[str, Mapping[int, str]]) -> None:
        """Take over the models of an earlier process, key -> fold -> folder; what belongs to none of them goes away."""
        self._models = {key: dict(folds) for key, folds in kept.items()}
        with contextlib.suppress(ArtifactError):  # nothing was committed, or it is damaged: the next commit is whole
            self.committed = load_manifest(self.path)
        if self.committed is not None:
            self._referenced = {folder for folds in self.committed.models.values() for folder in folds.values()}
        versions = self.path / STATES
        numbers = [int(p.name) for p in versions.iterdir() if p.name.isdigit()] if versions.is_dir() else []
        self._version = max(numbers, default=0)
        wanted = self._referenced | {folder for folds in self._models.values() for folder in folds.values()}
        for folder in files.folders_in(self.path, MEMBERS, 2):
            if folder not in wanted:
                files.discard(self.path / folder)

    def holds(self, folder: str, size: int) -> bool:
        """Are the files of this model there, with so many bytes? After a loss of power they may not be."""
        try:
            return files.size_below(f"{self.path}/{folder}") == size
        except OSError:
            return False

    def write_inputs(self, state: Mapping[str, Any]) -> None:
        """Keep what a resumed run needs, all of it or nothing. Raises ArtifactError or OSError when that fails."""
        place, new = self.path / INPUTS, self.path / NEW_INPUTS
        try:
            write_state(new, state)
            sums = {path.relative_to(new).as_posix(): files.digest_of(path) for path in files.below(new)}
            files.write(new / _SUMS, dumps(sums).encode())
            files.sync([*files.below(new), new])
            os.replace(new, place)
            files.sync([self.path])
        except (OSError, ArtifactError):
            files.discard(new)
            raise

    def read_inputs(self) -> dict[str, Any]:
        """What `write_inputs` kept. Raises ArtifactError when there is nothing, or not what was written."""
        place = self.path / INPUTS
        if not place.is_dir():
            raise ArtifactError(
                f"{self.path} cannot be resumed: its data was not kept, or the run ended before it was; fit again"
            )
        try:
            sums = loads((place / _SUMS).read_bytes())
            damaged = [name for name, digest in sums.items() if files.digest_of(place / name) != digest]
        except (OSError, ValueError, AttributeError) as error:
            raise ArtifactError(f"cannot read the data of the run in {place}: {error}; {_AGAIN}") from error
        if damaged:
            raise ArtifactError(
                f"{place / damaged[0]} is damaged: its hash differs from that it was written with; {_AGAIN}"
            )
        return read_state(place)

    def rest(self) -> None:
        """Nothing more happens in this run for now: another process may resume it."""
        try:
            self.journal.close()
        finally:
            if self.results is not None:
                self.results.close()

    def place_of(self, key: str, fold: int) -> str:
        """The folder of a kept model, relative to the run's; "" for none."""
        return self._models.get(key, {}).get(fold, "")

    def write_model(self, key: str, fold: int, contents: Mapping[str, bytes]) -> None:
        """Keep a saved model: relative file name -> bytes. The same key and fold again replaces it.

        Raises ArtifactError when a name leaves the folder or the disk does not take a file; nothing is kept then.
        """
        folder = self._fresh_folder(_plain(key, "a member's key"), fold)
        place = self.path / folder
        entries = {}
        try:
            place.mkdir(parents=True)
            for name, data in contents.items():
                relative = f"{folder}/{files.safe_name(name)}"
                files.write(self.path / relative, data)
                entries[relative] = FileEntry(files.digest(data), len(data))
        except (OSError, ArtifactError) as error:
            files.discard(place)
            raise ArtifactError(f"cannot keep model {key!r}: {error}") from error
        before = self._models.setdefault(key, {}).get(fold)
        self._models[key][fold] = folder
        self._entries[folder] = entries
        if before is not None:
            self._forget(before)

    def model_folder(self, key: str, fold: int) -> Path:
        """Where a kept model lies, committed or not. Raises ArtifactError when it was never written or was dropped."""
        if fold not in self._models.get(key, {}):
            raise ArtifactError(f"{self.path} keeps no model {key!r} for fold {fold}")
        return self.path / self._models[key][fold]

    def note(self, key: str) -> None:
        """Know the files of a kept model, so that `unchanged_folder` can tell whether they were replaced."""
        with contextlib.suppress(OSError):
            self._look_at(self._models.get(key, {}).values())

    def unchanged_folder(self, key: str, fold: int) -> Path:
        """`model_folder`, checked to hold what was written or noted. Raises ArtifactError when it was replaced."""
        place = self.model_folder(key, fold)
        folder = self._models[key][fold]
        check_unchanged(self.path, folder, self._entries.get(folder, {}))
        return place

    def drop_model(self, key: str) -> None:
        """Remove a member of all folds. What the last commit refers to goes away after the next one."""
        for folder in self._models.pop(key, {}).values():
            self._forget(folder)

    def commit(
        self,
        manifest: Mapping[str, Any],
        states: Mapping[str, Mapping[str, Any]],
        members: Mapping[str, Collection[int]] | None = None,
        libraries: Collection[str] = (),
    ) -> None:
        """Make a loadable model, at once: a crash at any moment leaves the commit before.

        Args:
            manifest: JSON values that the reader gets back as ``Manifest.content``.
            states: name -> what `read_state` gives back.
            members: key -> folds of the members that belong to it; None for all that are kept.
            libraries: distributions whose versions matter.

        Raises ArtifactError when something cannot be saved; the commit before then stands.
        """
        wanted = self._models if members is None else members
        missing = [(key, fold) for key, folds in wanted.items() for fold in folds if not self.place_of(key, fold)]
        if missing:
            raise ArtifactError(f"cannot commit members (key, fold) {missing}: they were never written or were dropped")
        models = {key: {fold: self._models[key][fold] for fold in sorted(wanted[key])} for key in sorted(wanted)}
        folders = [folder for folds in models.values() for folder in folds.values()]
        self._version += 1
        place = self.path / STATES / str(self._version)
        data = b""
        try:
            self._look_at(folders)
            entries = {name: entry for folder in folders for name, entry in self._entries[folder].items()}
            named = self._write_states(place, states)
            new = [folder for folder in folders if folder not in self._on_disk]
            entries |= self._entries_below(place)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            known = versions({*libraries, *(distribution for distribution, _ in self.plugins.values())})
            content = {**manifest, "plugins": self.plugins} if self.plugins else manifest
            data = encode(Manifest(self.path, created, known, entries, models, named, content))
            self._sync(place, new)
            files.replace(self.path / MANIFEST, data)
        except Exception as error:
            if not data or self._last_commit() != data:
                files.discard(place)
            raise ArtifactError(f"cannot commit to {self.path}: {error}; the commit before is untouched") from error
        self._settle(place, folders)

    def close(self) -> None:
        """Close the journal; a private temporary folder goes away. More than once is fine."""
        self.rest()
        if self._remove is not None:
            self._remove()

    def _look_at(self, folders: Collection[str]) -> None:
        """Know the files of models that an earlier process wrote."""
        for folder in folders:
            if folder not in self._entries:
                self._entries[folder] = self._entries_below(self.path / folder)

    def _fresh_folder(self, key: str, fold: int) -> str:
        """A folder that no commit refers to and that holds nothing."""
        base = f"{MEMBERS}/{key}/" + ("all" if fold < 0 else f"fold-{fold}")
        name, again = base, 1
        while (self.path / name).exists():
            again += 1
            name = f"{base}-{again}"
        return name

    def _forget(self, folder: str) -> None:
        """Remove a member's folder now, or after the next commit when the last one refers to it."""
        self._on_disk.discard(folder)
        if folder not in self._referenced:
            self._entries.pop(folder, None)
            self._erase(folder)

    def _erase(self, folder: str) -> None:
        files.discard(self.path / folder)
        above = (self.path / folder).parent
        if above.is_dir() and not any(above.iterdir()):
            files.discard(above)

    def _write_states(self, place: Path, states: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        files.discard(place)
        place.mkdir(parents=True)
        for name, state in states.items():
            write_state(place / _plain(name, "a state's name"), state)
        return {name: f"{STATES}/{place.name}/{name}" for name in states}

    def _entries_below(self, place: Path) -> dict[str, FileEntry]:
        return {
            path.relative_to(self.path).as_posix(): FileEntry(files.digest_of(path), path.stat().st_size)
            for path in files.below(place)
        }

    def _sync(self, place: Path, new: Collection[str]) -> None:
        """Force the files that no earlier commit has forced to disk there, and the folders that name them.

        A private temporary folder ends with the process, so nothing is forced there.
        """
        if self._remove is not None:
            return
        paths = list(files.below(place)) + [self.path / name for folder in new for name in self._entries[folder]]
        anchors = [place / "_"] + [self.path / folder / "_" for folder in new]
        files.sync(paths + files.folders_of(paths + anchors, self.path))

    def _last_commit(self) -> bytes:
        try:
            return (self.path / MANIFEST).read_bytes()
        except OSError:
            return b""

    def _settle(self, place: Path, folders: Collection[str]) -> None:
        """Remove what only the commit before needed."""
        kept = set(folders)
        self._on_disk |= kept
        live = {folder for folds in self._models.values() for folder in folds.values()}
        stale, self._referenced = self._referenced - kept - live, kept
        for folder in stale:
            self._forget(folder)
        for version in (self.path / STATES).iterdir():
            if version != place:
                files.discard(version)


def _plain(name: str, what: str) -> str:
    if not _PLAIN.fullmatch(name):
        raise ArtifactError(f"{name!r} cannot be {what}: use letters, digits, '_', '.', '+' and '-'")
    return name


def _results_beside(journal: Journal) -> Results:
    """Where the journal's run keeps what folds give: it is on disk before the records that speak of it."""
    try:
        results = Results(journal.path.with_name(RESULTS))
    except ArtifactError:
        journal.close()
        raise
    journal.before = results.sync
    return results
