"""`automl plugins`: which models, tasks and encoders are installed, and whether they keep their contract."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl.cli.guard import DEBUG, FAILED, complain, guarded
from automl.cli.options import AsJson
from automl.cli.output import doing, emit_json, show
from automl.contract import OptionError, PluginError
from automl.report.text import plain

if TYPE_CHECKING:
    from automl.discovery.registry import Group, Registry

app = typer.Typer(no_args_is_help=True, help="Models, tasks and encoders that are installed.")
Name = Annotated[str, typer.Argument(help="Name of a plugin, as `automl plugins list` shows it.", show_default=False)]


def _groups() -> dict[str, Group]:
    """Kind -> the plugins of that kind."""
    from automl.discovery import Registry

    registry: Registry = Registry.installed()
    return {"model": registry.models, "task": registry.tasks, "encoder": registry.encoders}


def _find(name: str) -> tuple[str, Group]:
    """The kind and group of a plugin. Raises OptionError when nothing has this name."""
    groups = _groups()
    for kind, group in groups.items():
        if name in group.names():
            return kind, group
    from difflib import get_close_matches

    from automl.discovery import strange_groups

    known = sorted({other for group in groups.values() for other in group.names()})
    near = get_close_matches(name, known, 3)
    strange = [told for told in strange_groups() if repr(name) in told]
    hint = strange[0] if strange else f"did you mean {near}?" if near else f"there are {known}"
    raise OptionError(f"no plugin is called {name!r}; {hint}")


@contextmanager
def _aside() -> Iterator[None]:
    """What plugins print goes to stderr: stdout is for what the command says, which a program may read."""
    with redirect_stdout(sys.stderr):
        yield


@app.command("list")
@guarded
def list_plugins(as_json: AsJson = False) -> None:
    """What is installed. Nothing of any plugin is imported for this.

    \b
    automl plugins list
    """
    found, problems = _found()
    if as_json:
        emit_json({"plugins": found, "problems": problems})
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table("kind", "name", "distribution", "version", "where", box=SIMPLE_HEAD, pad_edge=False)
    for entry in found:
        keys = ("kind", "name", "distribution", "version", "target")
        table.add_row(*(Text(plain(entry[key], 100)) for key in keys))
    show(table)
    for problem in problems:
        complain(problem)


def _found() -> tuple[list[dict[str, Any]], list[str]]:
    """Every installed plugin, those that share a name each by itself, and what is wrong with how they are installed."""
    from automl.discovery import strange_groups

    found: list[dict[str, Any]] = []
    problems: list[str] = []
    for kind, group in _groups().items():
        for name in group.names():
            rivals = group.rivals.get(name, [])
            found += [
                {"kind": kind, **asdict(listed), "clash": bool(rivals)} for listed in (group.describe(name), *rivals)
            ]
            problems += [group.unavailable[name]] if rivals else []
    return found, [*problems, *strange_groups()]


@app.command()
@guarded
def info(name: Name, as_json: AsJson = False) -> None:
    """What a plugin is, needs and can be tuned in.

    \b
    automl plugins info my-model
    """
    kind, group = _find(name)
    with _aside():
        facts = _facts(kind, group, name)
    if as_json:
        emit_json(facts)
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            show(f"{key}:")
            for inner, text in value.items():
                show(f"  {plain(inner)}: {plain(text)}")
        elif value not in ("", [], ()):
            show(f"{key}: {plain(', '.join(map(str, value)) if isinstance(value, list | tuple) else value)}")


def _facts(kind: str, group: Group, name: str) -> dict[str, Any]:
    """Everything that a plugin declares; only what its metadata says when it cannot be loaded."""
    from automl.discovery.registry import missing_requirement

    listed = group.describe(name)
    facts: dict[str, Any] = {"name": name, "kind": kind, **asdict(listed)}
    try:
        plugin = group.load(name)
    except PluginError as error:
        return {**facts, "available": False, "reason": str(error)}
    missing = missing_requirement(plugin)
    shape = ("produces", "view", "encoders", "kinds", "default_for", "priority", "uses_target", "baseline")
    declared = (*shape, "requires", "license", "noncommercial", "needs_network")
    facts |= {"about": (plugin.__doc__ or "").strip().partition("\n")[0], "available": not missing, "reason": missing}
    facts |= {key: getattr(plugin, key) for key in declared if hasattr(plugin, key)}
    if kind == "model":
        facts["knobs"] = _knobs(plugin)
    return facts


def _knobs(plugin: Any) -> dict[str, str]:
    """Name -> range and default of what the search may tune."""
    from automl.discovery import Registry
    from automl.discovery.spaces import space_of

    families = {task.family for task in Registry.installed().tasks.load_all().values()}
    spaces = [space_of(plugin, family) for family in sorted(families)]
    space = max(spaces, key=lambda one: len(one.knobs), default=None)
    if space is None:
        return {}
    return {name: f"{knob}, default {space.default[name]!r}" for name, knob in space.knobs.items()}


@app.command()
@guarded
def check(name: Name, as_json: AsJson = False) -> None:
    """Does a plugin keep its contract? Runs the conformance checks that its author's tests should run too.

    What it prints goes to stderr; `automl --debug plugins check …` shows the traceback of what it raised.

    \b
    automl plugins check my-model
    """
    from automl.testing import notes, run_checks

    kind, group = _find(name)
    with _aside(), doing(f"checking {plain(name)}") as watch:
        plugin = group.load(name)
        results = run_checks(kind, plugin, watch)
        told = notes(kind, plugin)
    failures = [asdict(result) for result in results if not result.ok]
    if as_json:
        counts = {"ok": not failures, "checks": len(results)}
        emit_json({"name": name, "kind": kind, **counts, "failures": failures, "notes": told})
    else:
        for failure in failures:
            _show_failure(failure)
        for note in told:
            show(f"note: {plain(note, 400)}")
        verdict = (
            f"{len(failures)} of {len(results)} checks failed"
            if failures
            else f"keeps its contract ({len(results)} checks)"
        )
        show(f"{plain(name)}: {verdict}")
    if failures:
        raise typer.Exit(FAILED)


def _show_failure(failure: dict[str, Any]) -> None:
    """One line with the place in the plugin's code; with --debug what led there too."""
    where = f" ({plain(failure['where'])})" if failure["where"] else ""
    show(f"{plain(failure['check'])}: {plain(failure['message'], 400)}{where}")
    if DEBUG.get():
        for line in failure["trace"].splitlines():
            show(f"    {plain(line, 400)}")
