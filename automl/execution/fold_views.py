"""What models see of the folds: fitted once in a process, and kept for all candidates that see the data alike."""

from __future__ import annotations

import weakref
import zlib
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from automl.contract import AnyArray, EncoderPlugin, FitContext, IntArray, ModelPlugin, Table
from automl.discovery.reference import PluginRef
from automl.execution.job import Dataset, Job
from automl.execution.views import TABULAR, Part, View, fit_part, is_sparse

_VIEW_BYTES, _PART_BYTES, _LEAST_VIEWS = 1 << 26, 1 << 25, 4
_VALID_BYTES = 1 << 24
_OPAQUE_BYTES = 1 << 24
_DEPTH = 6


@dataclass(frozen=True)
class Sight:
    """A fold as a model sees it.

    Attributes:
        view: fitted on the training rows.
        train, valid: X of the training and of the validation rows, read-only; `valid` is None where there are none.
    """

    view: View
    train: Any
    valid: Any


class Kept:
    """Values by key. Those that were not asked for longest go once all take more than `most` bytes together.

    least: so many stay, whatever they take; with 0, what is larger than all may be is not kept at all.
    """

    def __init__(self, most: int, least: int = 0) -> None:
        self.most, self.least = most, least
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def values(self) -> list[Any]:
        """Them all, the one asked for last at the end."""
        return [value for value, _ in self._values.values()]

    def get(self, key: Hashable) -> Any:
        """The value, or None."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Keep a new one."""
        if size > self.most and not self.least:
            return
        self._values[key] = value, size
        self.bytes += size
        while len(self._values) > self.least and self.bytes > self.most:
            self.bytes -= self._values.popitem(last=False)[1][1]


@dataclass(frozen=True)
class Asked:
    """The fold that the model of a job is to see.

    Attributes:
        train, valid: row numbers to learn from and to judge on; `valid` is None where there are none.
        y: targets of the rows to learn from, for encoders that use them.
        ctx: what the model's fit is told.
    """

    job: Job
    dataset: Dataset
    train: IntArray
    valid: IntArray | None
    y: Any
    ctx: FitContext

    @property
    def model(self) -> type[ModelPlugin]:
        """Of the job."""
        return self.job.model.load()

    @property
    def place(self) -> tuple[Hashable, ...]:
        """What encoders learn from, and where."""
        return self.job.fold, self.job.candidate.fidelity, self.ctx.device, self.ctx.threads

    def features(self, rows: IntArray) -> Table:
        """Of these rows."""
        return self.dataset.table.select(self.dataset.problem.features).take(rows)


