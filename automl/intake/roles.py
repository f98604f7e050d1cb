"""Which columns have a fixed meaning: found by label in the table, or given beside it as arrays."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.contract import DataError
from automl.intake.columns import from_any
from automl.intake.containers import Frame, key_of
from automl.intake.raw import Raw
from automl.intake.refusals import closest

_VECTOR = (
    "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples,), "
    "for example using ravel()."
)


@dataclass(frozen=True)
class Role:
    """One role and where its column is.

    Attributes:
        role: "target", "weight", "groups", "time", or a task's own.
        positions: its columns in the frame; empty when it was given as an array.
        several: the caller named a list of columns.
        raw: the array given, else None.
        label: what the array is called.
    """

    role: str
    positions: tuple[int, ...] = ()
    several: bool = False
    raw: Raw | None = None
    label: Any = None


def resolve(frame: Frame, given: Mapping[str, Any], roles: Mapping[str, Any] | None) -> list[Role]:
    """Find every role's column.

    Args:
        frame: the table.
        given: role -> label or array, or None when it was not given.
        roles: role -> label or list of labels.

    Raises DataError for a role given twice, an unknown label and an array of the wrong length.
    """
    out: list[Role] = []
    for role, value in given.items():
        if value is not None:
            out.append(_one(frame, role, value))
    for role, value in (roles or {}).items():
        if value is None:
            continue
        if role in {done.role for done in out}:
            raise DataError("role-twice", f"the role {role!r} was given twice", "roles", "Give it once.")
        if isinstance(value, list | tuple) and not _is_label(frame, value):
            positions = tuple(_position(frame, role, label) for label in value)
            out.append(Role(role, positions, several=True))
        else:
            out.append(_one(frame, role, value))
    _refuse_sharing(frame, out)
    return out


def _one(frame: Frame, role: str, value: Any) -> Role:
    scalar = isinstance(value, str | bytes) or not (hasattr(value, "__len__") or hasattr(value, "__array__"))
    if scalar or _is_label(frame, value) or (isinstance(value, np.generic) and np.ndim(value) == 0):
        return Role(role, (_position(frame, role, value),))
    raw, label = array_column(role, value)
    check_length(len(raw), frame.n_rows, role)
    return Role(role, raw=raw, label=label)


def check_length(given: int, n_rows: int, role: str) -> None:
    """Raises DataError for an array beside a table that has not as many values as that has rows."""
    if given != n_rows:
        what = f"Found input variables with inconsistent numbers of samples: [{n_rows}, {given}]"
        raise DataError("length-mismatch", what, role, f"Give one {role} a row.")


def _is_label(frame: Frame, value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return not hasattr(value, "__array__") and key_of(value) in frame.positions


def _position(frame: Frame, role: str, label: Any) -> int:
    try:
        return frame.positions[key_of(label)]
    except (KeyError, TypeError):
        code = "target-missing" if role == "target" else "role-missing"
        raise DataError(code, f"there is no column {label!r}", role, closest(label, frame.labels)) from None


def _refuse_sharing(frame: Frame, roles: list[Role]) -> None:
    """A target, a weight and a group are three different columns."""
    taken: dict[int, str] = {}
    for role in roles:
        for position in role.positions:
            other = taken.setdefault(position, role.role)
            if other != role.role and "target" in (other, role.role) and {other, role.role} & {"weight", "groups"}:
                label = frame.labels[position]
                raise DataError(
                    "role-shared", f"column {label!r} is {other} and {role.role}", "roles", "Use two columns."
                )


def array_column(role: str, value: Any) -> tuple[Raw, Any]:
    """The column in an array given beside the table, and its label: its own name, else the role's.

    Raises DataError for more than one column; warns, as scikit-learn does, for a column vector.
    """
    name = getattr(value, "name", None)
    label = role if name is None or callable(name) or name == "" else name
    value, label = _flatten(role, value, label)
    try:
        return from_any(value), label
    except DataError as error:
        raise type(error)(error.code, error.what, f"{role}, {error.where}".rstrip(", "), error.fix) from error


def _flatten(role: str, value: Any, label: Any) -> tuple[Any, Any]:
    """A two-dimensional column vector becomes one-dimensional."""
    if hasattr(value, "tocsr"):
        raise DataError("sparse", f"{role} is a sparse matrix", role, "Convert it with .toarray().ravel().")
    if hasattr(value, "columns") or hasattr(value, "column_names"):
        labels = list(value.column_names if hasattr(value, "column_names") else value.columns)
        _refuse_wide(role, len(labels))
        _warn(role)
        return value.iloc[:, 0] if hasattr(value, "iloc") else value[labels[0]], labels[0]
    if isinstance(value, list | tuple | range) or type(value).__module__.partition(".")[0] in (
        "pandas",
        "polars",
        "pyarrow",
    ):
        return _unbox(role, value), label
    array = np.ma.asanyarray(value) if np.ma.isMaskedArray(value) else np.asarray(value)
    if array.ndim == 2:
        _refuse_wide(role, array.shape[1])
        _warn(role)
        return array[:, 0], label
    if array.ndim != 1:
        raise DataError("column-shape", f"{role} has shape {array.shape}", role, "Give a one-dimensional array.")
    return array, label


def _unbox(role: str, value: Any) -> Any:
    """A list of one-element lists is a column vector too."""
    if (
        isinstance(value, list)
        and value
        and all(isinstance(v, list) and len(v) == 1 and np.ndim(v[0]) == 0 for v in value)
    ):
        _warn(role)
        return [v[0] for v in value]
    return value


def _refuse_wide(role: str, width: int) -> None:
    if width != 1:
        raise DataError(
            f"{role}-several-columns",
            f"y should be a 1d array, got an array of {width} columns instead"
            if role == "target"
            else f"{width} columns",
            role,
            "Give one column.",
        )


def _warn(role: str) -> None:
    if role == "target":
        from sklearn.exceptions import DataConversionWarning

        warnings.warn(_VECTOR, DataConversionWarning, stacklevel=2)
