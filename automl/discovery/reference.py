"""A plugin class as something that can travel: an import path, or the class itself when it has none."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from automl.contract import PluginError


@dataclass(frozen=True)
class PluginRef:
    """Where a plugin class comes from.

    Attributes:
        name: the plugin's name.
        target: ``"package.module:Class"``.
        payload: the class by value (cloudpickle), for classes of a notebook or script; else empty.
    """

    name: str
    target: str
    payload: bytes = b""

    @classmethod
    def of(cls, plugin: type[Any], by_value: bool = False) -> PluginRef:
        """A reference to a class; by value when it lives in ``__main__`` or inside a function, or when asked."""
        local = plugin.__module__ == "__main__" or "<locals>" in plugin.__qualname__
        try:
            payload = _by_value(plugin) if by_value or local else b""
        except Exception as error:  # whatever the globals of a stranger's class raise when they are copied
            raise PluginError(
                f"plugin {plugin.name!r} cannot be sent to workers: {type(error).__name__}: {error}; it travels with "
                "every global that it uses, so make locks, connections and open files inside `fit`"
            ) from error
        return cls(plugin.name, f"{plugin.__module__}:{plugin.__qualname__}", payload)

    def load(self) -> type[Any]:
        """The class. Raises PluginError when it cannot be imported here."""
        return _load(self)


def _by_value(plugin: type[Any]) -> bytes:
    """The class with its code, also when its module could be imported here: a worker may not have it."""
    import cloudpickle

    module = sys.modules.get(plugin.__module__)
    if module is None or plugin.__module__ in ("__main__", *cloudpickle.list_registry_pickle_by_value()):
        return bytes(cloudpickle.dumps(plugin))
    cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(plugin))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


@lru_cache(maxsize=256)
def _load(ref: PluginRef) -> type[Any]:
    if ref.payload:
        import cloudpickle

        return cloudpickle.loads(ref.payload)  # type: ignore[no-any-return]
    module, _, attribute = ref.target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        raise PluginError(f"plugin {ref.name!r} ({ref.target}) cannot be imported here: {error!r}") from error
    return found  # type: ignore[no-any-return]
