"""What binary and multiclass share: a list of classes, learnt from the rows a task may learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.contract import (
    AnyArray,
    Column,
    DataError,
    Finding,
    FloatArray,
    FoldPlan,
    IntArray,
    Predictions,
    Problem,
    Request,
    Table,
)

from .rowwise import RowTask, check_weight, feature_names, target_of, weights_of

MAX_CLASSES = 1000


class ClassTask(RowTask):
    """Row-wise tasks whose prediction is a probability for each of K classes.

    Facts: ``classes`` (K original labels, sorted), ``origin`` (their dtype), ``shares`` ((K,) float64 of the weight).
    """

    produces = "class_proba"

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        column = target_of(table, roles)
        check_weight(roles, table)
        labels = distinct(column, rows)
        self.check_classes(labels, column)
        facts: dict[str, Any] = {"classes": labels, "origin": column.origin}
        problem = Problem(self.name, self.produces, dict(roles), feature_names(table, roles), len(labels), facts)
        codes = self.codes(problem, column.take(rows))
        counts = np.bincount(codes, minlength=len(labels))
        _refuse_lone(labels, counts, column)
        shares = np.bincount(codes, weights_of(problem, table, rows), minlength=len(labels))
        facts["shares"] = shares / shares.sum()
        return Problem(**{**vars(problem), "facts": facts, "findings": tuple(_rare(labels, counts, column))})

    def check_classes(self, labels: Sequence[Any], column: Column) -> None:
        """Raise DataError when these labels are no target of this task."""
        if len(labels) < 2:
            raise DataError(
                "target-one-class",
                f"the target has one class: {labels!r}",
                repr(column.label),
                "At least two classes are needed to learn a difference.",
            )
        if len(labels) > MAX_CLASSES:
            raise DataError(
                "target-many-classes",
                f"the target has {len(labels)} classes, more than {MAX_CLASSES}",
                repr(column.label),
                'Group rare labels, or use task="regression" if they are numbers.',
            )

    def codes(self, problem: Problem, column: Column) -> AnyArray:
        return label_codes(column, problem.facts["classes"])

    def strata(self, problem: Problem, column: Column, plan: FoldPlan) -> IntArray:
        return np.asarray(self.codes(problem, column), dtype=np.int64)

    def decide(self, problem: Problem, values: FloatArray) -> IntArray:
        """(u,) codes of the classes decided for."""
        return np.asarray(values.argmax(axis=1), dtype=np.int64)

    def decode(self, problem: Problem, y: AnyArray, values: FloatArray) -> tuple[Any, Any]:
        labels = label_array(problem)
        return labels[y], labels[self.decide(problem, values)]

    def answer(self, problem: Problem, predictions: Predictions, request: Request) -> Any:
        return label_array(problem)[self.decide(problem, predictions.as_array())]

    def answer_proba(self, problem: Problem, predictions: Predictions, request: Request) -> tuple[Any, Sequence[Any]]:
        return predictions.as_array(), label_array(problem).tolist()

    def check(self, problem: Problem, predictions: Predictions, request: Request) -> None:
        values = predictions.as_array()
        if values.shape != (len(request), problem.n_outputs) or not np.allclose(values.sum(axis=1), 1.0, atol=1e-6):
            raise ValueError(f"probabilities of shape {values.shape} must sum to 1 over {problem.n_outputs} classes")


def _refuse_lone(labels: Sequence[Any], counts: IntArray, column: Column) -> None:
    """Raise DataError unless two classes have two rows: what is learnt from some rows is judged on others.

    Rare classes beside two such are fine.
    """
    several = np.flatnonzero(counts > 1)
    if len(several) >= 2:
        return
    rows = int(counts.sum())
    what = f"every class has one row: {len(labels)} classes in {rows} rows"
    if len(several):
        name, count = labels[several[0]], counts[several[0]]
        what = f"of {len(labels)} classes only {name!r} has more than one row, {count} of {rows}"
    raise DataError(
        "target-lone-classes",
        what,
        f"target {column.label!r}",
        "Models learn from some rows of a class and are judged on others: give two rows or more of at least two "
        "classes, or another target if this one is a name, a text or a number.",
    )


def distinct(column: Column, rows: IntArray) -> list[Any]:
    """The labels that occur in these rows, sorted, as Python values of their original type."""
    values = column.values[rows]
    if column.kind == "category":
        return [column.levels[code] for code in np.unique(values[values >= 0])]
    found = np.unique(values[~np.isnan(values)])
    if column.origin.startswith(("int", "uint", "Int", "UInt")):
        return [int(value) for value in found]
    return [float(value) for value in found]


def label_codes(column: Column, classes: Sequence[Any]) -> IntArray:
    """(n,) positions of the column's values in `classes`. Raises DataError for a label that is not among them."""
    if column.kind == "category":
        position = {_key(label): code for code, label in enumerate(classes)}
        lookup = np.array([position.get(_key(level), -1) for level in column.levels] + [-1], dtype=np.int64)
        codes = lookup[column.values]
    else:
        known = np.asarray(classes, dtype=np.float64) if _numeric(classes) else np.empty(0)
        codes = np.searchsorted(known, column.values)
        if len(known):
            codes = np.where(known[np.minimum(codes, len(known) - 1)] == column.values, codes, -1)
        else:
            codes = np.full(len(column), -1)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        value = column.values[row] if column.kind != "category" else (*column.levels, None)[column.values[row]]
        what = "the label is missing or was not there at fit" if value is None else repr(_key(value))
        raise DataError(
            "label-unknown",
            f"{what}: none of the classes {list(classes)[:10]}",
            f"{column.label!r}, row {row}",
            "Leave such rows out, or fit again with them.",
        )
    return np.asarray(codes, dtype=np.int64)


def label_array(problem: Problem) -> AnyArray:
    """(K,) the classes as an array of their original dtype."""
    classes, origin = problem.facts["classes"], problem.facts["origin"]
    if origin in ("bool", "boolean"):
        return np.array(classes, dtype=bool)
    if _numeric(classes):
        dtype = np.dtype(origin.lower()) if origin.lower() in np.sctypeDict else None
        return np.array(classes, dtype=dtype)
    if all(isinstance(label, str) for label in classes):
        return np.array(classes, dtype=object)
    out = np.empty(len(classes), dtype=object)
    out[:] = classes
    return out


def _key(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def _numeric(classes: Sequence[Any]) -> bool:
    return all(isinstance(label, int | float) for label in classes)


def _rare(labels: Sequence[Any], counts: IntArray, column: Column) -> list[Finding]:
    """Classes with too few rows to be validated everywhere."""
    rare = [label for label, count in zip(labels, counts, strict=True) if count < 8]
    if not rare:
        return []
    what = f"{len(rare)} classes have fewer than 8 rows: {rare[:5]}"
    return [Finding("class-rare", what, repr(column.label), "kept; some folds cannot judge them")]
