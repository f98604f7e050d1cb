"""Runs and models on disk, without pickle: whole or absent, checked before they are read."""

from automl.store.export import export
from automl.store.journal import Journal
from automl.store.manifest import FileEntry, Manifest, load_manifest
from automl.store.run import RunFolder
from automl.store.sharing import shared

__all__ = ["FileEntry", "Journal", "Manifest", "RunFolder", "export", "load_manifest", "shared"]
