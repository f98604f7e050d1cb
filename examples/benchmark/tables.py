"""Figures and Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Sequence


def figure(value: float, digits: int) -> str:
    """So many significant digits, without an exponent; a dash for NaN."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}g}"
    return text if "e" not in text else f"{value:.0f}"


def probability(p: float) -> str:
    """A p value."""
    return "–" if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a sentence where there are no lines."""
    if not lines:
        return "No rows yet."
    rule = ["---"] * len(heads)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, rule, *lines])
