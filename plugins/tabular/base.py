"""What the row models share: how targets are coded, answers that need no model, and native files.

symbol    meaning
n, u      training rows; rows to predict
K         outputs of the problem
S         classes seen in training, S <= K
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract import (
    AnyArray,
    ArtifactError,
    Batch,
    FitContext,
    FitInfo,
    FloatArray,
    Matrix,
    ModelPlugin,
    Request,
    Table,
    read_state,
    widen,
    write_state,
)

PROBABILITIES = "class_proba"
_LARGEST = np.float32(3e38)


class RowModel(ModelPlugin):
    """Base of the models for tables. Subclasses write `learn` and `raw` and never see a degenerate target.

    Classes that a fold lacks are left out of the codes, real targets are standardised, weights have mean 1, and one
    class, one value or no columns at all are answered without a model.
    """

    produces = ("class_proba", "real")

    kind: str
    n_outputs: int
    seen: AnyArray
    center: float
    scale: float
    flat: FloatArray | None

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Code the targets, then `learn`, unless the answer is the same for all rows."""
        y = np.asarray(train.y)
        self.kind, self.n_outputs = ctx.kind, ctx.n_outputs
        self.seen = np.unique(y) if self.kind == PROBABILITIES else np.zeros(1, dtype=np.int64)
        self.center, self.scale = (0.0, 1.0) if self.kind == PROBABILITIES else _location(y, train.weight)
        self.flat = self._same_for_all(train)
        if self.flat is not None:
            return FitInfo(notes={"constant": True})
        held = None if valid is None or not len(np.asarray(valid.y)) else self._known(valid)
        return self.learn(self._coded(train), None if held is None else self._coded(held), ctx)

    def predict(self, request: Request) -> FloatArray:
        """(u, K) probabilities, or (u,) real values."""
        if self.flat is not None:
            return np.tile(self.flat, (len(request), 1))
        raw = np.asarray(self.raw(request.X), dtype=np.float64)
        if self.kind != PROBABILITIES:
            return raw * self.scale + self.center
        return raw if len(self.seen) == self.n_outputs else widen(raw, self.seen, self.n_outputs)

    @abstractmethod
    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Learn from coded targets: int64 0…S-1 with S >= 2, or float64 with mean 0 and deviation 1."""

    @abstractmethod
    def raw(self, X: Any) -> AnyArray:
        """(u, S) probabilities, or (u,) standardised values."""

    @property
    def classifies(self) -> bool:
        """Are probabilities wanted?"""
        return self.kind == PROBABILITIES

    def _same_for_all(self, train: Batch) -> FloatArray | None:
        """(K,) the answer when it needs no model, else None."""
        if self.classifies:
            if len(self.seen) > 1 and width(train.X) > 0:
                return None
            counts = np.bincount(np.asarray(train.y), weights=train.weight, minlength=self.n_outputs)
            return np.asarray(counts / counts.sum())
        varies = bool(np.ptp(np.asarray(train.y)) > 0)
        return None if varies and width(train.X) > 0 else np.full(self.n_outputs, self.center)

    def _known(self, valid: Batch) -> Batch | None:
        """The validation rows whose class was seen in training; None when there are none."""
        known = np.isin(np.asarray(valid.y), self.seen) if self.classifies else np.ones(len(np.asarray(valid.y)), bool)
        if known.all():
            return valid
        rows = np.flatnonzero(known)
        if not len(rows):
            return None
        weight = None if valid.weight is None else valid.weight[rows]
        return replace(valid, X=take(valid.X, rows), y=np.asarray(valid.y)[rows], weight=weight, groups=None)

    def _coded(self, batch: Batch) -> Batch:
        y = np.asarray(batch.y)
        coded = np.searchsorted(self.seen, y) if self.classifies else (y - self.center) / self.scale
        mean = 0.0 if batch.weight is None else float(batch.weight.mean())
        weight = batch.weight / mean if batch.weight is not None and mean > 0 else None
        return replace(batch, y=coded, weight=weight)


class NativeModel(RowModel):
    """A row model whose fitted part, `booster`, has a file format of its own."""

    native: ClassVar[str] = ""

    booster: Any = None

    @abstractmethod
    def dump(self) -> bytes:
        """The fitted part in its native format."""

    @abstractmethod
    def parse(self, blob: bytes) -> Any:
        """The fitted part that `dump` wrote; the other attributes are there already."""

    def save(self, folder: Path) -> None:
        """Write the native file beside the plain state."""
        write_state(folder, {name: value for name, value in vars(self).items() if name != "booster"})
        if self.booster is not None:
            (folder / self.native).write_bytes(self.dump())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises ArtifactError when the native file is missing."""
        self = cls.restore(read_state(folder))
        file = folder / cls.native
        if file.is_file():
            self.booster = self.parse(file.read_bytes())
        elif self.flat is None:
            raise ArtifactError(f"{file.name} is missing; the saved model is incomplete")
        return self


def _location(y: AnyArray, weight: FloatArray | None) -> tuple[float, float]:
    """Weighted mean and deviation of a real target; deviation 1 when it does not vary."""
    usable = weight is not None and weight.sum() > 0
    center = float(np.average(y, weights=weight if usable else None))
    scale = float(np.sqrt(np.average((y - center) ** 2, weights=weight if usable else None)))
    return center, scale if np.isfinite(scale) and scale > 0 else 1.0


def width(X: Any) -> int:
    """Number of columns of a view."""
    return len(X.columns) if isinstance(X, Table) else int(X.shape[1])


def numbers(X: Table) -> Matrix:
    """(u, d) float32, C-contiguous: numbers, category codes, NaN where missing; the largest float32 at most."""
    with np.errstate(over="ignore"):
        matrix = np.ascontiguousarray(X.matrix())
    return np.clip(matrix, -_LARGEST, _LARGEST, out=matrix)


def take(X: Any, rows: AnyArray) -> Any:
    """Some rows of a view."""
    return X.take(rows) if isinstance(X, Table) else X[rows]


def two_columns(positive: AnyArray) -> FloatArray:
    """(u,) probabilities of the second class as (u, 2)."""
    out = np.empty((len(positive), 2))
    out[:, 1] = positive
    np.subtract(1.0, positive, out=out[:, 0])
    return out
