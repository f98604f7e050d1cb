"""A plugin class as something that can travel: an import path, or the class itself when it has none."""

from __future__ import annotations

import importlib
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
        payload = b""
        if by_value or local:
            import cloudpickle

            payload = cloudpickle.dumps(plugin)
        return cls(plugin.name, f"{plugin.__module__}:{plugin.__qualname__}", payload)

    def load(self) -> type[Any]:
        """The class. Raises PluginError when it cannot be imported here."""
        return _load(self)


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
    except Exception as error:
        raise PluginError(f"plugin {ref.name!r} ({ref.target}) cannot be imported here: {error!r}") from error
    return found  # type: ignore[no-any-return]
