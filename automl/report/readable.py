"""A readable model as text and as a table, in the caller's own columns, categories and units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.contract import Formula, Levels, Line, Reading, Steps, Tree
from automl.report.rules import branches, rule_of
from automl.report.text import figure, plain

if TYPE_CHECKING:
    import pandas as pd

_TERMS, _PIECES = 40, 16
_CLASSES = 12
_COLUMNS = ("class", "column", "part", "piece", "level", "above", "up_to", "slope", "center", "bend", "effect")


@dataclass(frozen=True)
class Description:
    """What a fitted model does, in words: `print` it, or look at `to_frame()`.

    Attributes:
        model: its name on the leaderboard.
        reading: its parts.
        target: the caller's name of what is predicted.
        labels: of the classes, by code; empty for numbers.
        note: what a reader must know besides; may be "".
    """

    model: str
    reading: Reading
    target: Any
    labels: tuple[Any, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        lines = _tree_lines(self) if isinstance(self.reading, Tree) else _formula_lines(self, self.reading)
        return "\n".join([f"{plain(self.model)}{': ' if self.note else ''}{self.note}", "", *lines])

    __repr__ = __str__

    def to_frame(self) -> pd.DataFrame:
        """Everything, in full precision. A tree has a row per leaf: its rule, share of the training rows, and answer.

        A formula has a row per piece: ``base``; ``step`` (above < x <= up_to), ``level``, ``other`` level and
        ``missing`` with the effect to be added; and ``line``, which adds slope x d / sqrt(1 + (d / bend)^2) with
        d = x - center. With several classes there is a row per class. Where ``factor`` and ``shift`` are given, the
        answer is factor x exp(sum) - shift, at least ``low`` and at most ``high``.
        """
        import pandas as pd

        rows = list(_leaf_rows(self) if isinstance(self.reading, Tree) else _piece_rows(self, self.reading))
        if isinstance(self.reading, Tree):
            return pd.DataFrame(rows)
        return pd.DataFrame(rows, columns=list(_COLUMNS)).dropna(axis="columns", how="all")

    def answers(self, classes: Sequence[int]) -> list[Any]:
        """Headings of a model's answers: the labels of its classes, or the target's name."""
        return [self.labels[code] for code in classes] if classes else [self.target]


# -- trees -------------------------------------------------------------------------------------------------------------


def _leaf_rows(told: Description) -> Iterator[dict[Any, Any]]:
    tree = told.reading
    assert isinstance(tree, Tree)
    names = told.answers(tree.classes)
    for leaf, conditions in _leaves(tree, 0, ()):
        rule = " and ".join(conditions) or "always"
        yield {
            "rule": rule,
            "share": float(tree.share[leaf]),
            **dict(zip(names, tree.answers[leaf].tolist(), strict=True)),
        }


def _leaves(tree: Tree, node: int, conditions: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(leaf, all conditions on the way to it), from left to right."""
    if tree.feature[node] < 0:
        yield node, conditions
        return
    for child, branch in branches(tree, node):
        yield from _leaves(tree, child, (*conditions, rule_of(branch)))


def _tree_lines(told: Description) -> list[str]:
    tree = told.reading
    assert isinstance(tree, Tree)
    names = [plain(name, 60) for name in told.answers(tree.classes)]
    head = f"{'probabilities' if tree.classes else 'values'} of {plain(told.target, 60)}"
    return [head, *_nodes(tree, 0, "", names)]


def _nodes(tree: Tree, node: int, indent: str, names: Sequence[str]) -> Iterator[str]:
    """A line per branch and per leaf."""
    if tree.feature[node] < 0:
        pairs = sorted(zip(names, tree.answers[node].tolist(), strict=True), key=lambda pair: -pair[1])[:_CLASSES]
        answer = (
            ", ".join(f"{name} {figure(value, 4)}" for name, value in pairs) if tree.classes else figure(pairs[0][1])
        )
        yield f"{indent}{answer}   ({100 * tree.share[node]:.3g} % of the rows)"
        return
    for child, branch in branches(tree, node):
        yield f"{indent}{plain(rule_of(branch, few=8), 600)}:"
        yield from _nodes(tree, child, f"{indent}    ", names)


# -- formulas ----------------------------------------------------------------------------------------------------------


def _piece_rows(told: Description, formula: Formula) -> Iterator[dict[str, Any]]:
    names: list[Any] = list(told.answers(formula.classes)) if formula.link == "softmax" else [None]
    for score, name in enumerate(names):
        yield {"class": name, "piece": "base", "effect": float(formula.base[score])}
        if formula.link == "exponential":
            figures = (formula.factor, formula.shift, *formula.bounds)
            for what, value in zip(("factor", "shift", "low", "high"), figures, strict=True):
                yield {"class": name, "piece": what, "effect": value}
        for term in formula.terms:
            for piece in _pieces(term, score):
                yield {"class": name, "column": term.column, "part": term.part or None, **piece}


