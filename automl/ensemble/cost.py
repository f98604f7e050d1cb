"""Which members a latency budget can hold."""

from __future__ import annotations

import numpy as np

from automl.contract import FloatArray, IntArray

SLACK = 1.5


def affordable(costs: FloatArray, budget: float) -> tuple[IntArray, float]:
    """Positions of the members that fit the budget alone, and the budget.

    When none fits, the budget becomes a little more than the cheapest member costs.
    """
    if float(costs.min()) > budget:
        budget = SLACK * float(costs.min())
    return np.flatnonzero(costs <= budget).astype(np.int64), budget
