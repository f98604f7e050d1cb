"""What fit learnt about the columns: how to read every later table exactly as the first one was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from automl.contract import AnyArray, Column, DataError, Table
from automl.intake.containers import Frame, key_of, open_table
from automl.intake.one_row import OneRow
from automl.intake.raw import Raw, all_missing
from automl.intake.refusals import shorten
from automl.intake.roles import array_column, check_length
from automl.intake.rules import Rule
from automl.intake.unread import unread, warn
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
        Raises DataError "column-missing" naming the feature columns that the data lacks; warns of values that say
        something, but no number in a column of numbers, and so on (`UnreadValues`).
        """
        quick = self._one_row.read(data) if y is None else None
        if quick is not None:
            return quick
        frame = open_table(data, self._texts)
        places = self._locate(frame)
        table = self._table(frame, places, self._beside(y, frame.n_rows))
        if y is None:
            self._one_row.learn(data, frame, places)
        return table, frame.container

    def labelled(self, data: Any, y: Any = None) -> tuple[Table, AnyArray | None]:
        """Read a later table as `apply` does, and tell which rows have a target: (n,) booleans.

        None where there is no target, or one of several columns. A label that fit did not see is a target.
        """
        frame = open_table(data, self._texts)
        places, raw = self._locate(frame), self._beside(y, frame.n_rows)
        table, target = self._table(frame, places, raw), self.roles.get("target")
        if not isinstance(target, str) or target not in table.names:
            return table, None
        if table[target].kind != "category":
            return table, ~table[target].missing()
        if raw is None:
            raw = frame.raw(next(at for rule, at in zip(self.rules, places, strict=True) if rule.name == target))
        return table, ~raw.missing()

    def _table(self, frame: Frame, places: Sequence[int], beside: Raw | None) -> Table:
        """The columns of a frame where they are; with a target beside it, that one."""
        given = None if beside is None else self.roles.get("target")
        columns, said = list[Column](), list[str]()
        for rule, position in zip(self.rules, places, strict=True):
            if position >= 0 and rule.name != given:
                raw = frame.raw(position)
                columns.append(rule.column(raw))
                said.append("" if rule.name in self.role_names else unread(rule, raw, columns[-1]))
        warn(said)
        if beside is not None:
            columns.append(next(rule for rule in self.rules if rule.name == given).column(beside))
        return Table(tuple(columns), frame.n_rows)

    def _texts(self, labels: Sequence[str]) -> list[str]:
        """Of the columns in a text file, those read from strings: what a cell says must not depend on others."""
        places = self._locate(Frame(tuple(labels), 0, lambda position: all_missing(0, ""), Container()))
        pairs = zip(self.rules, places, strict=True)
        return [labels[position] for rule, position in pairs if position >= 0 and rule.reads_text]

    def _beside(self, y: Any, n_rows: int) -> Raw | None:
        """The target given beside a table; None without one."""
        if y is None or not isinstance(self.roles.get("target"), str):
            return None
        raw, _ = array_column("target", y)
        check_length(len(raw), n_rows, "target")
        return raw

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
