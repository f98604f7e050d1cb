"""How a table becomes what a model sees: the tabular views and the encoder chains behind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import (
    AnyArray,
    ArtifactError,
    Column,
    EncoderPlugin,
    Feature,
    FitContext,
    ModelPlugin,
    PluginError,
    Table,
    read_state,
    write_state,
)

MATRIX, COLUMNS = "matrix", "columns"
TABULAR = (MATRIX, COLUMNS)


@dataclass(frozen=True)
class Part:
    """One fitted encoder, the columns it reads, and how many it gives; -1 in models saved before that was kept."""

    encoder: EncoderPlugin
    columns: tuple[str, ...]
    width: int = -1
    _outputs: list[Column] = field(default_factory=list, repr=False, compare=False)

    def outputs(self, width: int) -> list[Column]:
        """The columns that its matrix of this width becomes, without rows; made once."""
        if len(self._outputs) != width:
            name, label, none = self.encoder.name, "+".join(self.columns[:3]), np.zeros(0, dtype=np.float32)
            self._outputs[:] = [Column(f"{name}.{label}.{i}", f"{name}.{i}", "numeric", none) for i in range(width)]
        return self._outputs


FitPart = Callable[[type[EncoderPlugin], tuple[str, ...], Table, Any, FitContext], tuple[Part, Any]]


def fit_part(
    encoder_class: type[EncoderPlugin], columns: tuple[str, ...], table: Table, y: Any, ctx: FitContext
) -> tuple[Part, Any]:
    """An encoder fitted on these columns of the training rows, and its output. Raises PluginError."""
    read = table.select(columns)
    try:
        encoder = encoder_class()
        raw = encoder.fit_transform(read, y, ctx)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise _failed(encoder_class, error) from error
    block = _block(raw, len(table), encoder)
    return Part(encoder, columns, int(block.shape[1])), block


def _failed(encoder: type[EncoderPlugin], error: BaseException) -> PluginError:
    """What a model that reads through this encoder fails with: without the name, the model would be blamed."""
    return PluginError(f"encoder {encoder.name!r}: {type(error).__name__}: {error}")


@dataclass
class View:
    """A fitted tabular view.

    Attributes:
        name: ``matrix`` or ``columns``.
        passed: internal names of columns handed on as they are (``columns`` only).
        parts: fitted encoders, in column order.
        sparse: keep a sparse matrix sparse.
        fill: (d,) what replaces NaN in the matrix; None when the model takes NaN.
    """

    name: str
    passed: tuple[str, ...] = ()
    parts: list[Part] = field(default_factory=list)
    sparse: bool = False
    fill: AnyArray | None = None

    @classmethod
    def fit(
        cls,
        model: type[ModelPlugin],
        chain: Sequence[type[EncoderPlugin]],
        table: Table,
        y: AnyArray | None,
        ctx: FitContext,
        fitted: FitPart = fit_part,
    ) -> tuple[View, Any]:
        """Learn the view on training rows; returns it and X of these rows.

        Args:
            chain: encoder classes; each column goes to the first that accepts it, and to every feature block that does.
            table: feature columns of the training rows.
            y: their targets, for encoders that use them.
            fitted: gives a fitted encoder and its output, as `fit_part` does, which it may know already.
        """
        passed = tuple(c.name for c in table if c.kind in model.kinds) if model.view == COLUMNS else ()
        view = cls(model.view, passed, sparse=model.sparse)
        read = assign(chain, [c for c in table if c.name not in passed], model.name)
        made = [fitted(encoder, columns, table, y, ctx) for encoder, columns in read.items()]
        view.parts, blocks = [part for part, _ in made], [block for _, block in made]
        if view.name == MATRIX and not model.handles_missing:
            view.fill = _fill_values(blocks, [part.encoder.missing for part in view.parts])
        X = view._assemble(table, blocks)
        for encoder in chain:
            if encoder.adds_to:
                view, X = view.extended(encoder, X, table, y, ctx, fitted)
        return view, X

    def extended(
        self,
        encoder: type[EncoderPlugin],
        X: Any,
        table: Table,
        y: AnyArray | None,
        ctx: FitContext,
        fitted: FitPart = fit_part,
    ) -> tuple[View, Any]:
        """This view, whose X of the training rows is given, with a feature block more."""
        columns = tuple(c.name for c in table if _accepts(encoder, c))
        if not columns:
            return self, X
        part, block = fitted(encoder, columns, table, y, ctx)
        view = replace(self, parts=[*self.parts, part])
        if self.fill is not None:
            view.fill = np.concatenate([self.fill, _fill_values([block], [part.encoder.missing])])
        return view, view._widened(X, block)

    def further(self, X: Any, table: Table) -> Any:
        """X of other rows, of which the view without its last part gives this `X`."""
        return self._widened(X, _transformed(self.parts[-1], table, {}))

    def _widened(self, X: Any, block: Any) -> Any:
        """X of the view without its last part, and beside it what that part gives."""
        if self.name == COLUMNS:
            return Table((*X.columns, *_as_columns(block, self.parts[-1])), len(X))
        if self.fill is not None and not is_sparse(block):
            block = _filled(block, self.fill[len(self.fill) - block.shape[1] :])
        return _beside([X, block], self.sparse)

    def transform(self, table: Table, done: dict[Any, Any] | None = None) -> Any:
        """X for other rows.

        `done` keeps what was read from this table, for other views of it that share encoders.
        """
        done = {} if done is None else done
        return self._assemble(table, [_transformed(part, table, done) for part in self.parts])

    def describe(self, table: Table) -> list[Feature]:
        """Each column of X in terms of the table's columns; `table` is that of `transform`, and needs no rows."""
        found = []
        for name in self.passed:
            column = table[name]
            codes = tuple(float(code) for code in range(len(column.levels)))
            found.append(
                Feature(column.label, "levels", levels=column.levels, values=codes, other=np.nan)
                if column.kind == "category"
                else Feature(column.label)
            )
        for part in self.parts:
            columns = table.select(part.columns)
            told = part.encoder.describe(columns)
            found += _unnamed(part, columns) if told is None else list(told)
        if self.fill is None:
            return found
        filled = zip(found, self.fill.tolist(), strict=True)
        return [replace(f, missing=value) if np.isnan(f.missing) else f for f, value in filled]

    def _assemble(self, table: Table, blocks: Sequence[Any]) -> Any:
        if self.name == COLUMNS:
            columns = [table[name] for name in self.passed]
            for part, block in zip(self.parts, blocks, strict=True):
                columns += _as_columns(block, part)
            return Table(tuple(columns), len(table))
        if not blocks:
            return np.zeros((len(table), 0), dtype=np.float32)
        if not any(is_sparse(block) for block in blocks):
            return _filled(_beside(blocks, self.sparse), self.fill)
        start, filled = 0, []
        for block in blocks:
            stop = start + block.shape[1]
            fill = None if self.fill is None else self.fill[start:stop]
            filled.append(block if is_sparse(block) else _filled(block, fill))
            start = stop
        return _beside(filled, self.sparse)

    def save(self, folder: Path) -> None:
        """Write without code: one sub-folder per encoder."""
        parts = []
        for position, part in enumerate(self.parts):
            with _filed(part.encoder.name, "saved"):
                part.encoder.save(folder / f"{position}")
            parts.append({"encoder": part.encoder.name, "columns": list(part.columns), "width": part.width})
        state = {"name": self.name, "passed": self.passed, "sparse": self.sparse, "fill": self.fill}
        write_state(folder / "view", {**state, "parts": json.dumps(parts)})

    @classmethod
    def load(
        cls, folder: Path, encoders: Mapping[str, type[EncoderPlugin]], known: dict[Any, Any] | None = None
    ) -> View:
        """Read what `save` wrote. Raises ArtifactError when an encoder it needs is not given.

        `known` keeps what was read: views and encoders of equal content become one object.
        """
        known = {} if known is None else known
        mark = _content(folder)
        if mark not in known:
            known[mark] = cls._read(folder, encoders, known)
        view: View = known[mark]
        return view

    @classmethod
    def _read(cls, folder: Path, encoders: Mapping[str, type[EncoderPlugin]], known: dict[Any, Any]) -> View:
        state = read_state(folder / "view")
        view = cls(state["name"], tuple(state["passed"]), sparse=state["sparse"], fill=state["fill"])
        for position, entry in enumerate(json.loads(state["parts"])):
            if entry["encoder"] not in encoders:
                raise ArtifactError(f"the saved model needs the encoder {entry['encoder']!r}; install its plugin")
            mark = entry["encoder"], _content(folder / f"{position}")
            if mark not in known:
                with _filed(entry["encoder"], "read back"):
                    known[mark] = encoders[entry["encoder"]].load(folder / f"{position}")
            view.parts.append(Part(known[mark], tuple(entry["columns"]), entry.get("width", -1)))
        return view


