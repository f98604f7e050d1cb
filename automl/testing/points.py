"""Random points of a search space, drawn without the search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from automl.contract import Choice, Float, Int, Params, SearchSpace


class Draw:
    """Random points of one space after another, with every option of a choice once before one comes again."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._queues: dict[str, list[Any]] = {}
        self._fresh: set[str] = set()

    @property
    def left(self) -> bool:
        """Is there an option, of a choice that was active, which no point had yet?"""
        return any(self._queues[name] for name in self._fresh)

    def point(self, space: SearchSpace, task: str) -> Params:
        """The default point with every knob that exists set at random."""
        point = space.point(task)
        for name, knob in space.knobs.items():
            if space.active(name, point):
                point[name] = self._option(name, knob) if isinstance(knob, Choice) else _draw(knob, self.rng)
        return point

    def _option(self, name: str, knob: Choice) -> Any:
        if not self._queues.get(name):
            (self._fresh.discard if name in self._queues else self._fresh.add)(name)
            self._queues[name] = [knob.options[i] for i in self.rng.permutation(len(knob.options))]
        return self._queues[name].pop()


def _draw(knob: Float | Int, rng: np.random.Generator) -> Any:
    low, high = (math.log(knob.low), math.log(knob.high)) if knob.log else (knob.low, knob.high)
    value = float(rng.uniform(low, high))
    value = math.exp(value) if knob.log else value
    if knob.step and not knob.log:
        value = knob.low + round((value - knob.low) / knob.step) * knob.step
    value = min(max(value, knob.low), knob.high)
    return round(value) if isinstance(knob, Int) else float(value)
