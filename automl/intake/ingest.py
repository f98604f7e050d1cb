"""From the caller's data to a typed table: everything that can be wrong with data is said here, before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.contract import Column, DataError, Finding, IntArray, Table
from automl.intake.containers import Frame, key_of, open_table
from automl.intake.drops import useless
from automl.intake.infer import infer, offset_of
from automl.intake.refusals import shorten
from automl.intake.repeats import repeated
from automl.intake.roles import Role, resolve
from automl.intake.rules import Rule
from automl.intake.schema import Schema
from automl.intake.target import group_rule, infer_target, rows_that_count, rows_with_target, weight_rule
from automl.intake.wrap import Container

_SHAPELESS = frozenset(["target", "weight", "groups"])
_ALONE = frozenset(["target", "weight"])  # roles of tables in which each row stands for itself


@dataclass(frozen=True)
class Intake:
    """What became of the caller's data.

    Attributes:
        table: features and role columns; dropped columns are not in it.
        roles: role -> internal name or tuple of names.
        schema: how to read later tables the same way.
        container: how to give results back.
        findings: what was noticed, and what was done about it.
        rows_kept: (n_rows,) positions in the caller's data of the table's rows.
        n_given: rows of the caller's data.
    """

    table: Table
    roles: dict[str, Any]
    schema: Schema
    container: Container
    findings: tuple[Finding, ...]
    rows_kept: IntArray
    n_given: int


@dataclass(frozen=True)
class _Read:
    """A column that was read: where it came from, its rule and its values."""

    position: int
    rule: Rule
    column: Column


def ingest(
    data: Any,
    y: Any = None,
    *,
    target: Any = None,
    roles: Mapping[str, Any] | None = None,
    groups: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    room: int | None = None,
) -> Intake:
    """Read any container into a typed table.

    Args:
        data: see `open_table`. It is never changed.
        y: the target beside the data, one value a row, by position.
        target: the target's column label (or an array, as `y`).
        roles: role -> column label or list of labels. Only columns named here may hold lists, dicts or arrays.
        groups: column label or array; rows of one group belong together.
        time: column label or array.
        sample_weight: column label or array of non-negative numbers.
        room: bytes that may be filled; a file that cannot be held in them is refused before it is read.

    Raises DataError for everything that cannot be learnt from.
    """
    frame = open_table(data)
    _check_size(frame)
    _check_room(frame, room)
    if y is not None and target is not None:
        raise DataError("role-twice", "the target was given twice, as y and as target", "y", "Give one of them.")
    given = {"target": target if y is None else y, "weight": sample_weight, "groups": groups, "time": time}
    found_roles = resolve(frame, given, roles)
    findings = [*frame.findings, *_label_findings(frame), *_index_findings(frame, given["target"])]
    read = _read_columns(frame, found_roles, findings)
    named = _role_names(frame, found_roles)
    read = _without_copy_of_target(read, named, findings)
    rows, read = _with_target(read, named, frame.n_rows, findings)
    read = _teaching(frame, read, named, findings)
    if set(named) <= _ALONE:
        findings += repeated([one.column for one in read if one.rule.name != named.get("weight")], len(rows))
    schema = Schema(
        tuple(one.rule for one in read), tuple(one.position for one in read), named, len(frame.labels), frame.named
    )
    table = Table(tuple(one.column for one in read), len(rows))
    return Intake(table, named, schema, frame.container.take(rows), tuple(findings), rows, frame.n_rows)


def _check_size(frame: Frame) -> None:
    width = len(frame.labels)
    shape = f"(shape=({frame.n_rows}, {width}))"
    if frame.n_rows == 0:
        what = f"Found array with 0 sample(s) {shape} while a minimum of 1 is required"
        fix = "The table has no rows: one can be read, but at least 2 are needed to learn from, better 10 or more."
        raise DataError("rows-none", what, "", fix)
    if width == 0:
        what = f"Found array with 0 feature(s) {shape} while a minimum of 1 is required"
        raise DataError("columns-none", what, "", "The table has no columns: give at least one to learn from.")
    if frame.n_rows == 1:
        raise DataError(
            "rows-one", "n_samples=1: one row teaches nothing", "", "Give at least 2 rows, better 10 or more."
        )


def _check_room(frame: Frame, room: int | None) -> None:
    needed = frame.n_rows * frame.row_bytes
    if room is None or needed <= room:
        return
    what = f"{frame.n_rows:,} rows of {len(frame.labels)} columns need at least {needed / 2**30:.3g} GiB of memory"
    fix = "Give fewer rows or columns, or run where more memory is free."
    raise DataError("memory-short", f"{what}, and {room / 2**30:.3g} GiB are free", "", fix)


def _label_findings(frame: Frame) -> list[Finding]:
    """Labels that are blank, or differ only in case and blanks."""
    found: list[Finding] = []
    words: dict[str, list[str]] = {}
    for label in frame.labels:
        if key_of(label) == "\0missing" or not str(label).strip():
            found.append(Finding("label-blank", "a column has a blank label", f"column {label!r}", "kept"))
        elif isinstance(label, str):
            words.setdefault(label.strip().casefold(), []).append(repr(label))
    alike = [word for group in words.values() if len(group) > 1 for word in group]
    if alike:
        found.append(Finding("columns-alike", "labels differ only in case or blanks", shorten(alike), "kept apart"))
    return found


def _index_findings(frame: Frame, y: Any) -> list[Finding]:
    """Rows are matched by position; say so when the row labels of X and y disagree."""
    index = frame.container.index
    if index is None or not hasattr(y, "iloc") or index.equals(y.index):
        return []
    return [Finding("index-differs", "the row labels of X and y differ", "y", "matched them by position")]


def _read_columns(frame: Frame, roles: Sequence[Role], findings: list[Finding]) -> list[_Read]:
    """Every column of the frame, then every array given beside it."""
    meaning = {position: role.role for role in reversed(roles) for position in role.positions}
    out: list[_Read] = []
    for position, label in enumerate(frame.labels):
        out.append(_read_one(position, f"f{position}", label, frame.raw(position), meaning.get(position), findings))
    beside = [role for role in roles if role.raw is not None]
    for extra, role in enumerate(beside, start=len(frame.labels)):
        out.append(_read_one(-1, f"f{extra}", role.label, role.raw, role.role, findings))
    return out


def _read_one(position: int, name: str, label: Any, raw: Any, role: str | None, findings: list[Finding]) -> _Read:
    readers = {"target": infer_target, "weight": weight_rule, "groups": group_rule}
    if role in readers:
        rule, found = readers[role](name, label, raw)
    else:
        rule, found = infer(name, label, raw, role=role is not None)
    findings += found
    column = rule.column(raw)
    if role is None and rule.kind == "numeric":
        rule = replace(rule, offset=offset_of(column.values))
        column = replace(column, offset=rule.offset)
    return _Read(position, rule, column)


def _role_names(frame: Frame, roles: Sequence[Role]) -> dict[str, Any]:
    """Role -> internal name, or tuple of names where the caller gave a list."""
    out: dict[str, Any] = {}
    beside = len(frame.labels)
    for role in roles:
        if role.raw is not None:
            out[role.role] = f"f{beside}"
            beside += 1
        else:
            names = tuple(f"f{position}" for position in role.positions)
            out[role.role] = names if role.several else names[0]
    return out


def _flat(roles: Mapping[str, Any]) -> set[str]:
    return {name for value in roles.values() for name in (value if isinstance(value, tuple) else (value,))}


def _without_copy_of_target(read: list[_Read], roles: Mapping[str, Any], findings: list[Finding]) -> list[_Read]:
    """Takes out the target forgotten among the features under the name of the array given; reports other copies."""
    if "target" not in roles or isinstance(roles["target"], tuple):
        return read
    given = next(one for one in read if one.rule.name == roles["target"])
    target = given.column
    names = _flat(roles)
    copies = [one for one in read if one.rule.name not in names and _same(one.column, target)]
    for one in copies:
        forgotten = given.position < 0 and one.rule.label == target.label
        done = "dropped" if forgotten else "kept: drop it if it is not known when predicting"
        where = f"column {one.rule.label!r}"
        findings.append(Finding("target-copied", "holds the same values as the target", where, done))
        if forgotten:
            read = [other for other in read if other is not one]
    return read


def _same(one: Column, two: Column) -> bool:
    if one.kind != two.kind or one.kind not in ("numeric", "category", "datetime") or one.levels != two.levels:
        return False
    return bool(np.array_equal(one.values, two.values, equal_nan=one.kind != "category"))


def _with_target(
    read: list[_Read], roles: Mapping[str, Any], n_rows: int, findings: list[Finding]
) -> tuple[IntArray, list[_Read]]:
    """The positions of the rows that have a target and count, and the columns over them."""
    rows = np.arange(n_rows, dtype=np.int64)
    for role, kept_by in (("target", rows_with_target), ("weight", rows_that_count)):
        if isinstance(roles.get(role), str):
            keep, found = kept_by(next(one.column for one in read if one.rule.name == roles[role]))
            findings += found
            if keep is not None:
                rows = rows[keep]
                read = [replace(one, column=one.column.take(np.flatnonzero(keep))) for one in read]
    return rows, read


def _teaching(frame: Frame, read: list[_Read], roles: Mapping[str, Any], findings: list[Finding]) -> list[_Read]:
    """Without the columns that can teach nothing. Raises DataError when none is left and the roles need some."""
    names = _flat(roles)
    features = [one.column for one in read if one.rule.name not in names]
    gone, ids, found = useless(features)
    needed = set(roles) <= _SHAPELESS
    if needed and len(gone) == len(features):
        gone -= ids
        found = [
            Finding(f.code, f.what, f.where, "kept: no other column is left") if f.code == "id-like" else f
            for f in found
        ]
    if needed and len(gone) == len(features):
        what = f"Found array with 0 feature(s) (shape=({frame.n_rows}, 0)) while a minimum of 1 is required"
        reasons = shorten([f"{f.where}: {f.code}" for f in found])
        raise DataError("columns-none", what, reasons, "Give a column that differs between rows.")
    findings += found
    return [one for one in read if one.rule.name not in gone]
