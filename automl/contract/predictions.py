"""What models return, aligned with the units they were asked about.

kind          stored per unit
class_proba   float64 (n_units, n_outputs), rows sum to 1; binary has two columns
real          float64 (n_units, n_outputs), finite
others        a container that the task brings: a subclass of `Predictions`
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from automl.contract.arrays import AnyArray, FloatArray
from automl.contract.persist import read_state, write_state

ADDITIVE = ("class_proba", "real")


class Predictions(ABC):
    """A container of predictions, one per unit. Subclass it to bring a kind of your own."""

    kind: str

    @abstractmethod
    def __len__(self) -> int:
        """Number of units."""

    @abstractmethod
    def take(self, positions: AnyArray) -> Self:
        """The predictions at these positions, in the order given."""

    @classmethod
    @abstractmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """One container over the units of all parts, in order."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What `from_state` needs: JSON values and numpy arrays."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The container that `state` came from."""

    @abstractmethod
    def distance(self, other: Self) -> float:
        """Largest difference to predictions of the same units; 0 when they are the same."""

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes: arrays at their size, everything else at 64 bytes a value."""
        return sum(v.nbytes if isinstance(v, np.ndarray) else 64 for v in self.state().values())

    def as_array(self) -> FloatArray:
        """(n_units, n_outputs) float64, for kinds whose weighted mean means something. Raises TypeError for others."""
        raise TypeError(f"predictions of kind {self.kind!r} cannot be averaged as arrays")

    def save(self, folder: Path) -> None:
        """Write to a folder, without code."""
        write_state(folder, self.state())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls.from_state(read_state(folder))


class ArrayPredictions(Predictions):
    """Predictions of an additive kind: float64 (n_units, n_outputs)."""

    def __init__(self, kind: str, values: FloatArray) -> None:
        self.kind = kind
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"ArrayPredictions({self.kind!r}, {self.values.shape})"

    def take(self, positions: AnyArray) -> ArrayPredictions:
        return ArrayPredictions(self.kind, self.values[positions])

    @classmethod
    def concat(cls, parts: Sequence[ArrayPredictions]) -> ArrayPredictions:
        return ArrayPredictions(parts[0].kind, np.concatenate([part.values for part in parts]))

    def state(self) -> dict[str, Any]:
        return {"kind": self.kind, "values": self.values}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ArrayPredictions:
        return cls(state["kind"], state["values"])

    def distance(self, other: ArrayPredictions) -> float:
        return float(np.max(np.abs(self.values - other.values), initial=0.0))

    def as_array(self) -> FloatArray:
        return self.values


def widen(values: AnyArray, seen: AnyArray, n_outputs: int) -> FloatArray:
    """Put the columns of the classes a fold has seen into all `n_outputs` columns; the others get probability 0.

    Args:
        values: (n_units, len(seen)) probabilities.
        seen: class codes of the columns, as in scikit-learn's ``classes_``.
        n_outputs: number of classes of the whole problem.
    """
    out = np.zeros((len(values), n_outputs))
    out[:, np.asarray(seen, dtype=np.int64)] = values
    return out
