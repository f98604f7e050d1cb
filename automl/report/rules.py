"""What a tree's branches say, in the caller's own columns, categories and units."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.contract import Feature, Tree
from automl.report.text import plain


@dataclass(frozen=True)
class Branch:
    """A condition on one column.

    Attributes:
        subject: the column, or the part of it.
        sign: ``<=`` or ``>`` with `bound`; ``in`` with `levels`; "" for nothing but missing or known.
        missing: do rows without a value go this way?
    """

    subject: str
    sign: str
    bound: str = ""
    levels: tuple[Any, ...] = ()
    missing: bool = False


def branches(tree: Tree, node: int) -> Iterator[tuple[int, Branch]]:
    """(child, condition) of both branches of an inner node, left first."""
    feature, threshold = tree.features[tree.feature[node]], float(tree.threshold[node])
    shown = math.isnan(feature.missing)
    gap_right = bool(tree.strays[node]) if shown else feature.missing > threshold
    for child, right in ((int(tree.left[node]), False), (int(tree.right[node]), True)):
        yield child, _branch(feature, threshold, right, gap_right == right)


def rule_of(branch: Branch, few: int | None = None) -> str:
    """The condition in words; no more than `few` levels are listed, and long ones are cut."""
    if branch.sign == "in":
        shown = ", ".join(repr(level) if few is None else plain(repr(level), 40) for level in branch.levels[:few])
        more = f", … ({len(branch.levels)} levels)" if few is not None and len(branch.levels) > few else ""
        text = f"{branch.subject} in ({shown}{more})" if branch.levels else ""
    else:
        text = f"{branch.subject} {branch.sign} {branch.bound}" if branch.sign else ""
    if not branch.missing:
        return text or f"{branch.subject} is known"
    return f"{text} or missing" if text else f"{branch.subject} is missing"


def _branch(feature: Feature, threshold: float, right: bool, missing: bool) -> Branch:
    subject = f"{feature.part} of {feature.column}" if feature.part else str(feature.column)
    if feature.kind == "gap":
        return Branch(subject, "", missing=right)
    if feature.kind == "number":
        return Branch(subject, ">" if right else "<=", _bound(feature, threshold), missing=missing)
    pairs = zip(feature.levels, feature.values, strict=True)
    levels = tuple(level for level, value in pairs if (value > threshold) == right)
    return Branch(subject, "in", levels=levels, missing=missing)


def _bound(feature: Feature, threshold: float) -> str:
    """The threshold in the column's unit, as short as it can be said."""
    if feature.center == 0.0 and feature.scale == 1.0 and math.isinf(feature.bend):
        single = np.float32(threshold)  # as most are: shorter to say
        return np.format_float_positional(single if single == threshold else threshold, unique=True, trim="-")
    if abs(threshold) < feature.bend:
        threshold /= math.sqrt(1.0 - (threshold / feature.bend) ** 2)
    return f"{feature.center + feature.scale * threshold:.6g}"
