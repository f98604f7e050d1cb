"""Checks on what a task does with predictions: metrics, containers, combiners and answers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from automl.contract import ADDITIVE, ArrayPredictions, CombineContext, Combiner, Metric, Predictions, Request, Truth
from automl.execution.fitted import FittedModel
from automl.testing.checks import require
from automl.testing.plugins import require_no_code
from automl.testing.predicting import require_same
from automl.testing.scene import Scene


def _played(scene: Scene) -> tuple[Mapping[str, Metric], Truth | None, Predictions, Request]:
    """The metrics, and truth and predictions for the validation units."""
    truth = scene.stage.task.truth(scene.problem, scene.stage.table, scene.valid)
    return scene.stage.task.metrics(scene.problem), truth, scene.predict(scene.fitted[0]), scene.request()


def check_a_baseline_runs_and_has_a_score(scene: Scene) -> None:
    """All metrics of a baseline are finite, and agree with their own per-unit values."""
    metrics, truth, predictions, request = _played(scene)
    for name, metric in metrics.items():
        value = metric(truth, predictions, request)
        require(np.isfinite(value), f"metric {name!r} of baseline {scene.model.name!r} is {value}")
        require(metric.score(truth, predictions, request) == metric.signed(value), f"{name!r}: score is not signed")
        each = metric.per_unit(truth, predictions, request)
        if each is not None:
            require(each.shape == (len(request),), f"{name!r}: per_unit has shape {each.shape}")
        require(
            np.isclose(metric.aggregate([value, value], [3, 5]), value), f"{name!r}: equal folds aggregate to another"
        )


def check_no_metric_depends_on_the_order_of_units(scene: Scene) -> None:
    """Units shuffled together, truth and predictions alike, score the same."""
    metrics, truth, predictions, request = _played(scene)
    order = np.random.default_rng(0).permutation(len(request))
    shuffled = None if truth is None else truth.take(order)
    for name, metric in metrics.items():
        one = metric(truth, predictions, request)
        other = metric(shuffled, predictions.take(order), request.take(order))
        require(
            np.isclose(one, other), f"metric {name!r} is {one:.6g}, and {other:.6g} with the units in another order"
        )


def check_true_answers_score_no_worse_than_a_baseline(scene: Scene) -> None:
    """For kinds that are arrays, the truth itself as prediction: a metric of the wrong direction shows here."""
    metrics, truth, predictions, request = _played(scene)
    if truth is None or scene.problem.kind not in ADDITIVE or not isinstance(truth.y, np.ndarray):
        return
    if scene.problem.kind == ADDITIVE[0]:
        perfect = np.eye(scene.problem.n_outputs)[truth.y.astype(np.int64)]
    else:
        perfect = truth.y.astype(np.float64).reshape(len(truth), -1)
    best = ArrayPredictions(scene.problem.kind, perfect)
    for name, metric in metrics.items():
        ours, theirs = metric.score(truth, best, request), metric.score(truth, predictions, request)
        require(
            ours >= theirs - 1e-9,
            f"metric {name!r} prefers {scene.model.name!r} ({theirs:.4g}) to the truth ({ours:.4g})",
        )


def check_its_container_can_be_cut_joined_and_saved(scene: Scene) -> None:
    """`take`, `concat`, `distance`, `save` and `load` of its predictions."""
    whole = scene.predict(scene.fitted[0])
    n = len(whole)
    require(whole.kind == scene.stage.task.produces, f"its container is of kind {whole.kind!r}")
    require(whole.distance(whole) == 0.0, "predictions differ from themselves")
    require(whole.nbytes > 0, "predictions take no memory")
    halves = [whole.take(np.arange(n // 2)), whole.take(np.arange(n // 2, n))]
    require([len(half) for half in halves] == [n // 2, n - n // 2], "take gives another number of units")
    require_same(whole, type(whole).concat(halves), "cut in two and joined")
    backwards = np.arange(n)[::-1]
    require_same(whole, whole.take(backwards).take(backwards), "turned round twice")
    with tempfile.TemporaryDirectory() as place:
        whole.save(Path(place))
        require_no_code(Path(place), type(whole).__name__)
        require_same(whole, type(whole).load(Path(place)), "after save and load")


def check_its_combiners_keep_their_contract(scene: Scene) -> None:
    """Fitted on two members, each combiner predicts every unit by itself, says its weights, and survives on disk."""
    _, truth, predictions, request = _played(scene)
    other, _ = scene.fit(ctx=scene.context(seed=8))
    members = [predictions, scene.predict(other)]
    metric = scene.stage.task.metric(scene.problem, "auto")
    for combiner_class in scene.stage.task.combiners(scene.problem):
        shown = request
        if combiner_class.needs_features:
            shown = replace(request, X=scene.stage.table.select(scene.problem.features).take(scene.valid))
        combiner = combiner_class().fit([[m] for m in members], [truth], [shown], CombineContext(metric))
        _check_combiner(combiner, members, shown, scene)


def _check_combiner(combiner: Combiner, members: list[Predictions], request: Request, scene: Scene) -> None:
    require(combiner.name, f"{type(combiner).__name__} has no name")
    weights = np.asarray(combiner.weights())
    require(weights.shape == (2,) and np.isclose(weights.sum(), 1.0), f"weights of two members are {weights}")
    joined = combiner.apply(members, request)
    require(len(joined) == len(request), f"{len(joined)} combined predictions for {len(request)} units")
    scene.stage.task.check(scene.problem, joined, request)
    few = np.arange(len(request))[::2]
    alone = combiner.apply([m.take(few) for m in members], request.take(few))
    require_same(joined.take(few), alone, "combined for some units only")
    with tempfile.TemporaryDirectory() as place:
        combiner.save(Path(place))
        require_no_code(Path(place), combiner.name)
        require_same(joined, type(combiner).load(Path(place)).apply(members, request), "combiner after save and load")
    kept = [int(m) for m in np.flatnonzero(weights)]
    slim = combiner.without(kept).apply([members[m] for m in kept], request)
    require_same(joined, slim, "combined without the members of weight 0")


def check_there_is_one_answer_per_unit(scene: Scene) -> None:
    """What the user gets, for validation units and for new data without the target."""
    task, problem, model = scene.stage.task, scene.problem, scene.fitted[0]
    target = scene.stage.roles.get("target")
    table = scene.stage.table.select([name for name in scene.stage.table.names if name != target])
    whole = FittedModel(model, scene.view)
    for request in (scene.request(), whole.request(task, problem, table)):
        predictions = whole.answer(problem, request)
        answer = task.answer(problem, predictions, request)
        require(len(answer) == len(request), f"{len(answer)} answers for {len(request)} units")
