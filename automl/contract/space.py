"""Search spaces as values: knobs, a default point per task, and ordered start points (the portfolio)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from automl.contract.errors import SpaceError

Params = dict[str, Any]


@dataclass(frozen=True)
class Float:
    """A real knob in [low, high]; `log` searches its logarithm; `step` makes it discrete: low, low + step, …"""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: Mapping[str, Any] = field(default_factory=dict)
    regime: Mapping[str, Any] = field(default_factory=dict)

    def holds(self, value: Any) -> bool:
        """Is the value a legal setting?"""
        ok = isinstance(value, int | float) and not isinstance(value, bool)
        return ok and math.isfinite(value) and self.low <= value <= self.high and self._on_grid(value)

    def _on_grid(self, value: float) -> bool:
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-8


@dataclass(frozen=True)
class Int:
    """A whole-number knob in [low, high], both included; `step` as in `Float`."""

    low: int
    high: int
    log: bool = False
    step: int = 1
    when: Mapping[str, Any] = field(default_factory=dict)
    regime: Mapping[str, Any] = field(default_factory=dict)

    def holds(self, value: Any) -> bool:
        """Is the value a legal setting?"""
        ok = isinstance(value, int) and not isinstance(value, bool)
        return ok and self.low <= value <= self.high and (value - self.low) % self.step == 0


@dataclass(frozen=True)
class Choice:
    """A knob with a few JSON-able options."""

    options: tuple[Any, ...]
    when: Mapping[str, Any] = field(default_factory=dict)
    regime: Mapping[str, Any] = field(default_factory=dict)

    def holds(self, value: Any) -> bool:
        """Is the value a legal setting?"""
        return any(type(value) is type(option) and value == option for option in self.options)


Knob = Float | Int | Choice


@dataclass(frozen=True)
class Start:
    """One point of a portfolio.

    Attributes:
        id: short name, unique in its space.
        params: settings that differ from the default.
        regime: where it applies: ``rows = [low, high]``, ``tasks = [names]``, and ``facts = {name = [low, high]}`` for
            numbers that the task learnt (`Problem.facts`) and for ``seconds``, the time limit (60 when trials are
            counted); empty applies everywhere.
        source: where the numbers come from.
        default: where it applies, the default has these settings too, and so have all other points.
    """

    id: str
    params: Mapping[str, Any]
    regime: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    default: bool = False

    def applies(self, n_rows: int, task: str, facts: Mapping[str, Any] | None = None) -> bool:
        """Does this point belong to a problem of `n_rows` training rows, this task and these facts?"""
        return suits(self.regime, n_rows, task, facts)

    def fault(self) -> str:
        """What is wrong with the regime, or with `default`, or ""."""
        return regime_fault(self.regime) or ("" if isinstance(self.default, bool) else "default is true or false")


@dataclass(frozen=True)
class SearchSpace:
    """Knobs, the default point, what the default is for some tasks, and the portfolio.

    A knob with ``when={"other": value}`` (or a tuple of values) exists only where the other knob has that value, and
    one with a `regime` (see `Start`) is tuned only for problems that it suits.
    """

    knobs: Mapping[str, Knob] = field(default_factory=dict)
    default: Mapping[str, Any] = field(default_factory=dict)
    default_for: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    starts: tuple[Start, ...] = ()

    def __post_init__(self) -> None:
        for name, knob in self.knobs.items():
            if not isinstance(knob, Float | Int | Choice):
                raise SpaceError(f"knob {name!r} is {knob!r}, which is no knob: write {_as_knob(knob)}")
            if name not in self.default:
                raise SpaceError(f"knob {name!r} has no default; {_default_hint(name, self)}")
            _check_knob(name, knob, self.knobs)
            if not knob.holds(self.default[name]):
                raise SpaceError(f"the default of {name!r} is {self.default[name]!r}, outside {knob}")
        for task, settings in self.default_for.items():
            self._check_settings(f"default_for[{task!r}]", settings)
        if not isinstance(self.starts, list | tuple) or not all(isinstance(start, Start) for start in self.starts):
            raise SpaceError(f"starts is {self.starts!r}; write a tuple: starts=(Start(...), )")
        for start in self.starts:
            self._check_settings(f"start {start.id!r}", start.params)
        ids = [start.id for start in self.starts]
        if len(set(ids)) < len(ids):
            raise SpaceError(f"two start points share an id: {sorted(i for i in ids if ids.count(i) > 1)}")

    def _check_settings(self, what: str, settings: Any) -> None:
        """Raise SpaceError unless these are settings of knobs within their ranges.

        What only `default` has is let through: a knob that `suited` has taken out is still given its default.
        """
        if not isinstance(settings, Mapping):
            raise SpaceError(f"{what} is {settings!r}; it must map names of knobs to settings")
        for name, value in settings.items():
            if name in self.knobs and not self.knobs[name].holds(value):
                raise SpaceError(f"{what} sets {name} = {value!r}, outside {self.knobs[name]}")
            if name not in self.knobs and name not in self.default:
                near = get_close_matches(str(name), list(self.knobs), 1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {sorted(self.knobs)}"
                raise SpaceError(f"{what} sets {name!r}, which is no knob; {hint}")

    def point(self, task: str, params: Mapping[str, Any] | None = None) -> Params:
        """The full settings: the default for this task, updated by `params`."""
        return {**self.default, **self.default_for.get(task, {}), **(params or {})}

    def portfolio(self, task: str, n_rows: int, facts: Mapping[str, Any] | None = None) -> list[Params]:
        """Default first, then the start points that apply, in file order, without repeats.

        facts: what the task learnt (`Problem.facts`).
        """
        points = [self.point(task)]
        for start in self.starts:
            point = self.point(task, start.params)
            if start.applies(n_rows, task, facts) and point not in points:
                points.append(point)
        return points

    def suited(self, task: str, n_rows: int, facts: Mapping[str, Any] | None = None) -> SearchSpace:
        """The space for one problem: no start points that do not apply, and no knobs that their regime rules out.

        Such a knob is not tuned, and no start point sets it; the model is still given its default. Start points that
        are defaults where they apply have become part of it.
        """
        knobs = {name: knob for name, knob in self.knobs.items() if suits(knob.regime, n_rows, task, facts)}
        fixed = set(self.knobs) - set(knobs)
        starts = [s for s in self.starts if s.applies(n_rows, task, facts) and not fixed & set(s.params)]
        moved = {name: value for start in starts if start.default for name, value in start.params.items()}
        default_for = {other: {**own, **moved} for other, own in self.default_for.items()}
        others = tuple(start for start in starts if not start.default)
        return SearchSpace(knobs, {**self.default, **moved}, default_for, others)

    def active(self, name: str, params: Mapping[str, Any]) -> bool:
        """Does this knob exist, given the other settings?"""
        for other, wanted in self.knobs[name].when.items():
            options = wanted if isinstance(wanted, tuple | list) else (wanted,)
            if params.get(other) not in options:
                return False
        return True


def suits(regime: Mapping[str, Any], n_rows: int, task: str, facts: Mapping[str, Any] | None = None) -> bool:
    """Does the regime hold for these rows, this task and these facts? A fact that is not there is in no range."""
    low, high = regime.get("rows", (0, math.inf))
    if not low <= n_rows <= high or task not in regime.get("tasks", (task,)):
        return False
    known = facts or {}
    return all(name in known and low <= known[name] <= high for name, (low, high) in regime.get("facts", {}).items())


def regime_fault(regime: Any) -> str:
    """What is wrong with a regime, or ""."""
    if not isinstance(regime, Mapping) or set(regime) - {"rows", "tasks", "facts"}:
        return f"regime is {regime!r}; it may say rows, tasks and facts"
    tasks, facts = regime.get("tasks", ()), regime.get("facts", {})
    if not isinstance(tasks, list | tuple):
        return f"tasks is {tasks!r}, not a list of names"
    if not isinstance(facts, Mapping):
        return f"facts is {facts!r}, not a table of ranges such as {{ low = [0, 10] }}"
    for name, bounds in {"rows": regime.get("rows", (0, 1)), **facts}.items():
        if not _is_range(bounds):
            return f"{name} is {bounds!r}, not [low, high]"
    return ""


def _is_range(bounds: Any) -> bool:
    """Two numbers in order?"""
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        return False
    return all(isinstance(b, int | float) and not isinstance(b, bool) for b in bounds) and bool(bounds[0] < bounds[1])


def _as_knob(value: Any) -> str:
    """How the knob that was probably meant is written."""
    if isinstance(value, list | tuple) and len(value) == 2 and _is_range(value):
        kind = "Int" if all(isinstance(bound, int) for bound in value) else "Float"
        return f"{kind}({value[0]}, {value[1]})"
    if isinstance(value, list | tuple):
        return f"Choice({tuple(value)!r})"
    return "Float(low, high), Int(low, high) or Choice((option, ...))"


def _default_hint(name: str, space: SearchSpace) -> str:
    """What to do about a knob without a default; a misspelt one is likelier than one that was forgotten."""
    others = [other for other in space.default if other not in space.knobs]
    near = get_close_matches(name, others, 1)
    return f"`default` has {near[0]!r}, which is no knob: give both one name" if near else "give it one in `default`"


def _check_knob(name: str, knob: Knob, knobs: Mapping[str, Knob]) -> None:
    if isinstance(knob, Choice):
        if not knob.options:
            raise SpaceError(f"knob {name!r} has no options")
    elif not knob.low <= knob.high:
        raise SpaceError(f"knob {name!r} has low {knob.low} above high {knob.high}")
    elif knob.log and knob.low <= 0:
        raise SpaceError(f"knob {name!r} is logarithmic and reaches {knob.low}; its low must be above 0")
    elif knob.step is not None and knob.step <= 0:
        raise SpaceError(f"knob {name!r} has step {knob.step}; it must be above 0")
    elif knob.log and knob.step != (None if isinstance(knob, Float) else 1):
        raise SpaceError(f"knob {name!r} is logarithmic and has step {knob.step}; it can have only one of the two")
    if fault := regime_fault(knob.regime):
        raise SpaceError(f"knob {name!r}: {fault}")
    unknown = set(knob.when) - set(knobs)
    if unknown:
        raise SpaceError(f"knob {name!r} depends on {sorted(unknown)}, which are no knobs of this space")
