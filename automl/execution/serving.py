"""Fitted models that answer together: what they share is read once, prepared once and computed in one call.

symbol    meaning
M, u, K   models asked together; units; outputs
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.contract import (
    ADDITIVE,
    ArrayPredictions,
    FloatArray,
    ModelPlugin,
    Predictions,
    Problem,
    Request,
    Table,
    TaskPlugin,
)
from automl.execution.checks import checked
from automl.execution.fitted import FittedModel
from automl.execution.limits import available_cpus
from automl.execution.views import View

_LEAST_UNITS, _CELLS = 1024, 1 << 22


@dataclass(frozen=True)
class _Group:
    """Models of one class that see the same X.

    Attributes:
        view: None when the task fills their view.
        ask: what gives the predictions of all of them.
        spans: (member, start, stop): which of them are a member's fold models.
    """

    model: type[ModelPlugin]
    view: View | None
    ask: Callable[[Request], Any]
    spans: tuple[tuple[int, int, int], ...]


class Serving:
    """Members with their fold models, ready to be asked for all members' predictions.

    Args:
        members: fold models of each member; a member answers with their mean, or with its only one.
        task, problem: what they were fitted for.
        threads: that may work on large requests; None for all cores that the process may use.
    """

    def __init__(
        self, members: Sequence[Sequence[FittedModel]], task: TaskPlugin, problem: Problem, threads: int | None = None
    ) -> None:
        self.task, self.problem = task, problem
        self.threads = available_cpus() if threads is None else threads
        self.sizes = [len(folds) for folds in members]
        self.groups = [] if problem.kind not in ADDITIVE else self._grouped(members)
        self.single = [folds[0] for folds in members] if problem.kind not in ADDITIVE else []

    def _grouped(self, members: Sequence[Sequence[FittedModel]]) -> list[_Group]:
        found: dict[tuple[type[ModelPlugin], int], list[tuple[int, FittedModel]]] = {}
        for position, folds in enumerate(members):
            for fitted in folds:
                found.setdefault((type(fitted.model), id(fitted.view)), []).append((position, fitted))
        groups = []
        for (model, _), entries in found.items():
            owners = [position for position, _ in entries]
            starts = [i for i, owner in enumerate(owners) if i == 0 or owners[i - 1] != owner]
            spans = tuple((owners[a], a, b) for a, b in zip(starts, [*starts[1:], len(owners)], strict=True))
            ask = model.together([fitted.model for _, fitted in entries], self.threads)
            groups.append(_Group(model, entries[0][1].view, ask, spans))
        return groups

    def answers(self, table: Table) -> tuple[list[Predictions], Request]:
        """The predictions of every member for all rows of a new table, and the request they answer.

        Raises PluginError when a model gives what is no prediction.
        """
        if self.single:
            asked = [fitted.request(self.task, self.problem, table) for fitted in self.single]
            found = [f.answer(self.problem, request) for f, request in zip(self.single, asked, strict=True)]
            return found, asked[-1]
        shown = _Shown(self.task, self.problem, table)
        totals: list[Any] = [0.0] * len(self.sizes)
        for group in self.groups:
            request = shown.request(group.model, group.view)
            for member, values in self._sums(group, request):
                totals[member] = totals[member] + values
        kind = self.problem.kind
        return [ArrayPredictions(kind, t / n) for t, n in zip(totals, self.sizes, strict=True)], request

    def _sums(self, group: _Group, request: Request) -> list[tuple[int, FloatArray]]:
        """(member, (u, K) sum over its fold models in the group), some units at a time when there are very many."""
        block = max(_LEAST_UNITS, _CELLS // (group.spans[-1][2] * self.problem.n_outputs))
        if len(request) <= block or group.view is None:
            values = self._checked(group.ask(request), len(request), group)
            return [(member, values[start:stop].sum(axis=0)) for member, start, stop in group.spans]
        units = np.arange(len(request))
        parts = [self._sums(group, request.take(units[a : a + block])) for a in range(0, len(units), block)]
        found = zip(*parts, strict=True)
        return [(of_member[0][0], np.concatenate([values for _, values in of_member])) for of_member in found]

    def _checked(self, answers: Any, n_units: int, group: _Group) -> FloatArray:
        """(M, u, K) predictions."""
        kind, outputs, name = self.problem.kind, self.problem.n_outputs, group.model.name
        models = group.spans[-1][2]
        if isinstance(answers, np.ndarray) and answers.shape[:2] == (models, n_units):
            flat = answers.reshape(models * n_units, *answers.shape[2:])
            return checked(flat, kind, models * n_units, outputs, name).as_array().reshape(models, n_units, outputs)
        return np.stack([checked(answer, kind, n_units, outputs, name).as_array() for answer in answers])


class _Shown:
    """One table in the views of several models, each made when first asked for."""

    def __init__(self, task: TaskPlugin, problem: Problem, table: Table) -> None:
        self.task, self.problem, self.table = task, problem, table
        self.features: Table | None = None
        self._asked: dict[str, Request] = {}
        self._views: dict[int, Request] = {}
        self._blocks: dict[Any, Any] = {}

    def request(self, model: type[ModelPlugin], view: View | None) -> Request:
        """The task's request, with X when the view is tabular."""
        if model.view not in self._asked:
            self._asked[model.view] = self.task.request(self.problem, self.table, None, None, model.view)
        request = self._asked[model.view]
        if view is None:
            return request
        if id(view) not in self._views:
            if self.features is None:
                self.features = self.table.select(self.problem.features)
            self._views[id(view)] = replace(request, X=view.transform(self.features, self._blocks))
        return self._views[id(view)]
