"""Code as users and plugin authors write it: type-checked by `mypy`, never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, assert_type

import numpy as np
import pandas as pd

from automl import AutoML
from automl.contract import Batch, Choice, FitContext, FitInfo, Int, ModelPlugin, Request, SearchSpace, widen
from automl.report import Row, build_leaderboard, leaderboard_text


class Nearest(ModelPlugin):
    """A scikit-learn-style model, as in the README."""

    name = "nearest"
    produces = "class_proba"
    view = "matrix"
    requires = ("sklearn",)
    space: ClassVar[SearchSpace] = SearchSpace(
        knobs={"n_neighbors": Int(1, 15), "weights": Choice(("uniform", "distance"))},
        default={"n_neighbors": 5, "weights": "uniform"},
    )

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        self.n_outputs = ctx.n_outputs
        self.classes = np.unique(train.y if train.y is not None else [])
        return None

    def predict(self, request: Request) -> Any:
        return widen(np.ones((len(request), len(self.classes))), self.classes, self.n_outputs)


def use(frame: pd.DataFrame) -> None:
    model = AutoML(time_limit=60, metric="auto", models=["nearest"], extra_plugins=[Nearest], random_state=0)
    assert_type(model.fit(frame, target="y"), AutoML)
    assert_type(model.score(frame), float)
    assert_type(model.leaderboard(), pd.DataFrame)
    assert_type(model.score_interval(100), tuple[float, float])
    assert_type(AutoML.load(Path("model"), extra_plugins=[Nearest]), AutoML)
    assert_type(leaderboard_text(build_leaderboard([Row("a", score=1.0)])), str)
    model.save("model")
