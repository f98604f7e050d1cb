"""Space files: `search_spaces/<task family>/<model>.toml` becomes a `SearchSpace`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from automl.contract import Choice, Float, Int, Knob, ModelPlugin, SearchSpace, SpaceError, Start

_PACKAGE = "automl.search_spaces"


def space_of(model: type[ModelPlugin], family: str) -> SearchSpace:
    """The space of a model for a family of tasks: its own attribute, else the space file, else an empty space."""
    if model.space is not None:
        return model.space
    return _shipped(family, model.name) or SearchSpace()


@lru_cache(maxsize=256)
def _shipped(family: str, name: str) -> SearchSpace | None:
    file = resources.files(_PACKAGE).joinpath(family, f"{name}.toml")
    return parse_space(file.read_text(encoding="utf-8"), str(file)) if file.is_file() else None


def read_space(path: str | Path) -> SearchSpace:
    """The space in a TOML file. Raises SpaceError naming the file."""
    return parse_space(Path(path).read_text(encoding="utf-8"), str(path))


def parse_space(text: str, source: str = "space file") -> SearchSpace:
    """The space in TOML text. Raises SpaceError naming `source` and the knob at fault."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpaceError(f"{source} is not valid TOML: {error}") from error
    starts = document.pop("start", [])
    knobs: dict[str, Knob] = {}
    default: dict[str, Any] = {}
    default_for: dict[str, dict[str, Any]] = {}
    for name, entry in document.items():
        if not isinstance(entry, dict):
            raise SpaceError(f"{source}: {name!r} is not a table; write [{name}] with kind, low, high and default")
        knobs[name] = _knob(name, entry, source)
        default[name] = entry["default"]
        for task, value in entry.get("default_for", {}).items():
            if not knobs[name].holds(value):
                raise SpaceError(f"{source}: [{name}] has default_for.{task} = {value!r}, outside {knobs[name]}")
            default_for.setdefault(task, {})[name] = value
    try:
        return SearchSpace(knobs, default, default_for, tuple(_start(entry, knobs, source) for entry in starts))
    except SpaceError as error:
        raise SpaceError(f"{source}: {error}") from error


def _knob(name: str, entry: Mapping[str, Any], source: str) -> Knob:
    """One table as a knob."""
    known = {"kind", "low", "high", "log", "step", "options", "default", "default_for", "when", "regime"}
    unknown = set(entry) - known
    if unknown or "default" not in entry:
        problem = f"unknown keys {sorted(unknown)}" if unknown else "no default"
        raise SpaceError(f"{source}: [{name}] has {problem}; a knob takes {sorted(known)}")
    when = {other: tuple(v) if isinstance(v, list) else v for other, v in entry.get("when", {}).items()}
    kind, regime = entry.get("kind"), entry.get("regime", {})
    _check_types(name, entry, source)
    try:
        if kind == "float":
            return Float(entry["low"], entry["high"], entry.get("log", False), entry.get("step"), when, regime)
        if kind == "int":
            return Int(entry["low"], entry["high"], entry.get("log", False), entry.get("step", 1), when, regime)
        if kind == "choice":
            return Choice(tuple(entry["options"]), when, regime)
    except KeyError as error:
        raise SpaceError(f"{source}: [{name}] of kind {kind!r} lacks {error.args[0]!r}") from error
    raise SpaceError(f"{source}: [{name}] has kind {kind!r}; choose float, int or choice")


def _check_types(name: str, entry: Mapping[str, Any], source: str) -> None:
    """Raise SpaceError when a bound is no number, a flag no boolean, or the options are no list."""
    wanted: dict[str, Any] = {
        "low": (int, float),
        "high": (int, float),
        "step": (int, float),
        "log": bool,
        "options": list,
    }
    for key, types in wanted.items():
        value = entry.get(key)
        if value is not None and (not isinstance(value, types) or isinstance(value, bool) != (types is bool)):
            raise SpaceError(f"{source}: [{name}] has {key} = {value!r}, which is of the wrong type")


def _start(entry: Mapping[str, Any], knobs: Mapping[str, Knob], source: str) -> Start:
    """One [[start]] table as a start point; its settings must be knobs and inside their ranges, its regime sensible."""
    params = entry.get("params", {})
    for name, value in params.items():
        if name not in knobs:
            raise SpaceError(
                f"{source}: start {entry.get('id')!r} sets {name!r}, which is no knob; it has {sorted(knobs)}"
            )
        if not knobs[name].holds(value):
            raise SpaceError(f"{source}: start {entry.get('id')!r} sets {name} = {value!r}, outside {knobs[name]}")
    told = (entry.get("regime", {}), entry.get("source", ""), entry.get("default", False))
    start = Start(entry.get("id", ""), params, *told)
    if fault := start.fault():
        raise SpaceError(f"{source}: start {start.id!r}: {fault}")
    return start
