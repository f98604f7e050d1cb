"""Fitted models in words: what a readable model says of itself, in terms of the caller's own columns.

symbol    meaning
S         scores of a formula: one for a number or two classes, else one per class
L, B      levels of a category; steps of a step function
N, K      nodes of a tree; values of an answer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from automl.contract.arrays import AnyArray, FloatArray
from automl.contract.table import Column


@dataclass(frozen=True)
class Feature:
    """One column of a model's X, as a function of one column of the caller's table.

    kind      value
    number    z / sqrt(1 + (z / bend)^2) with z = (x - center) / scale
    levels    the entry of `values` beside x in `levels`, and `other` for every other level
    gap       1 where x is missing, else 0

    Attributes:
        column: the caller's name.
        part: what of the column is looked at, such as ``"month"``; "" for its value itself.
        missing: value where x is missing; NaN when the model is shown the gap.
    """

    column: Any
    kind: Literal["number", "levels", "gap"] = "number"
    part: str = ""
    center: float = 0.0
    scale: float = 1.0
    bend: float = np.inf
    levels: tuple[Any, ...] = ()
    values: tuple[float, ...] = ()
    other: float = 0.0
    missing: float = np.nan

    def of(self, column: Column) -> FloatArray:
        """(n,) its value for each row of a column of the table. Of a part of a column it cannot tell: NaN."""
        gaps = column.missing()
        if self.kind == "gap":
            return np.asarray(gaps, dtype=np.float64)
        out = np.full(len(column), np.nan)
        if self.kind == "number" and not self.part and column.kind == "numeric":
            z = (np.asarray(column.values, dtype=np.float64) - self.center) / self.scale
            out = z / np.sqrt(1.0 + np.square(z / self.bend))
        if self.kind == "levels":
            known = {(type(level), level): value for level, value in zip(self.levels, self.values, strict=True)}
            of_code = [known.get((type(level), level), self.other) for level in column.levels]
            out = np.array([*of_code, self.other])[np.clip(column.values, -1, len(column.levels))]
        return np.where(gaps, self.missing, out)


@dataclass(frozen=True)
class Line:
    """A number's effect: ``slope x d / sqrt(1 + (d / bend)^2)`` with ``d = x - center``; an infinite bend is straight.

    slope and missing: (S,); center, bend and spread in the unit of the column, `spread` being a usual deviation.
    """

    column: Any
    part: str
    slope: FloatArray
    center: float
    bend: float
    spread: float
    missing: FloatArray

    def size(self) -> float:
        """The effect of a usual deviation."""
        return float(np.abs(self.slope).max() * self.spread)

    def idle(self) -> bool:
        """Has it no effect at all?"""
        return not (self.slope.any() or self.missing.any())


@dataclass(frozen=True)
class Steps:
    """A number's effect, constant between edges: piece i holds for ``edges[i - 1] < x <= edges[i]``.

    edges: (B - 1,) rising; effects: (B, S); missing: (S,); share: (B,) of the training rows.
    """

    column: Any
    part: str
    edges: FloatArray
    effects: FloatArray
    missing: FloatArray
    share: FloatArray

    def size(self) -> float:
        """Mean absolute effect over the training rows."""
        return float((np.abs(self.effects).max(axis=1) * self.share).sum())


@dataclass(frozen=True)
class Levels:
    """A category's effect.

    effects: (L, S) for `levels`; other, for any other level, and missing: (S,); share: (L,) of the rows, or None.
    """

    column: Any
    part: str
    levels: tuple[Any, ...]
    effects: FloatArray
    other: FloatArray
    missing: FloatArray
    share: FloatArray | None = None

    def size(self) -> float:
        """Mean absolute effect over the training rows, or over the levels."""
        largest = np.abs(self.effects).max(axis=1, initial=0.0)
        if self.share is not None:
            return float((largest * self.share).sum())
        return float(largest.mean()) if len(largest) else float(np.abs(self.missing).max())

    def idle(self) -> bool:
        """Has it no effect at all?"""
        return not (self.effects.any() or self.other.any() or self.missing.any())


Term = Line | Steps | Levels


@dataclass(frozen=True)
class Formula:
    """A sum of one term per column, and what becomes of it.

    Attributes:
        base: (S,) what is added to.
        link: ``identity``: the sum is the answer. ``exponential``: ``factor x exp(sum) - shift`` is, within `bounds`.
            ``logistic``: the sum is the log-odds of the second of `classes` against the first. ``softmax``: the
            exponentials of the S sums are in proportion to the probabilities of `classes`.
        classes: class codes; empty for numbers.
    """

    base: FloatArray
    terms: tuple[Term, ...]
    link: Literal["identity", "exponential", "logistic", "softmax"] = "identity"
    classes: tuple[int, ...] = ()
    factor: float = 1.0
    shift: float = 0.0
    bounds: tuple[float, float] = (-np.inf, np.inf)

    @classmethod
    def linear(
        cls,
        features: Sequence[Feature],
        coef: AnyArray,
        base: AnyArray,
        link: Literal["identity", "exponential", "logistic", "softmax"] = "identity",
        classes: Sequence[int] = (),
    ) -> Formula:
        """The formula of a linear model: coef (S, d) over d features, base (S,), in the caller's columns and units."""
        groups: dict[tuple[type[Any], Any, str], list[int]] = {}
        for position, feature in enumerate(features):
            groups.setdefault((type(feature.column), feature.column, feature.part), []).append(position)
        terms: list[Line | Levels] = []
        for positions in groups.values():
            numbers = [p for p in positions if features[p].kind == "number"]
            rest = [p for p in positions if features[p].kind != "number"]
            known = [p for p in rest if features[p].kind == "levels"]
            if known or not numbers:
                terms.append(_levels_term([features[p] for p in rest], coef[:, rest]))
            gaps = _gap_effect(features, coef, [] if known else rest)
            terms += [_line_term(features[p], coef[:, p], gaps if i == 0 else 0.0) for i, p in enumerate(numbers)]
        return cls(np.asarray(base, dtype=np.float64), tuple(t for t in terms if not t.idle()), link, tuple(classes))


