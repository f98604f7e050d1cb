"""Models that answer together answer as they would alone, from what was prepared once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from automl.plugins.tabular.regression import Regression

from automl.contract import (
    Column,
    EncoderPlugin,
    Facts,
    FitContext,
    ModelPlugin,
    PluginError,
    Problem,
    Request,
    Table,
    read_state,
    write_state,
)
from automl.execution import serving
from automl.execution.fitted import FittedModel
from automl.execution.serving import Serving
from automl.execution.views import View

CTX = FitContext(Facts("t", "real", 4, 3, 1, 1))
PROBLEM = Problem("regression", "real", {"target": "y"}, ("f0", "f1"), 1)


class Centred(EncoderPlugin):
    """Numbers less their mean; counts its calls."""

    name, kinds, default_for, calls = "centred", ("numeric",), ("matrix",), 0
    center: Any

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        self.center = np.nanmean(columns.floats, axis=0)
        return self.transform(columns)

    def transform(self, columns: Table) -> Any:
        type(self).calls += 1
        return (columns.floats - self.center).astype(np.float32)


class Times(ModelPlugin):
    """The sum of a row times a factor; several are asked in one call, which counts."""

    name, produces, view, calls = "times", "real", "matrix", 0

    def fit(self, train: Any, valid: Any, ctx: FitContext) -> None:
        return None

    def predict(self, request: Request) -> Any:
        return self.params["factor"] * request.X.sum(axis=1).astype(np.float64)

    @classmethod
    def together(cls, models: Sequence[Self], threads: int = 1) -> Callable[[Request], Any]:
        def predict(request: Request) -> Any:
            cls.calls += 1
            return np.stack([model.predict(request) for model in models])

        return predict


class Alone(Times):
    """The same without anything shared."""

    name = "alone"
    together = ModelPlugin.together


def table(n: int, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    columns = [Column(f"f{i}", f"c{i}", "numeric", rng.normal(size=n)) for i in range(2)]
    return Table(tuple(columns), n)


def view(seed: int) -> View:
    return View.fit(Times, (Centred,), table(20, seed), None, CTX)[0]


def alone(members: Sequence[Sequence[FittedModel]], rows: Table) -> list[Any]:
    return [
        np.mean([fitted.predict(Regression(), PROBLEM, rows).as_array() for fitted in folds], axis=0)
        for folds in members
    ]


@pytest.fixture
def members() -> list[list[FittedModel]]:
    """Two members on the same two folds, and one that has a model of another class on the first."""
    first, second = view(0), view(1)
    return [
        [FittedModel(Times(factor=1.0), first), FittedModel(Times(factor=2.0), second)],
        [FittedModel(Times(factor=-1.0), first), FittedModel(Times(factor=3.0), second)],
        [FittedModel(Alone(factor=5.0), first)],
    ]


def test_members_answer_with_the_mean_of_their_folds(members: Any) -> None:
    rows = table(7, 5)
    answers, request = Serving(members, Regression(), PROBLEM).answers(rows)
    assert len(request) == 7
    for answer, wanted in zip(answers, alone(members, rows), strict=True):
        np.testing.assert_allclose(answer.as_array(), wanted, rtol=1e-12)


def test_what_is_shared_is_made_once(members: Any) -> None:
    service = Serving(members, Regression(), PROBLEM)
    Centred.calls = Times.calls = 0
    service.answers(table(7, 5))
    assert (Centred.calls, Times.calls) == (2, 2)


def test_very_many_rows_are_asked_in_parts(members: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table(100, 5)
    monkeypatch.setattr(serving, "_LEAST_UNITS", 16)
    monkeypatch.setattr(serving, "_CELLS", 1)
    answers, _ = Serving(members, Regression(), PROBLEM).answers(rows)
    for answer, wanted in zip(answers, alone(members, rows), strict=True):
        np.testing.assert_allclose(answer.as_array(), wanted, rtol=1e-12)


def test_what_is_no_prediction_is_an_error_that_names_the_model(members: Any) -> None:
    members[0][0].model.params["factor"] = np.nan
    with pytest.raises(PluginError, match=r"'times' returned 7 values that are not finite"):
        Serving(members, Regression(), PROBLEM).answers(table(7, 5))


def test_equal_views_and_encoders_become_one_when_they_are_read(tmp_path: Path) -> None:
    same, other = view(0), view(1)
    for name, one in {"a": same, "b": view(0), "c": other}.items():
        one.save(tmp_path / name)
    known: dict[Any, Any] = {}
    a, b, c = (View.load(tmp_path / name, {"centred": Centred}, known) for name in "abc")
    assert a is b
    assert a is not c
    state = read_state(tmp_path / "a" / "view")
    write_state(tmp_path / "a" / "view", {**state, "fill": np.ones(2, dtype=np.float32)})
    again = View.load(tmp_path / "a", {"centred": Centred}, known)
    assert again is not a
    assert again.parts[0].encoder is a.parts[0].encoder
