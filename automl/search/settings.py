"""What one search may spend and how it behaves: the public options, resolved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from automl.contract import CombineContext, OptionError, Plugin, TaskPlugin

DEFAULT_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A quality level; without arguments, the default one. What differs is given by keyword.

    Attributes:
        max_folds: upper bound of folds.
        folds: this many, whatever the size of the data and the cost of the models; None chooses.
        row_ms: milliseconds that a one-row prediction of the ensemble may take where nothing else is asked for; as
            measured, when there is a time limit.
        starts: start points tried per family before its search.
        racing: give up a candidate that is hopeless on its first folds.
        blocks: try feature blocks.
        ensemble: combine models; False keeps the best one alone.
        members: about how many models may be combined, if they are fast enough together.
        greedy: combine by greedy selection, never by weights for the smooth loss.
        stack: try a second layer over the ensemble's answer.
        calibrate: calibrate the ensemble's answer where that helps.
        refit: answer with models fitted again on all rows, not with the mean of the folds' models; None does so where
            there are few folds, which leave out a tenth of the rows or more, and 180 seconds or more.
        readable: only models that `AutoML.describe` can put in words.
        threads: of one fit; that many fewer run at a time.
    """

    max_folds: int = 8
    folds: int | None = None
    row_ms: float = 4.0
    starts: int = 8
    racing: bool = True
    blocks: bool = True
    ensemble: bool = True
    members: int = CombineContext.most
    greedy: bool = False
    stack: bool = True
    calibrate: bool = True
    refit: bool | None = None
    readable: bool = False
    threads: int = 1


PRESETS = {
    "fast": Preset(max_folds=3, row_ms=2.0, starts=3),
    "balanced": Preset(),
    "best": Preset(row_ms=300.0, members=16),
    "interpretable": Preset(blocks=False, ensemble=False, refit=True, readable=True),
}


@dataclass(frozen=True)
class Settings:
    """The resolved options of a run.

    Attributes:
        deadline: monotonic second to be done by; infinite when `n_trials` alone decides.
        seconds: the whole time limit, or infinite.
        n_trials: candidates beside the baselines, or None.
        slots: jobs at once.
        gpus: GPUs that may be used.
        memory: bytes one trial may occupy; 0 for no cap.
        seed: of everything random.
        preset: see `Preset`.
        models: names to try, or None for all; baselines always run unless `models` names none of them.
        max_latency_ms: that one row may take, or None for what the preset says.
        max_size_mb: megabytes of the saved model, or None.
        slowness: how many times longer work takes here than models declare.
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
    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    slowness: float = 1.0

    @property
    def measures(self) -> bool:
        """Is the time that predictions take of interest?"""
        return self.clocked or self.max_latency_ms is not None

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


def resolved(preset: str | Preset) -> Preset:
    """The preset of this name, or the one given. Raises OptionError."""
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise OptionError(f"preset={preset!r} is unknown; choose one of {sorted(PRESETS)}, or give an automl.Preset")
    return PRESETS[preset]