def assign(
    chain: Sequence[type[EncoderPlugin]], columns: Sequence[Column], model: str
) -> dict[type[EncoderPlugin], tuple[str, ...]]:
    """Which encoder reads which columns; columns that none accepts, and feature blocks, are left out.

    Raises PluginError when there are columns and none of them can be encoded.
    """
    readers = [encoder for encoder in chain if not encoder.adds_to]
    chosen: dict[type[EncoderPlugin], list[str]] = {}
    for column in columns:
        for encoder in readers:
            if _accepts(encoder, column):
                chosen.setdefault(encoder, []).append(column.name)
                break
    if columns and not chosen and all(c.kind != "object" for c in columns):
        names, kinds = [encoder.name for encoder in chain], [c.kind for c in columns][:5]
        if chain and not readers:
            raise PluginError(
                f"the encoders {names} of model {model!r} are feature blocks only, which add to what others read: name "
                f"encoders beside them that take the columns, of kinds {kinds}"
            )
        raise PluginError(f"no encoder of {names} takes a column for model {model!r}: {kinds}")
    return {encoder: tuple(names) for encoder, names in chosen.items()}


def _accepts(encoder: type[EncoderPlugin], column: Column) -> bool:
    """Does it want this column? Raises PluginError."""
    try:
        return bool(encoder.accepts(column, encoder().params))
    except (Exception, SystemExit) as error:
        raise _failed(encoder, error) from error


