"""Checks on how a model learns: repeatably, from the training rows only, and from whatever a fold may hold."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, FitContext, FitInfo, Table
from automl.testing.checks import FAULTS, ContractBroken, require
from automl.testing.compare import fingerprint, read_only
from automl.testing.points import Draw
from automl.testing.predicting import require_kept, require_same
from automl.testing.scene import Scene, part

RANDOM_POINTS, MOST_RANDOM_POINTS = 5, 15
POINT_SECONDS = 0.4


def check_the_same_seed_gives_the_same_model(scene: Scene) -> None:
    """Two fits with one seed predict the same."""
    require_same(scene.predict(scene.fitted[0]), scene.predict(scene.fit()[0]), "fitted twice with the same seed")


def check_inputs_are_left_alone(scene: Scene) -> None:
    """Neither fit nor predict changes what it is given, though it could."""
    require(not scene.reference.edited, "fit changed its training or validation batch")
    request = scene.request()
    before = fingerprint(request)
    scene.reference.model.predict(request)
    require(fingerprint(request) == before, "predict changed its request")


def check_read_only_inputs_are_enough(scene: Scene) -> None:
    """Shared memory cannot be written to."""
    train, valid = (read_only(batch) for batch in scene.batches())
    model, _ = scene.fit(train, valid)
    scene.predict(model, read_only(scene.request()))


def check_fit_leaves_the_parameters_alone(scene: Scene) -> None:
    """`params` after fit and predict is what it was before."""
    model, before = scene.reference.model, scene.reference.params
    scene.predict(model)
    require(fingerprint(model.params) == before, f"the parameters became {model.params}")
    require(fingerprint(scene.model(**scene.params).params) == before, "the default point of the space changed")


def check_it_fits_without_validation(scene: Scene) -> None:
    """A refit on all rows has no validation batch; the settings it asked for in `FitInfo.refit` work."""
    info = scene.fitted[1]
    require(isinstance(info, FitInfo), f"fit returned {type(info).__name__}, not FitInfo or None")
    model, _ = scene.fit(params={**scene.params, **info.refit}, alone=True)
    scene.predict(model)


def check_it_does_not_learn_from_validation(scene: Scene) -> None:
    """Wrong validation labels change nothing, unless the model says that it stopped early."""
    train, valid = scene.batches()
    if valid.y is None or len(valid.y) < 2:
        return
    model, info = scene.fit(train, replace(valid, y=np.roll(valid.y, 1)[::-1].copy()))
    if info.best_step is None and scene.fitted[1].best_step is None:
        require_same(scene.predict(scene.fitted[0]), scene.predict(model), "with other validation labels")


def check_a_class_may_be_absent_from_a_fold(scene: Scene) -> None:
    """With three classes or more, a fold without the first one still gives a probability for each."""
    train, valid = scene.batches()
    if scene.problem.kind != "class_proba" or scene.problem.n_outputs < 3 or train.y is None:
        return
    rest = np.flatnonzero(train.y != 0)
    scene.predict(scene.fit(part(train, rest), valid)[0])


def check_it_learns_something(scene: Scene) -> None:
    """On examples said to be learnable, it scores better for the right units than for shuffled ones."""
    stage = scene.stage
    truth = stage.task.truth(scene.problem, stage.table, scene.valid)
    if truth is None or not stage.example.learnable:
        return
    metric = stage.task.metric(scene.problem, "auto")
    request = scene.request()
    predictions = scene.predict(scene.fitted[0])
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(request)) for _ in range(9)]
    shuffled = [metric.score(truth, predictions.take(order), request) for order in orders]
    right = metric.score(truth, predictions, request)
    require(
        right > float(np.median(shuffled)), f"{metric.name} is {right:.4g}, no better than for shuffled predictions"
    )


def check_missing_values_are_handled_if_it_says_so(scene: Scene) -> None:
    """A fifth of all values missing: it fits and predicts."""
    train, valid = scene.batches()
    rng = np.random.default_rng(0)
    model, _ = scene.fit(replace(train, X=_holed(train.X, rng)), replace(valid, X=_holed(valid.X, rng)))
    request = scene.request()
    scene.predict(model, replace(request, X=_holed(request.X, rng)))


def _holed(X: Any, rng: np.random.Generator) -> Any:
    """X with a fifth of its values missing; sparse matrices cannot hold missing values and stay as they are."""
    if isinstance(X, Table):
        return Table(tuple(_holed_column(column, rng) for column in X), len(X))
    return np.where(rng.random(X.shape) < 0.2, np.float32(np.nan), X) if isinstance(X, np.ndarray) else X


def _holed_column(column: Column, rng: np.random.Generator) -> Column:
    holes: AnyArray = rng.random(len(column)) < 0.2
    empty = {"numeric": np.nan, "datetime": np.nan, "category": -1}.get(column.kind)
    values = column.values.copy()
    values[holes] = empty
    return replace(column, values=values)


def check_weights_are_used_if_it_says_so(scene: Scene) -> None:
    """Rows of low targets a thousand times as heavy as the others, or the other way round: predictions differ."""
    train, valid = scene.batches()
    n = len(scene.train)
    rank = np.arange(n) if train.y is None else np.argsort(np.argsort(train.y, kind="stable"))
    answers = []
    for half in (rank < n // 2, rank >= n // 2):
        weight = np.where(half, 1.0, 0.001)
        held = replace(valid, weight=np.ones(len(scene.valid)))
        answers.append(scene.predict(scene.fit(replace(train, weight=weight), held)[0]))
    require(answers[0].distance(answers[1]) > 0, "it declares handles_weight, but weights change nothing")


@dataclass(frozen=True)
class _Clock(FitContext):
    """A context whose time is over, and which notices being asked for the time."""

    asked: list[str] = field(default_factory=list)

    def __getattribute__(self, name: str) -> Any:
        if name in ("time_left", "deadline", "report"):
            object.__getattribute__(self, "asked").append(name)
        return super().__getattribute__(name)


def check_it_stops_early_if_it_says_so(scenes: Sequence[Scene]) -> None:
    """With no time left, fit returns a usable model everywhere, and looks at the clock somewhere.

    A fit that ends before it would ask is no offence on one example; on all of them it is.
    """
    asked: list[str] = []
    for scene in scenes:
        plain = scene.context(deadline=time.monotonic() - 1.0, report=_stop)
        values = {field.name: getattr(plain, field.name) for field in fields(plain)}
        scene.predict(scene.fit(ctx=_Clock(**values, asked=asked))[0])
    require(
        asked or not scenes,
        "it declares truncatable, but never looks at ctx.time_left(), ctx.deadline or ctx.report on any example",
    )


def _stop(step: int, value: float) -> bool:
    return True


def check_points_of_its_space_fit(scenes: Sequence[Scene]) -> None:
    """Start points and random ones give models that predict, also after save and load."""
    for scene, point in _points(scenes):
        ctx = scene.context(deadline=time.monotonic() + POINT_SECONDS)
        try:
            require_kept(scene, scene.fit(params=point, ctx=ctx)[0])
        except FAULTS as error:
            what = str(error) if isinstance(error, ContractBroken) else f"{type(error).__name__}: {error}"
            raise ContractBroken(f"on {scene.stage}: {what}; at the point {point}") from error


def _points(scenes: Sequence[Scene]) -> Iterator[tuple[Scene, dict[str, Any]]]:
    """Every start point and a few random ones, in turn on each scene.

    Each scene has random points until every option of every choice was in one: what an option brings into a model may
    be what cannot be saved, and that may hang on the data.
    """
    for turn in range(max((len(scene.space.starts) for scene in scenes), default=0)):
        scene = scenes[turn % len(scenes)]
        if turn < len(scene.space.starts):
            yield scene, scene.space.point(scene.stage.task.name, scene.space.starts[turn].params)
    draws = [Draw(np.random.default_rng(number)) for number in range(len(scenes))]
    for turn in range(MOST_RANDOM_POINTS * len(scenes)):
        scene, draw = scenes[turn % len(scenes)], draws[turn % len(scenes)]
        if turn < max(RANDOM_POINTS, len(scenes)) or draw.left:
            yield scene, draw.point(scene.space, scene.stage.task.name)
