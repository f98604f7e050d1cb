"""Which task is it, and by what metric is it judged?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from automl.contract import (
    AutoMLError,
    DataError,
    Metric,
    OptionError,
    PluginError,
    Problem,
    Table,
    TaskPlugin,
    with_metric,
)
from automl.discovery import Registry, missing_requirement
from automl.search.settings import Settings

_COMMON_ROLES = ("target", "weight", "groups", "time")


def task_settings(
    registry: Registry, wanted: str, roles: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The user's roles as (columns, settings): settings are what some task takes although it is no column."""
    given = dict(roles or {})
    if not given:
        return {}, {}
    names = [wanted] if wanted != "auto" else registry.tasks.names()
    known = {key for task in registry.tasks.load_all(names).values() for key in task.settings}
    return {k: v for k, v in given.items() if k not in known}, {k: v for k, v in given.items() if k in known}


def choose_task(
    registry: Registry,
    wanted: str,
    table: Table,
    roles: Mapping[str, Any],
    kinds: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> TaskPlugin:
    """The task named, or the one that claims the data most surely.

    Args:
        kinds: prediction kinds to choose from; None for all.
        settings: tasks that its policy forbids are left out, and refused when named; None forbids none.

    Raises OptionError or PluginError for a name that cannot be had, DataError when no task claims the data.
    """
    if wanted != "auto":
        return _named(registry, wanted, settings)
    claims = []
    for name, plugin in registry.tasks.load_all().items():
        if (kinds is None or plugin.produces in kinds) and not _refusal(plugin, settings):
            try:
                task = plugin()
                claims.append((float(task.claims(table, roles)), name, task))
            except Exception as error:  # a stranger's task that fails here has no claim; the others are asked
                registry.tasks.unavailable[name] = f"it cannot tell whether the data is its business: {error!r}"
    claims.sort(key=lambda claim: (-claim[0], claim[1]))
    if not claims or claims[0][0] <= 0:
        names = registry.tasks.names()
        if "target" not in roles:
            raise DataError(
                "target-none",
                'task="auto" needs a target to tell what is wanted',
                fix=f'Pass target="column", or name a task that needs none; installed are {names}.',
            )
        column = table[roles["target"]]
        raise DataError(
            "task-none",
            f"Unknown label type: no installed task can predict this target ({column.kind} values)",
            repr(column.label),
            f"Check the column, or name a task by task=; installed are {names}.",
        )
    chosen: TaskPlugin = claims[0][2]
    return chosen


def _refusal(plugin: type[TaskPlugin], settings: Settings | None) -> str:
    """Why a task may not be used, or ""."""
    return (settings.forbids(plugin) if settings else "") or missing_requirement(plugin)


def _named(registry: Registry, wanted: str, settings: Settings | None = None) -> TaskPlugin:
    if wanted not in registry.tasks.names():
        raise OptionError(f"task={wanted!r} is not installed; known are {registry.tasks.names()}")
    plugin = registry.tasks.load(wanted)
    if reason := _refusal(plugin, settings):
        raise PluginError(f"task {wanted!r} cannot be used: {reason}")
    task: TaskPlugin = plugin()
    return task


def define(
    task: TaskPlugin,
    table: Table,
    roles: Mapping[str, Any],
    settings: Mapping[str, Any],
    metric: str | Callable[..., float],
) -> tuple[Problem, Metric]:
    """The problem and its metric. Raises DataError or OptionError before any training."""
    known = {*_COMMON_ROLES, *task.roles, *task.settings}
    unknown = sorted(({*roles, *settings}) - known)
    if unknown:
        raise OptionError(f"task {task.name!r} has no role {unknown[0]!r}; it knows {sorted(known)}")
    try:
        problem = task.load(table, {**roles, **settings}, np.arange(len(table), dtype=np.int64))
    except AutoMLError:
        raise
    except Exception as error:
        raise PluginError(f"task {task.name!r} failed while reading the data: {error!r}") from error
    chosen = task.metric(problem, metric)
    return with_metric(problem, chosen), chosen
