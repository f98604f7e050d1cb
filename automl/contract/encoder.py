"""The encoder contract (entry point group ``automl.encoders``): columns in, a float32 matrix out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from automl.contract.arrays import AnyArray
from automl.contract.context import FitContext
from automl.contract.plugin import Plugin
from automl.contract.readable import Feature
from automl.contract.table import Column, Table


class EncoderPlugin(Plugin, ABC):
    """Turns some columns of a table into a (n_rows, d) float32 matrix, dense or scipy CSR.

    Its `space` is not tuned: the default of its knobs is what `params` hold. plugins/WRITING.md has a whole example.

    Class attributes beside those of `Plugin`:
        kinds: the column kinds it understands.
        default_for: views for which the engine uses it when a model names no encoders; this changes what every such
            model is given wherever the encoder is installed.
        priority: the higher goes first among defaults; those that come with the engine have 0 to 10.
        stateless: `transform` needs no fit, so results are shared between folds.
        uses_target: `fit_transform` looks at y; what it returns for the training rows must then be out-of-fold.
        missing: its output may contain NaN.
        adds_to: makes it a feature block: the views whose models may be given its output beside their other columns.
            A block reads every column it accepts, also those that others read; it is in no chain by default, and is
            used by the candidates that name it. The engine tries blocks by `priority`, and keeps those that help.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    default_for: ClassVar[tuple[str, ...]] = ()
    priority: ClassVar[int] = 0
    stateless: ClassVar[bool] = False
    uses_target: ClassVar[bool] = False
    missing: ClassVar[bool] = False
    adds_to: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def accepts(cls, column: Column, params: dict[str, Any]) -> bool:
        """Does it want this column? Each column goes to the first encoder of a chain that accepts it."""
        return column.kind in cls.kinds

    @classmethod
    def can_add(cls, columns: Sequence[Column], params: dict[str, Any]) -> bool:
        """Could it add something to a table of these columns? Asked of feature blocks, before any fit."""
        return any(cls.accepts(column, params) for column in columns)

    @abstractmethod
    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Any:
        """Learn from training rows and return their (n_rows, d) float32 matrix.

        y: int64 codes (class_proba), float64 (real), the task's own (other kinds; `ctx.kind` says which), or None.
        """

    @abstractmethod
    def transform(self, columns: Table) -> Any:
        """(n_rows, d) float32 for other rows; the number and order of columns is that of `fit_transform`."""

    def describe(self, columns: Table) -> Sequence[Feature] | None:
        """Each column of the output as a function of one column of the input; None when that cannot be said.

        `columns` has the input's columns as `transform` gets them, without rows.
        """
        return None
