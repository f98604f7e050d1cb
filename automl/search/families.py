"""Which models take part: the ones that fit the task, are allowed, and whose libraries are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from automl.contract import (
    Column,
    EncoderPlugin,
    Facts,
    ModelPlugin,
    OptionError,
    Plugin,
    PluginError,
    Resources,
    SearchSpace,
    TaskPlugin,
)
from automl.discovery import PluginRef, Registry, missing_requirement, space_of
from automl.search.settings import Settings

_USUAL_SECONDS = 60.0
_LATE, _WORTH_SAYING = "its turn did not come within the time or the trials there were", 5.0
TABULAR_VIEWS = ("matrix", "columns")


class _Unestimated(ModelPlugin):
    """For what the contract says of a model that estimates nothing itself."""


@dataclass(frozen=True)
class Family:
    """A model that takes part, with all that jobs need to know of it.

    `encoders` is the chain of its view; `blocks` are feature blocks that may be added to it, by name, best first.
    """

    name: str
    model: type[ModelPlugin]
    reference: PluginRef
    space: SearchSpace
    points: tuple[Mapping[str, Any], ...]
    encoders: tuple[str, ...]
    encoder_references: tuple[PluginRef, ...]
    resources: Resources
    blocks: Mapping[str, PluginRef] = field(default_factory=dict)

    def references(self, encoders: Sequence[str]) -> tuple[PluginRef, ...]:
        """Where the encoders of this chain come from: the family's own and its feature blocks."""
        own = dict(zip(self.encoders, self.encoder_references, strict=True))
        return tuple(own.get(name) or self.blocks[name] for name in encoders)

    @property
    def label(self) -> str:
        """The family shown on the leaderboard."""
        return self.model.family or self.name

    def cost(self, facts: Facts, params: Mapping[str, Any]) -> float:
        """Declared seconds of one fit; the usual guess when the model's own fails, since it is but a hint."""
        try:
            seconds = float(self.model.estimate(facts, params).seconds)
        except Exception:
            seconds = _Unestimated.estimate(facts, params).seconds
        return max(1e-3, seconds)

    def fitting(self, facts: Facts, room: int) -> Family:
        """The family with the start points whose declared memory is within `room` bytes; 0 is no limit.

        Raises PluginError when none is.
        """
        needs = [self.memory(facts, params) for params in self.points]
        points = tuple(p for p, need in zip(self.points, needs, strict=True) if not room or need <= room)
        if not points:
            least = f"one fit needs about {_gib(min(needs))} of memory for {facts.n_rows:,} rows"
            raise PluginError(f"{least}, a trial may take {_gib(room)}: raise memory_limit or lower n_jobs")
        return replace(self, points=points)

    def memory(self, facts: Facts, params: Mapping[str, Any]) -> int:
        """Declared bytes of one fit; 0 when the model's own guess fails, since it is but a hint."""
        try:
            return int(self.model.estimate(facts, params).memory)
        except Exception:
            return 0


@dataclass(frozen=True)
class Skipped:
    """A model that does not take part, and why."""

    name: str
    reason: str


@dataclass
class Field:
    """All who take part, and who does not. `named`: the models the user asked for; empty for all."""

    families: list[Family] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    named: tuple[str, ...] = ()

    def baselines(self) -> list[Family]:
        """The ones that run first."""
        return [family for family in self.families if family.model.baseline]

    def contenders(self) -> list[Family]:
        """The ones that have to beat them."""
        return [family for family in self.families if not family.model.baseline]

    def absent(self, begun: Collection[str], facts: Facts) -> list[Skipped]:
        """Who did not take part: who cannot, and who is not among the `begun` models, as their turn did not come."""
        late = [family for family in self.families if family.name not in begun]
        return [*self.skipped, *(Skipped(f.name, _LATE + _dear(f.cost(facts, f.points[0]))) for f in late)]

    def searched(self) -> list[Family]:
        """The contenders, and the baselines that the user let in and that have something to tune."""
        tunable = [f for f in self.baselines() if f.space.knobs and (not self.named or f.name in self.named)]
        return self.contenders() + tunable


def _dear(seconds: float) -> str:
    """What one fit is thought to take, where that may be why."""
    return f"; by its own estimate one fit takes {seconds:,.0f} s" if seconds >= _WORTH_SAYING else ""


def gather(
    registry: Registry, task: TaskPlugin, facts: Facts, settings: Settings, columns: Sequence[Column] = ()
) -> Field:
    """Every model of the task's kind, sorted into those that can run and those that cannot.

    columns: the features, to which blocks may add.

    Raises OptionError when `settings.models` names something unknown, PluginError when nothing can run.
    """
    _check_names(registry, settings.models)
    found = Field(named=tuple(settings.models or ()))
    classes = registry.models.load_all()
    encoders = registry.encoders.load_all()
    refused = {name: reason for name, encoder in encoders.items() if (reason := _refusal(encoder, settings))}
    adding, found.skipped = _adding({name: e for name, e in encoders.items() if name not in refused}, columns)
    for name, reason in sorted(registry.models.unavailable.items()):
        if settings.models is None or name in settings.models:
            found.skipped.append(Skipped(name, reason))
    for name, model in sorted(classes.items()):
        if not _chosen(model, settings):
            continue
        unsuited = _unsuited(model, task) or _unreadable(model, settings)
        if unsuited and name not in found.named:
            continue  # models of other tasks are no news unless they were asked for
        reason = unsuited or _refusal(model, settings)
        if reason:
            found.skipped.append(Skipped(name, reason))
            continue
        try:
            family = _family(registry, model, task, facts, settings, encoders, refused)
            references = {name: registry.encoders.reference(name) for name in blocks_for(model, adding)}
            found.families.append(replace(family, blocks=references))
        except PluginError as error:
            found.skipped.append(Skipped(name, str(error)))
        except Exception as error:  # a stranger's space, resources or class: it is left out, the others run
            found.skipped.append(Skipped(name, f"it cannot be prepared: {type(error).__name__}: {error}"))
    if not found.families:
        reasons = "; ".join(f"{s.name}: {s.reason}" for s in found.skipped) or "none is installed for it"
        raise PluginError(f"no model can run for task {task.name!r} ({task.produces}): {reasons}")
    found.families.sort(key=lambda family: (family.cost(facts, family.points[0]), family.name))
    return found


