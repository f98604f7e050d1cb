"""Whose turn is it? Time goes to families that are good and have had little of it.

symbol    meaning
g         how far the family's best score lies behind the best of all, at least 0
s         three standard errors of the best score, over folds
c         what the family has been given so far plus what its next trial will cost (seconds, or trials)

The next turn goes to the largest exp(-g / s) / sqrt(c). Families that are equally good thus get equal shares, and one
that lies three standard errors behind gets about a seventh.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One family's state. `best`: its best score or NaN; `spent` and `next_cost` in the same unit."""

    name: str
    best: float
    spent: float
    next_cost: float


def choose(claims: Sequence[Claim], spread: float) -> str | None:
    """The name of the family whose turn it is; None when there are no claims.

    Args:
        spread: standard error of the best score; when unknown, all families count as equally good.
    """
    if not claims:
        return None
    known = [claim.best for claim in claims if not math.isnan(claim.best)]
    top = max(known, default=0.0)
    scale = 3.0 * spread if spread > 0 and math.isfinite(spread) else math.inf

    def worth(claim: Claim) -> float:
        gap = 0.0 if math.isnan(claim.best) else max(0.0, top - claim.best)
        merit = -min(gap / scale, 50.0) if math.isfinite(scale) else 0.0
        return merit - 0.5 * math.log(max(claim.spent + claim.next_cost, 1e-9))

    return max(claims, key=lambda claim: (worth(claim), claim.name)).name
