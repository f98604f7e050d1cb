"""Which members a latency budget can hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automl.contract import FloatArray, IntArray

SLACK = 1.5


def known_costs(costs: Sequence[float] | None, n_members: int) -> FloatArray:
    """(n_members,) seconds; an unknown cost counts as the highest known one, and as 0 when none is known."""
    if costs is None:
        return np.zeros(n_members)
    out = np.array(costs, dtype=np.float64)
    known = out[np.isfinite(out)]
    return np.where(np.isfinite(out), out, known.max() if len(known) else 0.0)


def affordable(costs: FloatArray, budget: float) -> tuple[IntArray, float]:
    """Positions of the members that fit the budget alone, and the budget.

    When none fits, the budget becomes a little more than the cheapest member costs.
    """
    if float(costs.min()) > budget:
        budget = SLACK * float(costs.min())
    return np.flatnonzero(costs <= budget).astype(np.int64), budget
