"""Every error Cairn raises on purpose, in one tree.

AutoMLError
├── DataError        the data cannot be learnt from as it is (raised before any training)
├── PluginError      a plugin is broken, missing, duplicated or breaks its contract
├── SpaceError       a search space, its file or a point of it is wrong
├── OptionError      an argument of the public API has a value it cannot have (also a ValueError)
├── ExecutionError   the executor cannot do what was asked (an infeasible resource, a lost cluster)
├── ArtifactError    a saved model cannot be written, trusted or read
└── NothingFitted    the run ended without one usable model
"""

from __future__ import annotations


class AutoMLError(Exception):
    """Root of Cairn's own errors: `except AutoMLError` catches all of them and nothing else."""


class DataError(AutoMLError, ValueError):
    """The data cannot be learnt from as it is.

    Args:
        code: stable identifier, for example ``"target-missing"``.
        what: what is wrong, with the value.
        where: the column, rows or argument at fault ("" when it is the whole table).
        fix: what the reader should do.
    """

    def __init__(self, code: str, what: str, where: str = "", fix: str = "") -> None:
        self.code, self.what, self.where, self.fix = code, what, where, fix
        place = f" (in {where})" if where else ""
        remedy = f". {fix}" if fix else ""
        super().__init__(f"[{code}] {what}{place}{remedy}")

    def __reduce__(self) -> tuple[type[DataError], tuple[str, str, str, str]]:
        return type(self), (self.code, self.what, self.where, self.fix)


class PluginError(AutoMLError):
    """A plugin is broken, missing, duplicated or does not keep its contract."""


class SpaceError(AutoMLError, ValueError):
    """A search space, its file, or a point in it is wrong."""


class OptionError(AutoMLError, ValueError):
    """An argument of the public API has a value it cannot have."""


class ExecutionError(AutoMLError, RuntimeError):
    """The executor cannot do what was asked."""


class ArtifactError(AutoMLError):
    """A saved model cannot be written, trusted or read."""


class NothingFitted(AutoMLError, RuntimeError):
    """The run ended without one usable model."""