def _pieces(term: Line | Steps | Levels, score: int) -> Iterator[dict[str, Any]]:
    """Rows of one term for one score."""
    if isinstance(term, Line):
        line = {"slope": float(term.slope[score]), "center": term.center, "bend": term.bend}
        yield {"piece": "line", **line}
    elif isinstance(term, Steps):
        edges = [-math.inf, *term.edges.tolist(), math.inf]
        for low, high, effect in zip(edges, edges[1:], term.effects[:, score].tolist(), strict=False):
            yield {"piece": "step", "above": low, "up_to": high, "effect": effect}
    else:
        for level, effect in zip(term.levels, term.effects[:, score].tolist(), strict=True):
            yield {"piece": "level", "level": level, "effect": effect}
        yield {"piece": "other", "effect": float(term.other[score])}
    yield {"piece": "missing", "effect": float(term.missing[score])}


def _formula_lines(told: Description, formula: Formula) -> list[str]:
    names = [plain(name, 40) for name in told.answers(formula.classes)]
    target = plain(told.target, 60)
    heads = [] if formula.link != "softmax" else names[:_CLASSES]
    rows: list[tuple[str, list[str]]] = [("", heads)] if heads else []
    rows.append(("", _figures(formula.base)))
    terms = sorted(formula.terms, key=lambda term: -term.size())
    for term in terms[:_TERMS]:
        rows += _term_lines(term)
    subject = f"log-odds of {target} = {names[1]}" if formula.link == "logistic" else target
    subject = f"logarithm of {target}" if formula.link == "exponential" else subject
    subject = f"a score for each class of {target}" if formula.link == "softmax" else subject
    lines = [f"{subject}: the sum of", *_aligned(rows)]
    if len(terms) > _TERMS:
        lines.append(f"  and {len(terms) - _TERMS} smaller terms (all are in to_frame())")
    return [*lines, *_footnotes(formula, names)]


def _footnotes(formula: Formula, names: Sequence[str]) -> Iterator[str]:
    """What the sum means, and the words used."""
    if formula.link == "exponential":
        less = f" - {figure(formula.shift)}" if formula.shift else ""
        low, high = (figure(bound) for bound in formula.bounds)
        yield f"{names[0]} = {figure(formula.factor)} x exp(sum){less}, at least {low} and at most {high}"
    if formula.link == "logistic":
        yield f"probability of {names[1]} = 1 / (1 + exp(-sum)); of {names[0]} the rest"
    if formula.link == "softmax":
        yield "probability of a class = exp(its sum) / total of exp(sum) over the classes"
    if any(isinstance(term, Line) and math.isfinite(term.bend) for term in formula.terms):
        yield "bend(d, w) = d / sqrt(1 + (d / w)^2): about d where d is small, and never beyond w"


def _term_lines(term: Line | Steps | Levels) -> Iterator[tuple[str, list[str]]]:
    name = plain(f"{term.part} of {term.column}" if term.part else term.column, 60)
    if isinstance(term, Line):
        distance = f"({name} - {figure(term.center)})" if term.center else name
        if math.isfinite(term.bend):
            distance = f"bend({distance.strip('()') if term.center else name}, {figure(term.bend, 4)})"
        yield f"{distance} times", _figures(term.slope)
        if term.missing.any():
            yield f"{name} is missing", _figures(term.missing)
        return
    yield name, []
    if isinstance(term, Steps):
        yield from _step_lines(term)
    else:
        yield from _level_lines(term)
    if term.missing.any() or isinstance(term, Steps):
        yield "  missing", _figures(term.missing)


def _step_lines(term: Steps) -> Iterator[tuple[str, list[str]]]:
    edges = [f"{edge:.9g}" for edge in term.edges.tolist()]
    for piece, effect in enumerate(term.effects):
        low, high = edges[piece - 1] if piece else "", edges[piece] if piece < len(edges) else ""
        text = f"above {low}" if low else ""
        text += f"{', ' if low and high else ''}up to {high}" if high else ""
        yield f"  {text or 'any'}", _figures(effect)


def _level_lines(term: Levels) -> Iterator[tuple[str, list[str]]]:
    order = np.argsort(-np.abs(term.effects).max(axis=1), kind="stable")
    for place in sorted(order[:_PIECES].tolist()):
        yield f"  {plain(repr(term.levels[place]), 60)}", _figures(term.effects[place])
    if len(order) > _PIECES:
        yield f"  and {len(order) - _PIECES} levels of smaller effect (all are in to_frame())", []
    if term.other.any():
        yield "  any other level", _figures(term.other)


def _figures(values: Any) -> list[str]:
    return [figure(value, 4, signed=True) for value in values.tolist()[:_CLASSES]]


def _aligned(rows: Sequence[tuple[str, list[str]]]) -> Iterator[str]:
    """Names on the left, one right-aligned column of figures for each score."""
    wide = max(len(name) for name, figures in rows if figures)
    columns = max(len(figures) for _, figures in rows)
    widths = [max(len(figures[i]) for _, figures in rows if len(figures) > i) for i in range(columns)]
    for name, figures in rows:
        cells = "".join(f"  {cell:>{width}}" for cell, width in zip(figures, widths, strict=False))
        yield f"  {name:<{wide}}{cells}".rstrip()