def _gap_effect(features: Sequence[Feature], coef: AnyArray, positions: Sequence[int]) -> Any:
    return coef[:, [p for p in positions if features[p].kind == "gap"]].sum(axis=1)


def _line_term(feature: Feature, coef: FloatArray, gap: Any) -> Line:
    """A scaled number's coefficient, per unit of the caller's."""
    missing = coef * (0.0 if np.isnan(feature.missing) else feature.missing) + gap
    bend = feature.bend * feature.scale
    return Line(feature.column, feature.part, coef / feature.scale, feature.center, bend, feature.scale, missing)


def _levels_term(features: Sequence[Feature], coef: FloatArray) -> Levels:
    """All features that one category became, put together level by level."""
    every = [level for feature in features for level in feature.levels]
    place = {key: position for position, key in enumerate(dict.fromkeys((type(level), level) for level in every))}
    effects = np.zeros((len(place), len(coef)))
    other, missing = np.zeros(len(coef)), np.zeros(len(coef))
    for position, feature in enumerate(features):
        column = coef[:, position]
        if feature.kind == "gap":
            missing += column
            continue
        values = np.full(len(place), feature.other)
        values[[place[type(level), level] for level in feature.levels]] = feature.values
        effects += np.outer(values, column)
        other += feature.other * column
        missing += (0.0 if np.isnan(feature.missing) else feature.missing) * column
    levels = tuple(level for _, level in place)
    return Levels(features[0].column, features[0].part, levels, effects, other, missing)


@dataclass(frozen=True)
class Tree:
    """A decision tree: a row starts at node 0 and goes right where its feature is above the threshold.

    Attributes:
        features: what the nodes ask about.
        feature: (N,) position in `features`; -1 in leaves.
        threshold: (N,) in the feature's own value.
        left, right: (N,) children; -1 in leaves.
        strays: (N,) does a gap that the model is shown go right?
        answers: (N, K) probabilities of `classes`, or the (N, 1) number, of leaves; other rows mean nothing.
        share: (N,) of the training rows.
        classes: class codes; empty for numbers.
    """

    features: tuple[Feature, ...]
    feature: AnyArray
    threshold: AnyArray
    left: AnyArray
    right: AnyArray
    strays: AnyArray
    answers: FloatArray
    share: FloatArray
    classes: tuple[int, ...] = field(default=())

    @classmethod
    def leaf(cls, answer: AnyArray, classes: Sequence[int] = ()) -> Tree:
        """The tree that says the same of every row: (K,) probabilities, or one number."""
        none, one = np.full(1, -1), np.ones(1)
        answers = np.asarray(answer, dtype=np.float64)[None]
        return cls((), none, np.zeros(1), none, none, np.zeros(1, dtype=bool), answers, one, tuple(classes))


Reading = Formula | Tree
