"""A small workbench for plugins: tables by hand, fits through the registry, no engine."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contract import (
    AnyArray,
    Batch,
    Column,
    EncoderPlugin,
    Facts,
    FitContext,
    FitInfo,
    FloatArray,
    ModelPlugin,
    Request,
    SearchSpace,
    Table,
)
from automl.discovery.reference import PluginRef
from automl.discovery.registry import Registry
from automl.discovery.spaces import space_of
from automl.execution.views import View

LEVELS = tuple("abcdef")
MATRIX_CHAIN = ("one-hot", "target-mean", "scaled-numeric", "datetime-parts", "tf-idf-svd")
COLUMNS_CHAIN = ("datetime-parts", "tf-idf-svd")


@dataclass(frozen=True)
class Data:
    """A table with a coded target."""

    table: Table
    y: AnyArray
    kind: str
    n_outputs: int

    def rows(self, rows: AnyArray) -> Data:
        return replace(self, table=self.table.take(rows), y=self.y[rows])


@dataclass(frozen=True)
class Fitted:
    """A fitted model, its view and what fit reported."""

    model: ModelPlugin
    view: View
    info: FitInfo | None

    def predict(self, table: Table, model: ModelPlugin | None = None) -> FloatArray:
        request = Request(np.arange(len(table)), self.view.transform(table))
        return np.asarray((model or self.model).predict(request))


class Workbench:
    """What the tests of this folder do again and again."""

    def __init__(self) -> None:
        self.registry = Registry.installed(plugins=[])

    def model(self, name: str) -> type[ModelPlugin]:
        cls: type[ModelPlugin] = self.registry.models.load(name)
        if cls.extra:
            pytest.importorskip(cls.requires[0], reason=f"extra {cls.extra!r} is not installed")
        return cls

    def encoder(self, name: str) -> type[EncoderPlugin]:
        return self.registry.encoders.load(name)

    def space(self, name: str) -> SearchSpace:
        return space_of(self.model(name), "tabular")

    def context(self, data: Data, seconds: float = math.inf, seed: int = 0) -> FitContext:
        kinds: dict[str, int] = {}
        for column in data.table:
            kinds[column.kind] = kinds.get(column.kind, 0) + 1
        task = "regression" if data.kind == "real" else "binary" if data.n_outputs == 2 else "multiclass"
        width = len(data.table.columns)
        facts = Facts(task, data.kind, len(data.table), width, kinds.get("category", 0), data.n_outputs, kinds)
        return FitContext(facts, seed, 1, "cpu", time.monotonic() + seconds)

    def fit(
        self,
        name: str,
        train: Data,
        valid: Data | None = None,
        params: Mapping[str, Any] | None = None,
        seconds: float = math.inf,
        weight: FloatArray | None = None,
        aim: str = "mean",
    ) -> Fitted:
        """Fit with the default point of the model's space, made cheap, through its own view."""
        cls, ctx = self.model(name), replace(self.context(train, seconds), aim=aim)
        settings = self.space(name).point(ctx.facts.task, {**CHEAP.get(name, {}), **(params or {})})
        names = cls.encoders or (MATRIX_CHAIN if cls.view == "matrix" else COLUMNS_CHAIN)
        view, X = View.fit(cls, [self.encoder(n) for n in names], train.table, train.y, ctx)
        held = None if valid is None else Batch(view.transform(valid.table), valid.y)
        model = cls(**settings)
        info = model.fit(Batch(_frozen(X), _frozen(train.y), weight), held, ctx)
        return Fitted(model, view, info)

    def reloaded(self, model: ModelPlugin, folder: Path) -> ModelPlugin:
        model.save(folder)
        return PluginRef.of(type(model)).load().load(folder)  # type: ignore[no-any-return]


CHEAP: Mapping[str, Mapping[str, Any]] = {
    "real-mlp": {"epochs": 30, "width": 64},
    "tab-m": {"epochs": 30, "width": 64},
    "random-forest": {"n_estimators": 30},
    "extra-trees": {"n_estimators": 30},
    "lightgbm": {"n_estimators": 200},
    "xgboost": {"n_estimators": 200},
    "catboost": {"n_estimators": 200},
}


def _frozen(X: Any) -> Any:
    """As the engine may hand it over: arrays that cannot be written to."""
    if isinstance(X, np.ndarray):
        X = X.view()
        X.flags.writeable = False
    return X


def make_data(kind: str, n_outputs: int = 1, n: int = 240, seed: int = 0) -> Data:
    """Three numbers (one with gaps), two categories (one with gaps), a date and a text; the target hangs on most."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.standard_normal((3, n))
    low, high = rng.integers(-1, len(LEVELS), n).astype(np.int32), rng.integers(0, 40, n).astype(np.int32)
    day = 1.6e9 + 86_400.0 * rng.integers(0, 700, n)
    words = np.array(["good", "fine", "plain", "poor", "awful"])
    mood = rng.integers(0, 5, n)
    text = np.array([f"a {words[m]} thing indeed" for m in mood], dtype=object)
    signal = 3 * a - 2 * b + 0.8 * (low == 2) - 0.8 * (low == 4) + 0.1 * (high % 5) - 0.4 * mood + 0.3 * c
    b = np.where(rng.random(n) < 0.1, np.nan, b)
    columns = (
        Column("f0", "a", "numeric", a),
        Column("f1", "b", "numeric", b),
        Column("f2", "low", "category", low, LEVELS),
        Column("f3", "high", "category", high, tuple(range(40))),
        Column("f4", "day", "datetime", np.where(rng.random(n) < 0.05, np.nan, day)),
        Column("f5", "text", "text", text),
        Column("f6", "c", "numeric", c * 1e6),
    )
    y: AnyArray = 1e3 * signal + 5e3
    if kind == "class_proba":
        y = np.searchsorted(np.quantile(signal, np.linspace(0, 1, n_outputs + 1)[1:-1]), signal).astype(np.int64)
    return Data(Table(columns, n), y, kind, n_outputs)


def cells(X: AnyArray, y: AnyArray, kind: str, n_outputs: int) -> Data:
    """A numeric matrix as data."""
    columns = tuple(Column(f"f{i}", i, "numeric", values.astype(np.float64)) for i, values in enumerate(X.T))
    return Data(Table(columns, len(X)), y, kind, n_outputs)


@pytest.fixture(scope="session")
def bench() -> Workbench:
    """The workbench."""
    return Workbench()


@pytest.fixture(scope="session")
def problems() -> Mapping[str, Data]:
    """Two classes, three classes, and real values over columns of every kind."""
    return {"two": make_data("class_proba", 2), "three": make_data("class_proba", 3), "real": make_data("real")}


@pytest.fixture(scope="session")
def make() -> Any:
    """`make_data`."""
    return make_data


@pytest.fixture(scope="session")
def as_data() -> Any:
    """`cells`."""
    return cells


def halves(n: int) -> Sequence[AnyArray]:
    """Two thirds and one third of n rows."""
    return np.arange(0, 2 * n // 3), np.arange(2 * n // 3, n)
