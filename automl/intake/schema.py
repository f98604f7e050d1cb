"""What fit learnt about the columns: how to read every later table exactly as the first one was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from automl.contract import Column, DataError, Table
from automl.intake.containers import Frame, key_of, open_table
from automl.intake.one_row import OneRow
from automl.intake.refusals import shorten
from automl.intake.roles import array_column, check_length
from automl.intake.rules import Rule
from automl.intake.wrap import Container


@dataclass(frozen=True)
class Schema:
    """The columns of the table, and where to find them in the caller's data.

    Attributes:
        rules: one for each column of the table: features and role columns.
        positions: for each rule, its column in the caller's data; -1 when it was given as an array beside it.
        roles: role -> internal name or tuple of names.
        width: columns of the caller's data.
        named: the caller's columns had names.
    """

    rules: tuple[Rule, ...]
    positions: tuple[int, ...]
    roles: Mapping[str, Any]
    width: int
    named: bool

    @cached_property
    def role_names(self) -> frozenset[str]:
        """Internal names of the columns with a role."""
        return frozenset(
            name for value in self.roles.values() for name in (value if isinstance(value, tuple) else (value,))
        )

    @cached_property
    def labels(self) -> tuple[Any, ...]:
        """The caller's names of the feature columns, in order."""
        return tuple(rule.label for rule in self.rules if rule.name not in self.role_names)

    @cached_property
    def blank(self) -> Table:
        """The table without rows."""
        return Table(tuple(rule.blank() for rule in self.rules), 0)

    @cached_property
    def _one_row(self) -> OneRow:
        return OneRow(self.rules)

    @cached_property
    def n_features_in(self) -> int:
        """Columns of the caller's data without a role, dropped ones included."""
        return self.width - len(self._role_positions)

    @cached_property
    def _role_positions(self) -> frozenset[int]:
        pairs = zip(self.rules, self.positions, strict=True)
        return frozenset(position for rule, position in pairs if position >= 0 and rule.name in self.role_names)

    def apply(self, data: Any, y: Any = None) -> tuple[Table, Container]:
        """Read a later table.

        Columns are found by label; a plain array is read by position. Columns not known at fit are ignored, and role
        columns may be absent. `y` stands in for the target column.
        Raises DataError "column-missing" naming the feature columns that the data lacks.
        """
        quick = self._one_row.read(data) if y is None else None
        if quick is not None:
            return quick
        frame = open_table(data)
        given = None if y is None else self.roles.get("target")
        places = self._locate(frame)
        columns = [
            rule.column(frame.raw(position))
            for rule, position in zip(self.rules, places, strict=True)
            if position >= 0 and rule.name != given
        ]
        if y is None:
            self._one_row.learn(data, frame, places)
        elif given is not None:
            columns.append(self._beside(given, y, frame.n_rows))
        return Table(tuple(columns), frame.n_rows), frame.container

    def _beside(self, target: str, y: Any, n_rows: int) -> Column:
        rule = next(rule for rule in self.rules if rule.name == target)
        raw, _ = array_column("target", y)
        check_length(len(raw), n_rows, "target")
        return rule.column(raw)

    def _locate(self, frame: Frame) -> list[int]:
        """For each rule, the position of its column in this frame, -1 when a role column is absent."""
        if not frame.named or (not self.named and len(frame.labels) in (self.width, self.n_features_in)):
            return self._locate_by_order(frame)
        own = {key for key, position in zip(self._keys, self.positions, strict=True) if position >= 0}
        found = [
            frame.positions.get(key, -1) if position >= 0 or key not in own else -1
            for key, position in zip(self._keys, self.positions, strict=True)
        ]
        absent = [
            repr(rule.label)
            for rule, position in zip(self.rules, found, strict=True)
            if position < 0 and rule.name not in self.role_names
        ]
        if absent:
            raise DataError(
                "column-missing",
                f"the data lacks {len(absent)} of the columns that were there at fit",
                f"columns {shorten(absent)}",
                "Give all feature columns; one without any value may hold missing values.",
            )
        return found

    @cached_property
    def _keys(self) -> tuple[Any, ...]:
        return tuple(key_of(rule.label) for rule in self.rules)

    def _locate_by_order(self, frame: Frame) -> list[int]:
        width = len(frame.labels)
        if width == self.width:
            return list(self.positions)
        if width != self.n_features_in:
            raise DataError(
                "width-mismatch",
                f"X has {width} features, but AutoML is expecting {self.n_features_in} features as input",
                "",
                "Give the columns of fit in their order, or a table with column names.",
            )
        shown = [position for position in range(self.width) if position not in self._role_positions]
        order = {position: place for place, position in enumerate(shown)}
        return [order.get(position, -1) for position in self.positions]

    def to_state(self) -> dict[str, Any]:
        """JSON values, for `contract.write_state`."""
        return {
            "rules": [rule.to_state() for rule in self.rules],
            "positions": list(self.positions),
            "roles": dict(self.roles),
            "width": self.width,
            "named": self.named,
        }

    def served_state(self) -> dict[str, Any]:
        """`to_state` for a model that answers: it needs no names of groups, of which there may be as many as rows."""
        state = self.to_state()
        groups = state["roles"].get("groups")
        state["rules"] = [{**rule, "levels": ()} if rule["name"] == groups else rule for rule in state["rules"]]
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Schema:
        """The schema that `to_state` wrote down."""
        roles = {role: tuple(name) if isinstance(name, list) else name for role, name in state["roles"].items()}
        rules = tuple(Rule.from_state(rule) for rule in state["rules"])
        return cls(rules, tuple(state["positions"]), roles, state["width"], state["named"])
