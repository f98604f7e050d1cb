"""Checks that models and encoders share: what a class must be before it is ever fitted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from automl.contract import Plugin
from automl.discovery.registry import Group
from automl.testing.checks import require
from automl.testing.compare import code_in

ALWAYS_HEAVY = ("torch", "ray", "optuna", "sklearn")


def require_installed_under_its_name(plugin: type[Any], group: Group) -> None:
    """The name is there, and an installed plugin of that name is this very class."""
    require(plugin.name, f"{plugin.__qualname__} has no name")
    require(plugin.name == plugin.name.strip().lower(), f"the name {plugin.name!r} is not lower case without spaces")
    if plugin.name in group.listed:
        target = group.listed[plugin.name].target
        mine = plugin.__module__.partition(".")[0] == target.partition(":")[0].partition(".")[0]
        if mine:
            require(group.load(plugin.name) is plugin, f"the name {plugin.name!r} belongs to {target}, another class")


def require_light_import(plugin: type[Any]) -> None:
    """Importing the plugin's module in a new interpreter brings none of its libraries."""
    module = sys.modules.get(plugin.__module__)
    if plugin.__module__ == "__main__" or module is None or not getattr(module, "__file__", None):
        return
    heavy = {*(name.partition(".")[0] for name in plugin.requires), *ALWAYS_HEAVY} - {"numpy"}
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; import {plugin.__module__}; "
        f"print(*sorted(set(sys.modules) & {heavy!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    require(done.returncode == 0, f"importing {plugin.__module__} fails: {done.stderr.strip()[-300:]}")
    loaded = sorted(heavy.intersection(done.stdout.splitlines()[-1].split()))  # the plugin may print too
    require(not loaded, f"importing {plugin.__module__} imports {loaded}; import them inside fit, predict or transform")


def require_constructor_only_stores(plugin: type[Plugin]) -> None:
    """``plugin(**params)`` has the default point updated by `params`, and nothing else."""
    default = dict(plugin.space.default) if plugin.space else {}
    made = plugin()
    require(set(vars(made)) == {"params"}, f"the constructor also sets {sorted(set(vars(made)) - {'params'})}")
    require(made.params == default, f"the constructor turns the default {default} into {made.params}")
    for name, value in default.items():
        given = plugin(**{name: value}).params[name]
        require(given is value or given == value, f"the constructor turns {name} = {value!r} into {given!r}")
    require(made.params is not (plugin.space and plugin.space.default), "instances share one params dict")


def require_trusted_types_of_its_own(plugin: type[Plugin]) -> None:
    """What its artifacts may contain comes from its own package or the libraries it declares."""
    own = {plugin.__module__.partition(".")[0], *(name.partition(".")[0] for name in plugin.requires)}
    for name in plugin.trusted_types:
        require("." in name, f"trusted type {name!r} is no full name")
        require(
            name.partition(".")[0] in own,
            f"trusted type {name!r} comes from neither the plugin's package nor its requires {plugin.requires}",
        )


def require_declarations(plugin: type[Plugin], wanted: dict[str, type | tuple[type, ...]]) -> None:
    """Class attributes are of the types the contract says; a single name is no tuple of names."""
    for name, kind in {**_SHARED, **wanted}.items():
        value = getattr(plugin, name)
        require(isinstance(value, kind), f"{name} is {value!r}, not {kind}")
        if isinstance(value, tuple):
            require(all(isinstance(inner, str) for inner in value), f"{name} is {value!r}; it must hold names")


_SHARED: dict[str, type | tuple[type, ...]] = {
    "requires": tuple,
    "trusted_types": tuple,
    "extra": str,
    "license": str,
    "noncommercial": bool,
    "needs_network": bool,
    "deterministic": bool,
}


def require_no_code(folder: Path, name: str) -> None:
    """No file below the folder holds a pickle."""
    guilty = code_in(folder)
    require(not guilty, f"{name!r} saves code: {guilty} hold pickles; keep arrays and JSON, or a library's own format")
