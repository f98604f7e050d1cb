"""How fast this machine is just now: what a model declares is of one that is idle, and this one may be shared."""

from __future__ import annotations

import time

import numpy as np

USUAL_SECONDS = 0.0048
"""What `_work` takes on an idle core of the machine where folds were found to take `BESIDES` of what is declared."""

BESIDES = 2.5
"""What a fold among others takes, encoding, saving and scoring included, over the declared seconds of its fit. Of the
slowest folds of 28 first trials (eight models, four data sets, none cut by its clock) the geometric mean is 2.9 and the
tenth and ninetieth percentiles are 1.7 and 5.3; this is a little less, as folds are worth more than a rough figure."""

_ROUNDS, _SLOWEST = 5, 4.0
_STEPS, _ROWS = 60_000, 40_000


def slowness() -> float:
    """How many times longer a fold takes here and now than its model declares; takes some hundredths of a second.

    By the wall clock, so that a core shared with others counts as a slow one; the least of some, so that a hiccup does
    not.
    """
    times = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        _work()
        times.append(time.perf_counter() - started)
    return BESIDES * float(np.clip(min(times) / USUAL_SECONDS, 0.5, _SLOWEST))


def _work() -> int:
    """Half of it in Python and half in memory, by one thread."""
    total = 0
    for step in range(_STEPS):
        total += step
    values = np.random.default_rng(0).random(_ROWS)
    order = np.argsort(values)
    return total + int(np.cumsum(values[order])[-1] * np.exp(values).sum())
