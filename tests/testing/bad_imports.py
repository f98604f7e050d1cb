"""Plugins in a module that imports a heavy library at its top, which no plugin may."""

from __future__ import annotations

import importlib
from typing import Any

from automl.contract import EncoderPlugin, FitContext, ModelPlugin, Request, Table, TaskPlugin

sklearn = importlib.import_module("sklearn")


class HeavyModel(ModelPlugin):
    name = "heavy"
    produces = "class_proba"

    def fit(self, train: Any, valid: Any, ctx: FitContext) -> None:
        """Never called."""

    def predict(self, request: Request) -> Any:
        """Never called."""


class HeavyEncoder(EncoderPlugin):
    name = "heavy"

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        """Never called."""

    def transform(self, columns: Table) -> Any:
        """Never called."""


class HeavyTask(TaskPlugin):
    name = "heavy"

    def load(self, table: Any, roles: Any, rows: Any) -> Any:
        """Never called, like all below."""

    def folds(self, problem: Any, table: Any, plan: Any) -> Any:
        """Never called."""

    def batch(self, problem: Any, table: Any, rows: Any, view: str) -> Any:
        """Never called."""

    def request(self, problem: Any, table: Any, rows: Any = None, known: Any = None, view: str = "") -> Any:
        """Never called."""

    def truth(self, problem: Any, table: Any, rows: Any) -> Any:
        """Never called."""

    def metrics(self, problem: Any) -> Any:
        """Never called."""

    def answer(self, problem: Any, predictions: Any, request: Any) -> Any:
        """Never called."""

    def examples(self) -> Any:
        """Never called."""
