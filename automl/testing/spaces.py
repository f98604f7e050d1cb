"""The conformance kit for search spaces and their TOML files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from automl.contract import Choice, SearchSpace, SpaceError
from automl.discovery import Registry
from automl.discovery.spaces import read_space
from automl.testing.checks import Check, Kit, require


def _space(subject: Any) -> SearchSpace:
    """The space itself, read from a file when the subject is a path."""
    return read_space(subject) if isinstance(subject, str | Path) else subject


def check_it_can_be_read(subject: Any) -> None:
    """A file parses; a value is a SearchSpace."""
    require(isinstance(_space(subject), SearchSpace), f"{subject!r} is no SearchSpace and no path of a space file")


def check_every_knob_has_a_default_inside_its_range(subject: Any) -> None:
    """For every task named in `default_for` too, each of which is spelt as an installed one if it is nearly that."""
    space = _space(subject)
    _require_known_tasks("default_for", space.default_for)
    for task in ("", *space.default_for):
        point = space.point(task)
        strangers = set(point) - set(space.knobs)
        require(not strangers, f"the default for task {task!r} sets {sorted(strangers)}, which are no knobs")
        for name, knob in space.knobs.items():
            require(
                knob.holds(point[name]), f"the default of {name!r} for task {task!r} is {point[name]!r}: not {knob}"
            )


def check_every_start_point_lies_inside(subject: Any) -> None:
    """Start points set knobs that exist, to values they can have."""
    space = _space(subject)
    for start in space.starts:
        for name, value in start.params.items():
            require(name in space.knobs, f"start {start.id!r} sets {name!r}, which is no knob")
            require(
                space.knobs[name].holds(value), f"start {start.id!r} sets {name} = {value!r}: not {space.knobs[name]}"
            )


def check_start_points_have_a_name_and_a_regime_that_means_something(subject: Any) -> None:
    """An id each; `rows` and each of `facts` is a pair in order, `tasks` a list of names, and there is nothing else."""
    for start in _space(subject).starts:
        require(start.id, f"the start with {dict(start.params)} has no id")
        require(not start.fault(), f"start {start.id!r}: {start.fault()}")
        _require_known_tasks(f"start {start.id!r}", start.regime.get("tasks", ()))


def _require_known_tasks(what: str, tasks: Iterable[str]) -> None:
    """A name that is nearly that of an installed task is a slip; any other may be of a task that is not here."""
    known = Registry.installed().tasks.names()
    for task in tasks:
        near = get_close_matches(str(task), known, 1, cutoff=0.8)
        require(task in known or not near, f"{what} names the task {task!r}; did you mean {near}?")


def check_everything_in_it_is_json(subject: Any) -> None:
    """Points travel and are keyed as JSON: options and settings must come back equal."""
    space = _space(subject)
    values: dict[str, Any] = {f"default of {name}": value for name, value in space.default.items()}
    for name, knob in space.knobs.items():
        if isinstance(knob, Choice):
            values[f"options of {name}"] = list(knob.options)
    values |= {f"start {start.id}": dict(start.params) for start in space.starts}
    for what, value in values.items():
        try:
            back = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise SpaceError(f"{what} is {value!r}, which is no JSON: {error}") from error
        require(back == value, f"{what} is {value!r} and comes back from JSON as {back!r}")


def check_every_condition_can_hold(subject: Any) -> None:
    """`when` names other knobs with values they can take, and no knob depends on itself."""
    space = _space(subject)
    for name, knob in space.knobs.items():
        for other, wanted in knob.when.items():
            require(other in space.knobs, f"knob {name!r} depends on {other!r}, which is no knob")
            for value in wanted if isinstance(wanted, tuple | list) else (wanted,):
                holds = space.knobs[other].holds(value)
                require(holds, f"knob {name!r} waits for {other} = {value!r}, which {other!r} can never be")
        require(name not in _ancestors(space, name), f"knob {name!r} depends on itself")


def _ancestors(space: SearchSpace, name: str) -> set[str]:
    """All knobs that this one depends on, directly or not."""
    found: set[str] = set()
    queue = list(space.knobs[name].when)
    while queue:
        other = queue.pop()
        if other not in found and other in space.knobs:
            found.add(other)
            queue += space.knobs[other].when
    return found


SPACE_CHECKS = tuple(
    Check(check.__name__.removeprefix("check_"), check)
    for check in (
        check_it_can_be_read,
        check_every_knob_has_a_default_inside_its_range,
        check_every_start_point_lies_inside,
        check_start_points_have_a_name_and_a_regime_that_means_something,
        check_everything_in_it_is_json,
        check_every_condition_can_hold,
    )
)


class SpaceChecks(Kit):
    """Set `plugin` to a SearchSpace or to the path of a space file."""

    checks = SPACE_CHECKS
