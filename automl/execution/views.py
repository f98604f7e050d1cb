"""How a table becomes what a model sees: the tabular views and the encoder chains behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import (
    AnyArray,
    ArtifactError,
    Column,
    EncoderPlugin,
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
    """One fitted encoder and the columns it reads."""

    encoder: EncoderPlugin
    columns: tuple[str, ...]


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
    ) -> tuple[View, Any]:
        """Learn the view on training rows; returns it and X of these rows.

        Args:
            chain: encoder classes; each column goes to the first that accepts it.
            table: feature columns of the training rows.
            y: their targets, for encoders that use them.
        """
        passed = tuple(c.name for c in table if c.kind in model.kinds) if model.view == COLUMNS else ()
        view = cls(model.view, passed, sparse=model.sparse)
        blocks = []
        for encoder_class, columns in assign(chain, [c for c in table if c.name not in passed], model.name).items():
            encoder = encoder_class()
            block = encoder.fit_transform(table.select(columns), y, ctx)
            view.parts.append(Part(encoder, columns))
            blocks.append(_block(block, len(table), encoder))
        if view.name == MATRIX and not model.handles_missing:
            view.fill = _fill_values(blocks, [part.encoder.missing for part in view.parts])
        return view, view._assemble(table, blocks)

    def transform(self, table: Table) -> Any:
        """X for other rows."""
        blocks = [_block(p.encoder.transform(table.select(p.columns)), len(table), p.encoder) for p in self.parts]
        return self._assemble(table, blocks)

    def _assemble(self, table: Table, blocks: Sequence[Any]) -> Any:
        if self.name == COLUMNS:
            columns = [table[name] for name in self.passed]
            for part, block in zip(self.parts, blocks, strict=True):
                columns += _as_columns(block, part)
            return Table(tuple(columns), len(table))
        if not blocks:
            return np.zeros((len(table), 0), dtype=np.float32)
        if any(_is_sparse(block) for block in blocks):
            return self._assemble_sparse(blocks)
        matrix = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        return _filled(matrix, self.fill)

    def _assemble_sparse(self, blocks: Sequence[Any]) -> Any:
        import scipy.sparse

        start, filled = 0, []
        for block in blocks:
            stop = start + block.shape[1]
            fill = None if self.fill is None else self.fill[start:stop]
            filled.append(block if _is_sparse(block) else _filled(block, fill))
            start = stop
        stacked = scipy.sparse.hstack(filled, format="csr", dtype=np.float32)
        return stacked if self.sparse else stacked.toarray()

    def save(self, folder: Path) -> None:
        """Write without code: one sub-folder per encoder."""
        parts = []
        for position, part in enumerate(self.parts):
            part.encoder.save(folder / f"{position}")
            parts.append({"encoder": part.encoder.name, "columns": list(part.columns)})
        state = {"name": self.name, "passed": self.passed, "sparse": self.sparse, "fill": self.fill}
        write_state(folder / "view", {**state, "parts": json.dumps(parts)})

    @classmethod
    def load(cls, folder: Path, encoders: Mapping[str, type[EncoderPlugin]]) -> View:
        """Read what `save` wrote. Raises ArtifactError when an encoder it needs is not given."""
        state = read_state(folder / "view")
        view = cls(state["name"], tuple(state["passed"]), sparse=state["sparse"], fill=state["fill"])
        for position, entry in enumerate(json.loads(state["parts"])):
            if entry["encoder"] not in encoders:
                raise ArtifactError(f"the saved model needs the encoder {entry['encoder']!r}; install its plugin")
            encoder = encoders[entry["encoder"]].load(folder / f"{position}")
            view.parts.append(Part(encoder, tuple(entry["columns"])))
        return view


def assign(
    chain: Sequence[type[EncoderPlugin]], columns: Sequence[Column], model: str
) -> dict[type[EncoderPlugin], tuple[str, ...]]:
    """Which encoder reads which columns; columns that none accepts are left out.

    Raises PluginError when there are columns and none of them can be encoded.
    """
    chosen: dict[type[EncoderPlugin], list[str]] = {}
    for column in columns:
        for encoder in chain:
            if encoder.accepts(column, encoder().params):
                chosen.setdefault(encoder, []).append(column.name)
                break
    if columns and not chosen and all(c.kind != "object" for c in columns):
        names = [encoder.name for encoder in chain]
        raise PluginError(f"no encoder of {names} takes a column for model {model!r}: {[c.kind for c in columns][:5]}")
    return {encoder: tuple(names) for encoder, names in chosen.items()}


def _block(block: Any, n_rows: int, encoder: EncoderPlugin) -> Any:
    """An encoder's output, checked. Raises PluginError."""
    if getattr(block, "ndim", 0) != 2 or block.shape[0] != n_rows:
        shape = getattr(block, "shape", type(block).__name__)
        raise PluginError(f"encoder {encoder.name!r} returned {shape} for {n_rows} rows; it must be two-dimensional")
    if block.dtype != np.float32:
        raise PluginError(f"encoder {encoder.name!r} returned {block.dtype}, not float32")
    return block


def _is_sparse(block: Any) -> bool:
    return hasattr(block, "tocsr")


def _as_columns(block: Any, part: Part) -> list[Column]:
    dense = block.toarray() if _is_sparse(block) else block
    label = "+".join(part.columns[:3])
    return [
        Column(f"{part.encoder.name}.{label}.{i}", f"{part.encoder.name}.{i}", "numeric", np.ascontiguousarray(values))
        for i, values in enumerate(dense.T)
    ]


def _fill_values(blocks: Sequence[Any], missing: Sequence[bool]) -> AnyArray | None:
    """(d,) medians of the training rows, 0 for columns without a value; None when there are no columns.

    A column without gaps has its median too when its encoder says that there may be `missing` values in other rows.
    """
    out = []
    for block, declared in zip(blocks, missing, strict=True):
        fill = np.zeros(block.shape[1], dtype=np.float32)
        if not _is_sparse(block):
            gaps = np.isnan(block)
            for position in range(block.shape[1]) if declared else np.flatnonzero(gaps.any(axis=0)):
                known = block[~gaps[:, position], position]
                fill[position] = np.median(known) if len(known) else 0.0
        out.append(fill)
    return np.concatenate(out) if out else None


def _filled(matrix: AnyArray, fill: AnyArray | None) -> AnyArray:
    if fill is None:
        return matrix
    missing = np.isnan(matrix)
    return np.where(missing, fill, matrix) if missing.any() else matrix