def _check_names(registry: Registry, names: Sequence[str] | None) -> None:
    if isinstance(names, str):
        raise OptionError(f"models must be a list of names, not the string {names!r}")
    for name in names or ():
        if name not in registry.models.names():
            raise OptionError(f"models names {name!r}, which is not installed; known are {registry.models.names()}")


def _gib(size: int) -> str:
    return f"{size / 2**30:.2g} GiB"


def _unsuited(model: type[ModelPlugin], task: TaskPlugin) -> str:
    """Why a model is none for this task, or ""."""
    if task.produces not in model.kinds_produced():
        return f"it produces {', '.join(model.kinds_produced())}; task {task.name!r} wants {task.produces}"
    if model.view not in task.views:
        return f"it wants the view {model.view!r}; task {task.name!r} offers {', '.join(task.views)}"
    return ""


def _unreadable(model: type[ModelPlugin], settings: Settings) -> str:
    """Why a model is none for this preset, or ""."""
    if settings.preset.readable and not model.readable:
        return "it cannot be read, and the preset takes readable models only"
    return ""


def _chosen(model: type[ModelPlugin], settings: Settings) -> bool:
    """Named by the user; baselines also run when only contenders are named, so that there is something to beat."""
    if settings.models is None:
        return settings.preset.readable or not model.on_request
    return model.name in settings.models or model.baseline


def _refusal(plugin: type[Plugin], settings: Settings) -> str:
    """Why a model or encoder may not take part, or ""."""
    return settings.forbids(plugin) or missing_requirement(plugin)


def _family(
    registry: Registry,
    model: type[ModelPlugin],
    task: TaskPlugin,
    facts: Facts,
    settings: Settings,
    encoders: Mapping[str, type[EncoderPlugin]],
    refused: Mapping[str, str],
) -> Family:
    known = {"seconds": settings.seconds if settings.clocked else _USUAL_SECONDS, **facts.learnt}
    space = space_of(model, task.family).suited(task.name, facts.n_rows, known)
    points = tuple(space.portfolio(task.name, facts.n_rows, known)[: max(1, settings.preset.starts)])
    allowed = {name: encoder for name, encoder in encoders.items() if name not in refused}
    chain = chain_of(model, allowed) if model.view in TABULAR_VIEWS else ()
    for name in chain:
        if name not in allowed:
            reason = refused.get(name) or registry.encoders.unavailable.get(name, "there is none of that name")
            raise PluginError(f"its encoder {name!r} is not available: {reason}")
    references = tuple(registry.encoders.reference(name) for name in chain)
    wanted = model.resources(facts, points[0])
    threads = settings.preset.threads
    wanted = [replace(r, cpus=max(r.cpus, threads)) for r in wanted]
    offered = next((r for r in wanted if r.gpus <= settings.gpus and r.cpus <= max(1, settings.slots * threads)), None)
    if offered is None:
        raise PluginError(f"needs {wanted[0]}, and there are {settings.slots} slots and {settings.gpus:g} GPUs")
    reference = registry.models.reference(model.name)
    family = Family(model.name, model, reference, space, points, chain, references, offered)
    return family.fitting(facts, settings.memory)


def chain_of(model: type[ModelPlugin], encoders: Mapping[str, type[EncoderPlugin]]) -> tuple[str, ...]:
    """Encoder names for a model: its own choice, else the defaults of its view by priority."""
    if model.encoders:
        return tuple(model.encoders)
    defaults = [e for e in encoders.values() if model.view in e.default_for]
    return tuple(e.name for e in sorted(defaults, key=lambda e: (-e.priority, e.name)))


def blocks_for(model: type[ModelPlugin], adding: Sequence[type[EncoderPlugin]]) -> tuple[str, ...]:
    """Names of the feature blocks, of those that could add to the columns, that may be tried with this model.

    None for readable models: what a block computes of several columns cannot be put in words of one.
    """
    return () if model.readable else tuple(encoder.name for encoder in adding if model.view in encoder.adds_to)


def _adding(
    encoders: Mapping[str, type[EncoderPlugin]], columns: Sequence[Column]
) -> tuple[list[type[EncoderPlugin]], list[Skipped]]:
    """The feature blocks that could add to these columns, best first; and those that cannot tell."""
    able, broken = [], []
    for name, encoder in sorted(encoders.items()):
        try:
            if encoder.adds_to and encoder.can_add(columns, encoder().params):
                able.append(encoder)
        except Exception as error:  # a stranger's block costs no model
            why = f"this feature block is left out: {type(error).__name__} in can_add: {error}"
            broken.append(Skipped(name, why))
    return sorted(able, key=lambda encoder: (-encoder.priority, encoder.name)), broken