@dataclass
class FoldViews:
    """Fitted views and encoders of one data set's folds.

    Encoders are shared by views that have them read the same columns, so that models which differ only in whether they
    take gaps or sparse matrices do not pay twice.
    """

    views: Kept = field(default_factory=lambda: Kept(_VIEW_BYTES, _LEAST_VIEWS))
    parts: Kept = field(default_factory=lambda: Kept(_PART_BYTES))

    def sight(self, asked: Asked, encoders: Sequence[PluginRef]) -> Sight:
        """What the job's model sees of its fold through these encoders.

        A view that ends with a feature block is the view without it, which may be known already, and one part more.
        """
        model = asked.model
        traits = (model.view, model.kinds if model.view != TABULAR[0] else (), model.sparse, model.handles_missing)
        key = (*asked.place, tuple(encoders), traits)
        known: Sight | None = self.views.get(key)
        if known is None:
            known = self._fitted(asked, encoders)
            small = _bytes(known.valid) <= _VALID_BYTES
            size = _bytes(known.train) + small * _bytes(known.valid)
            size += sum(_held(part.encoder) for part in known.view.parts)
            self.views.put(key, known if small else replace(known, valid=None), size)
        elif known.valid is None and asked.valid is not None:
            known = replace(known, valid=_locked(known.view.transform(asked.features(asked.valid))))
        return Sight(known.view, own(known.train), own(known.valid))

    def _fitted(self, asked: Asked, encoders: Sequence[PluginRef]) -> Sight:
        """A view that is not known yet, of encoders that may be."""
        model, steady = asked.model, replace(asked.ctx, seed=asked.job.fold + 1)
        learnt = asked.features(asked.train)
        judged = None if asked.valid is None else asked.features(asked.valid)
        part = partial(self._part, (*asked.place, _mark(asked.y, model.view)))
        chain: list[type[EncoderPlugin]] = [ref.load() for ref in encoders]
        if not (chain and chain[-1].adds_to):
            view, X = View.fit(model, chain, learnt, asked.y, steady, part)
            return Sight(view, _locked(X), None if judged is None else _locked(view.transform(judged)))
        plain = self.sight(asked, encoders[:-1])
        view, X = plain.view.extended(chain[-1], plain.train, learnt, asked.y, steady, part)
        if view is plain.view:
            return plain
        return Sight(view, _locked(X), None if judged is None else _locked(view.further(plain.valid, judged)))

    def _part(
        self,
        place: tuple[Hashable, ...],
        encoder: type[EncoderPlugin],
        columns: tuple[str, ...],
        table: Table,
        y: Any,
        ctx: FitContext,
    ) -> tuple[Part, Any]:
        """The encoder that was fitted on these columns of the fold before, with its output, or a new one."""
        key = (*place, encoder, columns)
        known: tuple[Part, Any] | None = self.parts.get(key)
        if known is None:
            part, block = fit_part(encoder, columns, table, y, ctx)
            known = part, _locked(block)
            self.parts.put(key, known, _bytes(block) + _held(part.encoder))
        return known


def _mark(y: Any, view: str) -> Hashable:
    """Tells targets apart: a task may give those of the same rows differently in another view."""
    if not isinstance(y, np.ndarray) or y.dtype == object:
        return view
    return y.shape, y.dtype.str, zlib.crc32(y.tobytes())


def own(X: Any) -> Any:
    """X for one more reader: of a sparse matrix another object over the same arrays, since those can be exchanged."""
    return type(X)((X.data, X.indices, X.indptr), shape=X.shape, copy=False) if is_sparse(X) else X


def _arrays(X: Any) -> list[AnyArray]:
    """What X consists of: a `Table`, a dense or CSR matrix, or nothing."""
    if isinstance(X, Table):
        return [column.values for column in X]
    if is_sparse(X):
        return [X.data, X.indices, X.indptr]
    return [] if X is None else [X]


def _locked(X: Any) -> Any:
    """X made read-only: the next candidate gets the same arrays."""
    for array in _arrays(X):
        array.flags.writeable = False
    return X


def _bytes(X: Any) -> int:
    """What X takes."""
    return sum(array.nbytes for array in _arrays(X))


def _held(value: Any, depth: int = _DEPTH) -> int:
    """About what a value takes: exact for arrays and texts; much for what cannot be looked into, such as a network."""
    if value is None or isinstance(value, bool | int | float | np.generic | type):
        return 8
    if isinstance(value, np.ndarray) and value.dtype != object:
        return int(value.nbytes)
    if isinstance(value, str | bytes):
        return len(value)
    inner = value.tolist() if isinstance(value, np.ndarray) else _inside(value)
    if inner is None or depth == 0:
        return _OPAQUE_BYTES
    return 64 + sum(_held(one, depth - 1) for one in inner)


def _inside(value: Any) -> Iterable[Any] | None:
    """What a container or an object holds; None when that cannot be told."""
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    names = getattr(value, "__dict__", None)
    return None if names is None else list(names.values())


_known: dict[int, FoldViews] = {}


def views_of(dataset: Dataset) -> FoldViews:
    """What this process knows of a data set's folds; it goes with it."""
    key = id(dataset)
    if key not in _known:
        _known[key] = FoldViews()
        weakref.finalize(dataset, _known.pop, key, None)
    return _known[key]


def forget_views(dataset: Dataset) -> None:
    """Drop what is known of a data set's folds."""
    _known.pop(id(dataset), None)
