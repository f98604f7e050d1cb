"""Checks on what a fitted model answers: shape and meaning, independence of units, and survival on disk."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import Column, Formula, ModelPlugin, Predictions, Table, Tree
from automl.testing.checks import ContractBroken, require
from automl.testing.plugins import require_no_code
from automl.testing.scene import Scene

TOLERANCE = 1e-6


def require_same(one: Predictions, other: Predictions, what: str) -> None:
    """Both predict the same for the same units."""
    require(len(one) == len(other), f"{what}: {len(one)} predictions became {len(other)}")
    distance = one.distance(other)
    require(distance <= TOLERANCE, f"{what}: predictions differ by {distance:.3g}")


def check_predictions_are_what_the_task_means(scene: Scene) -> None:
    """Kind, shape and finiteness, probabilities that sum to one, and the task's own `check`."""
    request = scene.request()
    predictions = scene.predict(scene.fitted[0], request)
    container = scene.stage.task.container
    require(
        isinstance(predictions, container), f"got {type(predictions).__name__}, the task wants {container.__name__}"
    )


def check_units_are_predicted_independently(scene: Scene) -> None:
    """A unit alone is predicted as in a batch."""
    model, request = scene.fitted[0], scene.request()
    together = scene.predict(model, request)
    for position in range(min(6, len(request))):
        index = np.array([position])
        alone = scene.predict(model, scene.request().take(index))
        require_same(together.take(index), alone, f"unit {position} in a batch of {len(request)} and alone")


def check_the_order_of_units_is_irrelevant(scene: Scene) -> None:
    """A shuffled request is answered with shuffled predictions, and asking twice changes nothing."""
    model, request = scene.fitted[0], scene.request()
    together = scene.predict(model, request)
    order = np.random.default_rng(0).permutation(len(request))
    require_same(together.take(order), scene.predict(model, scene.request().take(order)), "after shuffling the units")
    require_same(together, scene.predict(model, scene.request()), "after asking again")


def check_models_asked_together_answer_as_each_alone(scene: Scene) -> None:
    """`together` gives what `predict` of each model gives, for several units and for one."""
    models = [scene.fitted[0], scene.fit(ctx=scene.context(seed=8))[0]]
    together = scene.model.together(models)
    for request in (scene.request(), scene.request().take(np.arange(1))):
        answers = together(request)
        require(len(answers) == len(models), f"together() gave {len(answers)} answers for {len(models)} models")
        for model, answer in zip(models, answers, strict=True):
            require_same(scene.predict(model, request), scene.checked(answer, request), "asked together and alone")


def check_it_survives_missing_values_and_unseen_categories(scene: Scene) -> None:
    """Rows in which every value is missing or a category never seen are still predicted."""
    rows = scene.stage.table.take(scene.valid)
    holes = Table(tuple(_emptied(c) if c.name in scene.problem.features else c for c in rows), len(rows))
    scene.predict(scene.fitted[0], scene.request(holes))


def _emptied(column: Column) -> Column:
    values: Any = np.full(len(column), np.nan)
    if column.kind == "category":
        values = np.full(len(column), -1, dtype=np.int32)
    elif column.kind in ("text", "image", "object"):
        values = np.full(len(column), None, dtype=object)
    return replace(column, values=values)


def check_it_describes_itself_if_it_says_so(scene: Scene) -> None:
    """`describe` speaks of the features it is given, in finite figures."""
    features = [] if scene.view is None else scene.view.describe(scene.stage.table.select(scene.problem.features))
    reading = scene.fitted[0].describe(features)
    require(isinstance(reading, Formula | Tree), f"describe() gives a {type(reading).__name__}, no Formula and no Tree")
    if isinstance(reading, Tree):
        leaves = reading.feature < 0
        asked = reading.feature[~leaves]
        require((asked < len(features)).all(), f"a node asks about one of {len(features)} features that is not there")
        require(np.isfinite(reading.answers[leaves]).all(), "a leaf has no finite answer")
        return
    columns = {feature.column for feature in features}
    require(all(t.column in columns for t in reading.terms), "a term speaks of a column that no feature comes from")
    require(
        np.isfinite(reading.base).all() and all(np.isfinite(t.size()) for t in reading.terms), "a term is not finite"
    )


def check_it_is_the_same_after_save_and_load(scene: Scene) -> None:
    """What is read back predicts the same and has the same parameters."""
    require_kept(scene, scene.fitted[0])


def require_kept(scene: Scene, model: ModelPlugin) -> None:
    """It predicts, and what is saved and read back has its parameters and predicts the same."""
    before = scene.predict(model)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        model.save(folder)
        back = scene.model.load(folder)
    require(type(back) is scene.model, f"load gives a {type(back).__name__}")
    require(back.params == model.params, f"the parameters {model.params} come back as {back.params}")
    try:
        again = scene.predict(back)
    except AttributeError as error:
        lost = sorted(set(vars(model)) - set(vars(back)))
        raise ContractBroken(f"what is read back cannot predict: {error}; not read back were {lost}") from error
    require_same(before, again, "after save and load")


def check_it_saves_no_code(scene: Scene) -> None:
    """The files of a saved model can be read without running anything."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        scene.fitted[0].save(folder)
        require(any(f.is_file() for f in folder.rglob("*")), "save writes no file")
        require_no_code(folder, scene.model.name)