@contextmanager
def _filed(name: str, done: str) -> Iterator[None]:
    """Name the encoder whose save or load fails, unless it is the disk that does."""
    try:
        yield
    except (MemoryError, OSError):
        raise
    except (Exception, SystemExit) as error:
        what = str(error) if isinstance(error, ArtifactError) else f"{type(error).__name__}: {error}"
        raise ArtifactError(f"encoder {name!r} cannot be {done}: {what}") from error


def _content(folder: Path) -> bytes:
    """What tells folders of different content apart."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()} {len(data)} ".encode() + data)
    return digest.digest()


def _transformed(part: Part, table: Table, done: dict[Any, Any]) -> Any:
    """What a part makes of a table, made once; `done` keeps also the columns that were picked."""
    mark = id(part.encoder), part.columns
    if mark not in done:
        if part.columns not in done:
            done[part.columns] = table.select(part.columns)
        try:
            raw = part.encoder.transform(done[part.columns])
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:
            raise _failed(type(part.encoder), error) from error
        block = _block(raw, len(table), part.encoder)
        if block.shape[1] != part.width >= 0:
            name, width = part.encoder.name, block.shape[1]
            raise PluginError(f"encoder {name!r} returned {width} columns, fit_transform gave {part.width}")
        done[mark] = block
    return done[mark]


def _block(block: Any, n_rows: int, encoder: EncoderPlugin) -> Any:
    """An encoder's output, checked. Raises PluginError."""
    if not isinstance(block, np.ndarray) and not is_sparse(block):
        what = "None" if block is None else f"a {type(block).__name__}"
        raise PluginError(f"encoder {encoder.name!r} returned {what}; it must be a float32 numpy array or scipy matrix")
    if block.ndim != 2:
        raise PluginError(f"encoder {encoder.name!r} returned an array of shape {block.shape}, not (rows, columns)")
    if block.shape[0] != n_rows:
        raise PluginError(f"encoder {encoder.name!r} returned {block.shape[0]} rows for {n_rows}")
    if block.dtype != np.float32:
        raise PluginError(f"encoder {encoder.name!r} returned {block.dtype}, not float32")
    return block if isinstance(block, np.ndarray) else block.tocsr()


def is_sparse(block: Any) -> bool:
    """Is it a scipy matrix of whatever format?"""
    return hasattr(block, "tocsr")


def _beside(blocks: Sequence[Any], sparse: bool) -> Any:
    """One matrix of several; CSR when one of them is and `sparse` is wanted."""
    if len(blocks) == 1 and not is_sparse(blocks[0]):
        return blocks[0]
    if not any(is_sparse(block) for block in blocks):
        return np.concatenate(blocks, axis=1)
    import scipy.sparse

    stacked = scipy.sparse.hstack(blocks, format="csr", dtype=np.float32)
    return stacked if sparse else stacked.toarray()


def _as_columns(block: Any, part: Part) -> list[Column]:
    dense = block.toarray() if is_sparse(block) else block
    blanks = part.outputs(dense.shape[1])
    rows = np.ascontiguousarray(dense.T).view()
    rows.flags.writeable = False
    return [blank.over(values) for blank, values in zip(blanks, rows, strict=True)]


def _unnamed(part: Part, columns: Table) -> list[Feature]:
    """The output of an encoder that does not describe itself, by number."""
    about = ", ".join(str(column.label) for column in columns)
    blank = columns.take(np.zeros(0, dtype=np.int64))
    width = part.width if part.width >= 0 else part.encoder.transform(blank).shape[1]
    return [Feature(about, part=f"{part.encoder.name} {i + 1}") for i in range(width)]


def _fill_values(blocks: Sequence[Any], missing: Sequence[bool]) -> AnyArray:
    """(d,) medians of the training rows, 0 for columns without a value.

    A column without gaps has its median too when its encoder says that there may be `missing` values in other rows.
    """
    out = []
    for block, declared in zip(blocks, missing, strict=True):
        fill = np.zeros(block.shape[1], dtype=np.float32)
        if not is_sparse(block):
            gaps = np.isnan(block)
            for position in range(block.shape[1]) if declared else np.flatnonzero(gaps.any(axis=0)):
                known = block[~gaps[:, position], position]
                fill[position] = np.median(known) if len(known) else 0.0
        out.append(fill)
    return np.concatenate([np.zeros(0, dtype=np.float32), *out])


def _filled(matrix: AnyArray, fill: AnyArray | None) -> AnyArray:
    if fill is None:
        return matrix
    missing = np.isnan(matrix)
    return np.where(missing, fill, matrix) if missing.any() else matrix
