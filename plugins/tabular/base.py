"""What the row models share: how targets are coded, answers that need no model, and native files.

symbol    meaning
n, u      training rows; rows to predict
K         outputs of the problem
S         classes seen in training, S <= K
"""

from __future__ import annotations

import gzip
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract import (
    AnyArray,
    ArtifactError,
    Batch,
    Column,
    Feature,
    FitContext,
    FitInfo,
    FloatArray,
    Formula,
    Matrix,
    ModelPlugin,
    Reading,
    Request,
    Table,
    Tree,
    read_state,
    relative_sizes,
    widen,
    write_state,
)

from . import logarithms

PROBABILITIES, RELATIVE = "class_proba", "relative-median"
_SMEARED_ROWS = 5000
_LARGEST = np.float32(3e38)
KEPT_CELLS = 1 << 20


class RowModel(ModelPlugin):
    """Base of the models for tables. Subclasses write `learn` and `raw` and never see a degenerate target.

    Classes that a fold lacks are left out of the codes, real targets are standardised, weights have mean 1, and one
    class, one value or no columns at all are answered without a model. A model with a knob ``target`` learns the
    logarithm of real targets where it is ``"log"`` and none is negative; its answers are means all the same, unless
    the metric wants medians.
    """

    produces = ("class_proba", "real")

    kind: str
    aim: str
    n_outputs: int
    seen: AnyArray
    center: float
    scale: float
    flat: FloatArray | None
    logs: dict[str, float] | None

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Code the targets, then `learn`, unless the answer is the same for all rows."""
        y = np.asarray(train.y)
        self.kind, self.n_outputs, self.aim = ctx.kind, ctx.n_outputs, ctx.aim
        self.seen = np.unique(y) if self.kind == PROBABILITIES else np.zeros(1, dtype=np.int64)
        if self.aim == RELATIVE and not self.classifies and self.handles_weight:
            train, valid = _per_size(train), None if valid is None else _per_size(valid)
        self.center, self.scale = (0.0, 1.0) if self.classifies else self._location(y, train.weight)
        self.flat = self._same_for_all(train)
        if self.flat is not None:
            return FitInfo(notes={"constant": True})
        self.logs = logarithms.fitted(y) if self.params.get("target") == "log" and not self.classifies else None
        if self.logs is not None:
            self.center, self.scale = self._location(logarithms.there(y, self.logs), train.weight)
        held = None if valid is None or not len(np.asarray(valid.y)) else self._known(valid)
        train, held = self._coded(train), None if held is None else self._coded(held)
        info = self.learn(train, held, ctx)
        return info if self.logs is None or self.aim != "mean" else self._smeared(info, train, held)

    def predict(self, request: Request) -> FloatArray:
        """(u, K) probabilities, or (u,) real values."""
        if self.flat is not None:
            return np.tile(self.flat, (len(request), 1))
        return self.answered(self.raw(request.X))

    def answered(self, raw: AnyArray) -> FloatArray:
        """The prediction that `raw` means: classes that the fold lacked put back, values in the target's unit."""
        raw = np.asarray(raw, dtype=np.float64)
        if self.kind != PROBABILITIES:
            values = raw * self.scale + self.center
            return values if self.logs is None else logarithms.back(values, self.logs)
        return raw if len(self.seen) == self.n_outputs else widen(raw, self.seen, self.n_outputs)

    @classmethod
    def together(cls, models: Sequence[Self], threads: int = 1) -> Callable[[Request], Sequence[AnyArray] | AnyArray]:
        """`predict` of each, from `raws` of those that learnt something."""
        learnt = [model for model in models if model.flat is None]
        if len(learnt) < len(models) or not learnt:
            found = cls.raws(learnt, threads) if learnt else lambda X: []
            return lambda request: _filled_in(models, found(request.X), len(request))
        raws, first = cls.raws(learnt, threads), learnt[0]
        center, scale = (np.array([[getattr(m, name)] for m in models]) for name in ("center", "scale"))
        apart = any(len(m.seen) < m.n_outputs for m in models) if first.classifies else any(m.logs for m in models)

        def predict(request: Request) -> Sequence[AnyArray] | AnyArray:
            found = raws(request.X)
            if not isinstance(found, np.ndarray) or apart:
                return [model.answered(raw) for model, raw in zip(models, found, strict=True)]
            return found if first.classifies else found * scale + center

        return predict

    @classmethod
    def raws(cls, models: Sequence[Self], threads: int) -> Callable[[Any], Sequence[AnyArray] | AnyArray]:
        """What gives `raw` of each for an X; as one float64 array where they have equal shapes."""
        return lambda X: [model.raw(X) for model in models]

    def describe(self, features: Sequence[Feature]) -> Reading:
        """The answer that needed no model, or what was `told`."""
        if self.flat is None:
            return self.told(features)
        return Tree.leaf(self.flat, range(self.n_outputs) if self.classifies else ())

    def told(self, features: Sequence[Feature]) -> Reading:
        """What `learn` learnt, in the unit of the target; for readable models."""
        return super().describe(features)

    def unlogged(self, formula: Formula) -> Formula:
        """A formula of what was learnt as one of the target, where its logarithm was learnt."""
        if self.classifies or self.logs is None:
            return formula
        bounds = (self.logs["low"], self.logs["high"])
        return replace(
            formula, link="exponential", factor=self.logs["smearing"], shift=self.logs["shift"], bounds=bounds
        )

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

    @property
    def absolute(self) -> bool:
        """Are numbers wanted that have small absolute errors, rather than squared ones?"""
        return not self.classifies and self.aim != "mean"

    def _location(self, y: AnyArray, weight: FloatArray | None) -> tuple[float, float]:
        """What is usual of a real target, its mean or median, and its deviation."""
        center, scale = _location(y, weight)
        return (_median(y, weight) if self.absolute else center), scale

    def _same_for_all(self, train: Batch) -> FloatArray | None:
        """(K,) the answer when it needs no model, else None."""
        if self.classifies:
            if len(self.seen) > 1 and varies(train.X):
                return None
            counts = np.bincount(np.asarray(train.y), weights=train.weight, minlength=self.n_outputs)
            return np.asarray(counts / counts.sum())
        differ = bool(np.ptp(np.asarray(train.y)) > 0)
        return None if differ and varies(train.X) else np.full(self.n_outputs, self.center)

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
        if self.logs is not None:
            y = logarithms.there(y, self.logs)
        coded = np.searchsorted(self.seen, y) if self.classifies else (y - self.center) / self.scale
        mean = 0.0 if batch.weight is None else float(batch.weight.mean())
        weight = batch.weight / mean if batch.weight is not None and mean > 0 else None
        return replace(batch, y=coded, weight=weight)

    def _smeared(self, info: FitInfo | None, train: Batch, held: Batch | None) -> FitInfo:
        """Learn what turns medians into means: from the rows that training did not see, or as an earlier fit did."""
        assert self.logs is not None
        if held is not None or "smearing" not in self.params:
            few = few_of(train if held is None else held, _SMEARED_ROWS)
            wrong = (np.asarray(few.y) - np.asarray(self.raw(few.X))) * self.scale
            self.logs["smearing"] = logarithms.smearing(wrong, few.weight)
        else:
            self.logs["smearing"] = self.params["smearing"]
        info = info or FitInfo()
        return replace(info, refit={**info.refit, "smearing": self.logs["smearing"]})

    @property
    def tuned(self) -> dict[str, Any]:
        """The settings that are the library's own."""
        return {name: value for name, value in self.params.items() if name not in ("target", "smearing")}


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
        """Write the native file beside the plain state, compressed: it takes a third to a half."""
        write_state(folder, {name: value for name, value in vars(self).items() if name != "booster"})
        if self.booster is not None:
            (folder / f"{self.native}.gz").write_bytes(gzip.compress(self.dump(), 6, mtime=0))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or what it wrote before it compressed.

        Raises ArtifactError when the native file is missing or damaged.
        """
        self = cls.restore(read_state(folder))
        plain, packed = folder / cls.native, folder / f"{cls.native}.gz"
        if packed.is_file():
            try:
                blob = gzip.decompress(packed.read_bytes())
            except (OSError, EOFError, zlib.error) as error:
                raise ArtifactError(f"{packed.name} is damaged: {error}") from error
            self.booster = self.parse(blob)
        elif plain.is_file():
            self.booster = self.parse(plain.read_bytes())
        elif self.flat is None:
            raise ArtifactError(f"{packed.name} is missing; the saved model is incomplete")
        return self


def _filled_in(models: Sequence[RowModel], found: Iterable[AnyArray], n_units: int) -> list[FloatArray]:
    """One answer per model; `found` are those of the models that needed to learn."""
    raws = iter(found)
    return [np.tile(m.flat, (n_units, 1)) if m.flat is not None else m.answered(next(raws)) for m in models]


def _location(y: AnyArray, weight: FloatArray | None) -> tuple[float, float]:
    """Weighted mean and deviation of a real target; deviation 1 when it does not vary."""
    usable = weight is not None and weight.sum() > 0
    center = float(np.average(y, weights=weight if usable else None))
    scale = float(np.sqrt(np.average((y - center) ** 2, weights=weight if usable else None)))
    return center, scale if np.isfinite(scale) and scale > 0 else 1.0


def _median(y: AnyArray, weight: FloatArray | None) -> float:
    """The weighted median: half of the weight lies on either side."""
    if weight is None or not weight.sum() > 0:
        return float(np.median(y))
    order = np.argsort(y, kind="stable")
    below = np.cumsum(weight[order])
    return float(y[order[np.searchsorted(below, 0.5 * below[-1])]])


def _per_size(batch: Batch) -> Batch:
    """The batch with its weights divided by the size of the targets."""
    shares = 1.0 / relative_sizes(np.asarray(batch.y))
    return replace(batch, weight=shares if batch.weight is None else batch.weight * shares)


def width(X: Any) -> int:
    """Number of columns of a view."""
    return len(X.columns) if isinstance(X, Table) else int(X.shape[1])


def varies(X: Any) -> bool:
    """Is there a column to learn from, one whose values differ? Of a sparse matrix, any."""
    if isinstance(X, Table):
        return any(map(_differs, X))
    return width(X) > 0 and not (isinstance(X, np.ndarray) and bool((X[:1] == X).all()))


def _differs(column: Column) -> bool:
    first = np.broadcast_to(column.values[:1], len(column))
    return not np.array_equal(column.values, first, equal_nan=column.kind in ("numeric", "datetime"))


def numbers(X: Table) -> Matrix:
    """(u, d) float32, C-contiguous: numbers, category codes, NaN where missing; the largest float32 at most.

    Not to be changed: it is kept with a table that is not large, for the next model that looks at it. It is no
    read-only array because scikit-learn's forests refuse those.
    """
    cells = len(X) * len(X.columns)
    found: Matrix = X.derived("numbers", _numbers) if cells <= KEPT_CELLS else _numbers(X)
    return found


def _numbers(X: Table) -> Matrix:
    with np.errstate(over="ignore"):
        matrix = np.ascontiguousarray(X.matrix())
    return np.clip(matrix, -_LARGEST, _LARGEST, out=matrix)


def few_of(batch: Batch, most: int) -> Batch:
    """At most so many rows of a batch, evenly spaced."""
    n = len(np.asarray(batch.y))
    if n <= most:
        return batch
    rows = np.linspace(0, n - 1, most).astype(np.int64)
    weight = None if batch.weight is None else batch.weight[rows]
    return replace(batch, X=take(batch.X, rows), y=np.asarray(batch.y)[rows], weight=weight, groups=None)


def take(X: Any, rows: AnyArray) -> Any:
    """Some rows of a view."""
    return X.take(rows) if isinstance(X, Table) else X[rows]


def two_columns(positive: AnyArray) -> FloatArray:
    """(…, u) probabilities of the second class as (…, u, 2)."""
    out = np.empty((*positive.shape, 2))
    out[..., 1] = positive
    np.subtract(1.0, positive, out=out[..., 0])
    return out
