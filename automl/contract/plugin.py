"""What models and encoders share: parameters, declarations, and saving by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

from automl.contract.errors import PluginError
from automl.contract.persist import read_state, write_state
from automl.contract.space import SearchSpace


class Plugin:
    """Base of model and encoder plugins. A fresh instance is made for every fit.

    Class attributes an author may declare (all readable without importing anything heavy):
        name: unique among plugins of its kind; equal to its entry point's name.
        requires: modules that must be importable, for example ``("lightgbm",)``; import them inside `fit`.
        extra: which of the distribution's extras brings them, for the message when one is absent.
        trusted_types: full type names that its saved scikit-learn parts may contain, each from the plugin's own package
            or from `requires`.
        license: of the model and its weights; one that forbids commercial use says so with `noncommercial`.
        noncommercial: True leaves the plugin out under ``allow_noncommercial=False``.
        needs_network: True leaves the plugin out under ``offline=True``.
        deterministic: False when the same seed may give another model.
    """

    name: ClassVar[str] = ""
    requires: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    trusted_types: ClassVar[tuple[str, ...]] = ()
    license: ClassVar[str] = ""
    noncommercial: ClassVar[bool] = False
    needs_network: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True
    space: ClassVar[SearchSpace | None] = None

    params: dict[str, Any]

    def __init__(self, **params: Any) -> None:
        """Store the default point of the space, updated by `params`; nothing else happens here."""
        self.params = {**(self.space.default if self.space else {}), **params}

    def save(self, folder: Path) -> None:
        """Write the parameters and every attribute set in `fit`, without code.

        JSON values, numpy arrays, lists and dicts of these, and scikit-learn estimators (each an attribute of its own)
        are understood; anything else raises ArtifactError naming it. Override `save` and `load` together for native
        formats.
        """
        write_state(folder, dict(vars(self)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The plugin that `save` wrote. Raises ArtifactError."""
        return cls.restore(read_state(folder, cls.trusted_types))

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        """An instance with these attributes; for authors of their own `load`."""
        if "params" not in state:
            raise PluginError(
                f"the saved state of {cls.name!r} has no params; save dict(vars(self)), and begin a constructor "
                "of your own with super().__init__(**params)"
            )
        self = cls.__new__(cls)
        self.__dict__.update(state)
        return self
