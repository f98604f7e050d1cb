"""Untrusted names and figures as short, safe text for a terminal, a log or a page."""

from __future__ import annotations

import math
import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def plain(value: object, limit: int = 200) -> str:
    """One line that shows control, bidirectional and invisible characters as escapes and is at most `limit` long.

    Names of columns, models and classes come from data files and plugins: printed raw they could move the cursor,
    recolour the screen or read backwards.
    """
    text = str(value)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN:
        return character.encode("unicode_escape", "backslashreplace").decode("ascii")
    return character


def figure(value: float | None, digits: int = 5, signed: bool = False) -> str:
    """A score in that many significant digits; a dash when there is none."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:{'+' if signed else ''}.{digits}g}"
    return text.replace("+0", "0", 1) if text == "+0" else text


def measure(task: str, metric: str, negated: bool | None) -> str:
    """What is learnt and what scores are, in words; `negated` is None where it is not known."""
    direction = ", negated so that higher is better" if negated else ""
    return f"{plain(task, 60)}, scores are {plain(metric, 60)}{direction}"


def duration(seconds: float) -> str:
    """Seconds as a person reads them: ``0.42 s``, ``37 s``, ``2:05 min``, ``1:02:05 h``; ``–`` when unbounded."""
    if not math.isfinite(seconds):
        return "–"
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds else "0 s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d} h"


def bar(value: float, largest: float, width: int = 10) -> str:
    """A bar of at most `width` characters, `value` against `largest`, in steps of an eighth of a character."""
    if not (value > 0 and largest > 0 and math.isfinite(value) and math.isfinite(largest)):
        return ""
    eighths = round(8 * width * min(1.0, value / largest))
    whole, part = divmod(eighths, 8)
    return "█" * whole + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[part]
