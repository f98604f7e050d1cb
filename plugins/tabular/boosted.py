"""What the boosters on decision trees share: they are kept as text and summed by LightGBM's code, whoever grew them.

symbol    meaning
u, M      rows; models asked together
S         sums: one for a number or two classes, else one per class
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from automl.contract import AnyArray, ArtifactError, FloatArray, Table, read_state, write_state

from .base import RowModel, numbers, two_columns
from .packed_text import pack, unpack
from .tree_text import TreeSums, TreeText

TEXT_SHARE = 0.2
"""How long turning trees into text takes, as a share of growing them; more than measured."""

_PACKED, _TEXT = "trees.bin", "trees.txt.gz"
_FEW_ROWS = 1000
_FARTHEST = 500.0
_LEAST_ROUNDS, _MOST_ROUNDS, _ROUNDS_BY_STEP = 1000, 6000, 40


class BoostedTrees(RowModel):
    """A row model that learns sums of trees over the columns as they are; subclasses set `trees` in `learn`.

    The file is packed arrays, or compressed text where the trees hold what the packed layout does not know.
    """

    view = "columns"
    handles_missing = True
    handles_weight = True
    truncatable = True

    threads: int
    trees: TreeText

    def raw(self, X: Table) -> AnyArray:
        """The sums and the link, in one thread for few rows."""
        return _linked(self._sums(numbers(X), _threads(len(X), self.threads)), self.classifies)

    @cached_property
    def _sums(self) -> TreeSums:
        return TreeSums([self.trees])

    @classmethod
    def raws(cls, models: Sequence[Self], threads: int) -> Callable[[Any], Sequence[AnyArray] | AnyArray]:
        """All sums in one call."""
        sums = TreeSums([model.trees for model in models])
        sizes = [len(model.trees.sums) for model in models]
        ends, classifies = np.cumsum(sizes)[:-1], models[0].classifies

        def found(X: Table) -> Sequence[AnyArray] | AnyArray:
            scores = sums(numbers(X), _threads(len(X), threads))
            if len(set(sizes)) > 1:
                return [_linked(part, classifies) for part in np.split(scores, ends, axis=1)]
            return _linked(scores.reshape(len(X), len(models), -1).swapaxes(0, 1), classifies)

        return found

    def save(self, folder: Path) -> None:
        """The plain state, and the trees beside it."""
        write_state(folder, {name: value for name, value in vars(self).items() if name not in ("trees", "_sums")})
        if self.flat is None:
            packed = pack(self.trees)
            if packed is None:
                (folder / _TEXT).write_bytes(gzip.compress(self.trees.write().encode(), 6, mtime=0))
            else:
                (folder / _PACKED).write_bytes(packed)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises ArtifactError when the trees are missing."""
        self = cls.restore(read_state(folder))
        if self.flat is None:
            self.trees = _read(folder)
        return self


def most_rounds(learning_rate: float) -> int:
    """The most rounds: more for small steps; patience usually ends the fit long before."""
    return int(min(max(_LEAST_ROUNDS, _ROUNDS_BY_STEP / learning_rate), _MOST_ROUNDS))


def _read(folder: Path) -> TreeText:
    """The trees in a saved model's folder. Raises ArtifactError when they are missing or damaged."""
    file = folder / (_TEXT if (folder / _TEXT).exists() else _PACKED)
    try:
        blob = file.read_bytes()
        return unpack(blob) if file.name == _PACKED else TreeText.load(gzip.decompress(blob).decode())
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ArtifactError(f"cannot read {file}: {error}; the saved model is incomplete") from error


def _threads(n_rows: int, most: int) -> int:
    return 1 if n_rows < _FEW_ROWS else most


def _linked(scores: FloatArray, classifies: bool) -> FloatArray:
    """(…, u, S) scores as (…, u, classes) probabilities, or (…, u) values."""
    if not classifies:
        return scores[..., 0]
    if scores.shape[-1] == 1:
        return two_columns(1.0 / (1.0 + np.exp(-np.clip(scores[..., 0], -_FARTHEST, _FARTHEST))))
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
