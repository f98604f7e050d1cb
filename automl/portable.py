"""A fitted AutoML inside a pickle, as joblib and `cross_validate` need it: the committed files travel as bytes.

`save` and `load` are the way to keep a model; a pickle runs code when it is read, so only read your own.
"""

from __future__ import annotations

from typing import Any

from automl.discovery import Registry
from automl.predictor import Predictor
from automl.store import RunFolder

_HERE_ONLY = ("_predictor", "_run", "_folder", "_registry")
_FILES = "_files"


class Portable:
    """`pickle` and `copy.deepcopy` for an estimator that serves a committed folder through `_predictor`."""

    _folder: RunFolder
    _run: Any
    _registry: Registry
    _predictor: Predictor

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in _HERE_ONLY}
        predictor: Predictor | None = getattr(self, "_predictor", None)
        if predictor is not None:
            state[_FILES] = predictor.manifest.contents()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.pop(_FILES, None)
        self.__dict__.update(state)
        if files is None:
            return
        folder = RunFolder.create(None, sync=False)
        for name, data in files.items():
            place = folder.path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        self._folder, self._run = folder, None
        self._registry = Registry.installed(state["plugins"], state["extra_plugins"] or ())
        self._predictor = Predictor.open(folder.path, self._registry)
