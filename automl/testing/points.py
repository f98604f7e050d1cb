"""Random points of a search space, drawn without the search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from automl.contract import Choice, Int, Knob, Params, SearchSpace


def random_point(space: SearchSpace, task: str, rng: np.random.Generator) -> Params:
    """The default point with every knob that exists set at random."""
    point = space.point(task)
    for name, knob in space.knobs.items():
        if space.active(name, point):
            point[name] = _draw(knob, rng)
    return point


def _draw(knob: Knob, rng: np.random.Generator) -> Any:
    if isinstance(knob, Choice):
        return knob.options[int(rng.integers(len(knob.options)))]
    low, high = (math.log(knob.low), math.log(knob.high)) if knob.log else (knob.low, knob.high)
    value = float(rng.uniform(low, high))
    value = math.exp(value) if knob.log else value
    if knob.step and not knob.log:
        value = knob.low + round((value - knob.low) / knob.step) * knob.step
    value = min(max(value, knob.low), knob.high)
    return round(value) if isinstance(knob, Int) else float(value)
