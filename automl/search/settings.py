"""What one search may spend and how it behaves: the public options, resolved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from automl.contract import OptionError, Plugin, TaskPlugin


@dataclass(frozen=True)
class Preset:
    """A named quality level.

    Attributes:
        max_folds: upper bound of folds.
        row_ms: milliseconds that a one-row prediction of the ensemble may take; met by measurement when there is a
            time limit.
        starts: start points tried per family before its search.
    """

    max_folds: int = 8
    row_ms: float = 30.0
    starts: int = 8


PRESETS = {
    "fast": Preset(max_folds=3, row_ms=5.0, starts=3),
    "balanced": Preset(),
    "best": Preset(row_ms=300.0),
}


@dataclass(frozen=True)
class Settings:
    """The resolved options of a run.

    Attributes:
        deadline: monotonic second to be done by; infinite when `n_trials` decides.
        seconds: the whole time limit, or infinite.
        n_trials: candidates beside the baselines, or None.
        slots: jobs at once.
        gpus: GPUs that may be used.
        memory: bytes one trial may occupy; 0 for no cap.
        seed: of everything random.
        preset: see `Preset`.
        models: names to try, or None for all; baselines always run unless `models` names none of them.
    """

    deadline: float = math.inf
    seconds: float = math.inf
    n_trials: int | None = None
    slots: int = 1
    gpus: float = 0.0
    memory: int = 0
    seed: int = 0
    preset: Preset = PRESETS["balanced"]
    models: Sequence[str] | None = None
    offline: bool = False
    allow_noncommercial: bool = True

    @property
    def clocked(self) -> bool:
        """May decisions depend on the clock?"""
        return math.isfinite(self.deadline)

    def forbids(self, plugin: type[Plugin] | type[TaskPlugin]) -> str:
        """Why a plugin may not take part, or ""."""
        if self.offline and plugin.needs_network:
            return "needs the network, and offline=True"
        if not self.allow_noncommercial and plugin.noncommercial:
            return f"its licence ({plugin.license or 'not stated'}) is non-commercial, and allow_noncommercial=False"
        return ""


def preset_named(name: str) -> Preset:
    """The preset of this name. Raises OptionError."""
    if name not in PRESETS:
        raise OptionError(f"preset={name!r} is unknown; choose one of {sorted(PRESETS)}")
    return PRESETS[name]
