"""A fitted model with the view it learnt through: what is saved, loaded and asked for predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from automl.contract import (
    EncoderPlugin,
    IntArray,
    ModelPlugin,
    Predictions,
    Problem,
    Request,
    Table,
    TaskPlugin,
)
from automl.execution.checks import checked
from automl.execution.views import TABULAR, View

NOWHERE: Mapping[str, Path] = MappingProxyType({})


@dataclass
class FittedModel:
    """A model plugin after `fit`, and its view; `view` is None when the task fills the model's view itself."""

    model: ModelPlugin
    view: View | None

    def request(
        self,
        task: TaskPlugin,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
    ) -> Request:
        """The task's request with X in the model's view; `rows` None means all rows of a new table."""
        request = task.request(problem, table, rows, known, self.model.view)
        if self.view is None:
            return request
        features = table.select(problem.features)
        return replace(request, X=self.view.transform(features if rows is None else features.take(rows)))

    def answer(self, problem: Problem, request: Request) -> Predictions:
        """The model's checked predictions for a request made by `request`. Raises PluginError."""
        raw = self.model.predict(request)
        return checked(raw, problem.kind, len(request), problem.n_outputs, self.model.name)

    def predict(
        self,
        task: TaskPlugin,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
    ) -> Predictions:
        """Predictions for some rows of a table, or for all rows of a new one."""
        return self.answer(problem, self.request(task, problem, table, rows, known))

    def save(self, folder: Path) -> None:
        """Write model and view to a folder, without code."""
        self.model.save(folder / "model")
        if self.view is not None:
            self.view.save(folder / "view")

    @classmethod
    def load(
        cls,
        folder: Path,
        model: type[ModelPlugin],
        encoders: Mapping[str, type[EncoderPlugin]],
        known: dict[Any, Any] | None = None,
        elsewhere: Mapping[str, Path] = NOWHERE,
    ) -> FittedModel:
        """Read what `save` wrote. Raises ArtifactError.

        known: keeps what views share, see `View.load`.
        elsewhere: places of sub-folders that do not lie in `folder`.
        """
        place = elsewhere.get("view", folder / "view")
        view = View.load(place, encoders, known) if model.view in TABULAR else None
        return cls(model.load(elsewhere.get("model", folder / "model")), view)
