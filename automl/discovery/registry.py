"""Which plugins are there: entry points read without importing anything, classes loaded when asked for."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from automl.contract import EncoderPlugin, Finding, ModelPlugin, PluginError, SearchSpace, TaskPlugin
from automl.discovery.reference import PluginRef

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BASES: dict[str, type[Any]] = {
    "automl.models": ModelPlugin,
    "automl.tasks": TaskPlugin,
    "automl.encoders": EncoderPlugin,
}


@dataclass(frozen=True)
class Listed:
    """An installed plugin, as its metadata tells it; nothing of it has been imported."""

    name: str
    target: str
    distribution: str
    version: str


@dataclass
class Group:
    """The plugins of one kind.

    Attributes:
        group: the entry point group.
        listed: name -> where it comes from.
        unavailable: name -> why it cannot be used; filled as plugins are loaded.
        rivals: name -> the others of that name; none of them can be loaded until one is blocked.
    """

    group: str
    listed: dict[str, Listed] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    rivals: dict[str, list[Listed]] = field(default_factory=dict)
    _classes: dict[str, type[Any]] = field(default_factory=dict)
    _by_value: set[str] = field(default_factory=set)

    def names(self) -> list[str]:
        """Names of all plugins that policy allows, sorted; loading some may still fail."""
        return sorted({*self.listed, *self._classes})

    def describe(self, name: str) -> Listed:
        """Where a plugin comes from. Raises PluginError for an unknown name."""
        if name in self.listed:
            return self.listed[name]
        if name in self._classes:
            plugin = self._classes[name]
            return Listed(name, f"{plugin.__module__}:{plugin.__qualname__}", "given by extra_plugins", "")
        raise PluginError(self._unknown(name))

    def load(self, name: str) -> type[Any]:
        """The class. Raises PluginError with the reason when it cannot be used, and remembers it."""
        if name in self._classes:
            return self._classes[name]
        if name in self.unavailable:
            raise PluginError(self.unavailable[name])
        if name not in self.listed:
            raise PluginError(self._unknown(name))
        try:
            self._classes[name] = self._import(self.listed[name])
        except PluginError as error:
            self.unavailable[name] = str(error)
            raise
        return self._classes[name]

    def load_all(self, names: Iterable[str] | None = None) -> dict[str, type[Any]]:
        """Every class that can be loaded; the others are explained in `unavailable`."""
        found = {}
        for name in self.names() if names is None else names:
            try:
                found[name] = self.load(name)
            except PluginError as error:
                self.unavailable.setdefault(name, str(error))
        return found

    def reference(self, name: str) -> PluginRef:
        """How a worker finds the class."""
        return PluginRef.of(self.load(name), by_value=name in self._by_value)

    def add(self, plugin: type[Any], by_value: bool = True) -> None:
        """Take in a class that is not installed. It replaces an installed one of its name."""
        _validate(plugin, self.group, plugin.name)
        self._classes[plugin.name] = plugin
        self.unavailable.pop(plugin.name, None)
        self.rivals.pop(plugin.name, None)
        if by_value:
            self._by_value.add(plugin.name)

    def is_foreign(self, name: str) -> bool:
        """Is it installed, and by another distribution than the engine's own?"""
        if name not in self.listed or name in self._by_value:
            return False
        return _top(self.listed[name]) != __name__.partition(".")[0]

    def _import(self, listed: Listed) -> type[Any]:
        where = f"plugin {listed.name!r} ({listed.target}, from {listed.distribution})"
        try:
            plugin = PluginRef(listed.name, listed.target).load()
        except PluginError as error:
            raise PluginError(f"{where} failed to load: {error.__cause__!r}") from error
        _validate(plugin, self.group, listed.name)
        return plugin

    def _unknown(self, name: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(name, self.names(), 3)
        hint = f"did you mean {near}?" if near else f"known are {self.names()}"
        return f"no plugin {name!r} in group {self.group!r}: {hint}"


@dataclass
class Registry:
    """All plugins that may be used."""

    models: Group
    tasks: Group
    encoders: Group

    @classmethod
    def installed(cls, plugins: Sequence[str] | None = None, extra: Sequence[type[Any]] = ()) -> Registry:
        """Read the entry points of this environment.

        Args:
            plugins: names or distributions to allow; one that begins with ``-`` is blocked instead. None reads the
                comma-separated environment variable ``AUTOML_PLUGINS``, else allows all.
            extra: plugin classes of a notebook or script, sent to workers by value.

        A name that two installed plugins share is in `unavailable`, with what can be done; `refuse_clashes` makes it
        an error. Raises PluginError when a class is no plugin.
        """
        rules = _rules(plugins)
        if isinstance(extra, type):
            raise PluginError(f"extra_plugins must be a list of classes: extra_plugins=[{extra.__name__}]")
        groups = _groups(rules)
        registry = cls(groups["automl.models"], groups["automl.tasks"], groups["automl.encoders"])
        for plugin in extra:
            registry.group_of(plugin).add(plugin)
        return registry

    def refuse_clashes(self) -> None:
        """Raise PluginError when two installed plugins share a name: a search must not leave one out in silence."""
        for group in (self.models, self.tasks, self.encoders):
            for name in group.rivals:
                raise PluginError(group.unavailable[name])

    def findings(self) -> tuple[Finding, ...]:
        """Installed encoders that cannot be used though models would read through them, which no model's row tells."""
        usable = self.encoders.load_all()
        lost = dict(self.encoders.unavailable)
        for name, encoder in usable.items():
            if (encoder.default_for or encoder.adds_to) and (reason := missing_requirement(encoder)):
                lost[name] = reason
        done = "models do without it"
        return tuple(
            Finding("encoder-lost", reason, f"encoder {name!r}", done) for name, reason in sorted(lost.items())
        )

    def origins(self) -> dict[str, list[str]]:
        """``group:name`` -> distribution and version of each installed plugin that is not the engine's own.

        For a saved model, which says where to find what it needs.
        """
        return {
            f"{group.group}:{name}": [listed.distribution, listed.version]
            for group in (self.models, self.tasks, self.encoders)
            for name, listed in sorted(group.listed.items())
            if group.is_foreign(name)
        }

    def strangers(self) -> dict[str, set[str]]:
        """Allowed distributions that are not the engine's own -> top-level modules that their plugins live in."""
        found: dict[str, set[str]] = {}
        for group in (self.models, self.tasks, self.encoders):
            for listed in group.listed.values():
                if _top(listed) != __name__.partition(".")[0]:
                    found.setdefault(listed.distribution, set()).add(_top(listed))
        return found

    def group_of(self, plugin: type[Any]) -> Group:
        """The group a class belongs to, by its base. Raises PluginError."""
        for group in (self.models, self.tasks, self.encoders):
            if isinstance(plugin, type) and issubclass(plugin, BASES[group.group]):
                return group
        bases = [base.__name__ for base in BASES.values()]
        raise PluginError(f"{plugin!r} is no plugin class: derive it from one of {bases} and pass the class itself")


def missing_requirement(plugin: type[Any]) -> str:
    """Why a plugin's libraries are not there, or ""."""
    for module in plugin.requires:
        try:
            found = find_spec(module) is not None
        except (ImportError, ValueError):
            found = False
        if not found:
            extra = getattr(plugin, "extra", "")
            ours = plugin.__module__.partition(".")[0] == "automl"
            remedy = f'pip install "cairn-automl[{extra}]"' if extra and ours else f"install {module}"
            return f"{module} is not installed: {remedy}"
    return ""


def _top(listed: Listed) -> str:
    """The top-level module in which a plugin lives."""
    return listed.target.partition(":")[0].partition(".")[0]


def _rules(plugins: Sequence[str] | None) -> tuple[str, ...]:
    if plugins is None:
        plugins = os.environ.get("AUTOML_PLUGINS", "").split(",")
    if isinstance(plugins, str):
        raise PluginError(f"plugins must be a list of names, not the string {plugins!r}")
    return tuple(rule.strip() for rule in plugins if rule.strip())


def _allowed(listed: Listed, rules: Sequence[str]) -> bool:
    names = {listed.name, listed.distribution}
    blocked = {rule[1:] for rule in rules if rule.startswith("-")}
    wanted = {rule for rule in rules if not rule.startswith("-")}
    return not names & blocked and (not wanted or bool(names & wanted))


def _groups(rules: Sequence[str]) -> dict[str, Group]:
    """Group -> its plugins, as entry points tell them."""
    importlib.invalidate_caches()
    from importlib.metadata import entry_points  # costs 20 ms, which `AutoML()` need not pay

    installed = entry_points()
    known: dict[int, tuple[str, str]] = {}
    return {group: _group(group, installed.select(group=group), rules, known) for group in BASES}


def _group(group: str, points: Iterable[EntryPoint], rules: Sequence[str], known: dict[int, tuple[str, str]]) -> Group:
    found = Group(group)
    for point in points:
        entry = _entry(point, known)
        if not _allowed(entry, rules):
            continue
        first = found.listed.setdefault(entry.name, entry)
        if first.target != entry.target:
            found.rivals.setdefault(entry.name, []).append(entry)
            found.unavailable[entry.name] = (
                f"two plugins are called {entry.name!r} in {group!r}: {first.target} from {first.distribution} and "
                f"{entry.target} from {entry.distribution}; uninstall one, or block one distribution by "
                f'plugins=["-{entry.distribution}"], or anywhere, on the command line too, by '
                f"AUTOML_PLUGINS=-{entry.distribution} in the environment"
            )
    return found


def strange_groups() -> list[str]:
    """Entry points whose group is nearly one of ours: nothing reads those, which is easily overlooked."""
    from difflib import get_close_matches
    from importlib.metadata import entry_points

    installed, found = entry_points(), []
    for group in sorted(installed.groups - BASES.keys()):
        if near := get_close_matches(group, BASES, 1, cutoff=0.8):
            names = sorted(point.name for point in installed.select(group=group))
            found.append(
                f"{names} are in the entry point group {group!r}, which nothing reads; did you mean {near[0]!r}?"
            )
    return found


def _entry(point: EntryPoint, known: dict[int, tuple[str, str]]) -> Listed:
    """What an entry point says; name and version of its distribution, which take long to read, are read once."""
    distribution = point.dist
    if distribution is None:
        return Listed(point.name, point.value, "unknown", "")
    if id(distribution) not in known:
        told = distribution.metadata
        known[id(distribution)] = told["Name"], told["Version"]
    return Listed(point.name, point.value, *known[id(distribution)])


def _validate(plugin: type[Any], group: str, name: str) -> None:
    """Raise PluginError when a class cannot be a plugin of this group under this name."""
    base = BASES[group]
    if not isinstance(plugin, type) or not issubclass(plugin, base):
        raise PluginError(f"{plugin!r} is listed in {group!r} as {name!r} but is no {base.__name__}")
    if not plugin.name:
        raise PluginError(f'plugin {name!r} ({plugin.__qualname__}) has no name; give the class one: name = "my-name"')
    if plugin.name != name:
        raise PluginError(
            f"{plugin.__qualname__}.name is {plugin.name!r}, its entry point says {name!r}; make them equal"
        )
    missing = sorted(getattr(plugin, "__abstractmethods__", ()))
    if missing:
        raise PluginError(f"plugin {name!r} ({plugin.__qualname__}) lacks {missing}")
    if not getattr(plugin, "produces", True):
        raise PluginError(f"plugin {name!r} ({plugin.__qualname__}) does not say what it `produces`")
    space = getattr(plugin, "space", None)
    if space is not None and not isinstance(space, SearchSpace):
        raise PluginError(
            f"plugin {name!r} ({plugin.__qualname__}) has a space of type {type(space).__name__}; write "
            "space = SearchSpace(knobs={...}, default={...})"
        )
