"""Calibration moves an answer only where units without a say confirm it, and then by the right amount."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from automl.contract import ArrayPredictions, Metric, Request, Truth
from automl.ensemble import Recipe, blend, restored
from automl.ensemble.calibration import FLOOR, Calibration, line, temperature

FREE = (-math.inf, math.inf)


def overconfident(n: int, times: float, outputs: int = 3, seed: int = 0) -> tuple[ArrayPredictions, Truth]:
    """Probabilities whose logits are `times` too large."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, outputs))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    y = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, outputs - 1)
    hot = np.exp(times * z)
    return ArrayPredictions("class_proba", hot / hot.sum(axis=1, keepdims=True)), Truth(y)


def shipped(predictions: ArrayPredictions, truth: Truth, metric: Metric, **options: Any) -> Any:
    rows = np.array_split(np.arange(len(truth)), 4)
    member = [predictions.take(r) for r in rows]
    return blend([member], [truth.take(r) for r in rows], [Request(r) for r in rows], metric, **options)


@pytest.mark.parametrize("times", [0.5, 1.0, 2.0])
def test_the_temperature_undoes_what_made_probabilities_too_sure(times: float) -> None:
    p, truth = overconfident(20_000, times)
    assert temperature(p.as_array(), truth.y, np.ones(20_000)) == pytest.approx(times, rel=0.05)


def test_few_units_are_drawn_to_no_change() -> None:
    p, truth = overconfident(20, 3.0)
    many, few = overconfident(4000, 3.0), temperature(p.as_array(), truth.y, np.ones(20))
    assert 1 < few < temperature(many[0].as_array(), many[1].y, np.ones(4000))


def test_a_member_that_is_too_sure_is_calibrated_and_its_score_is_honest(log_loss: Metric) -> None:
    p, truth = overconfident(2000, 2.5)
    chosen = shipped(p, truth, log_loss)
    before = -log_loss(truth, p, Request(np.arange(2000)))
    assert chosen.combiner.calibration.temperature == pytest.approx(2.5, rel=0.2)
    assert before + 0.1 < chosen.score < chosen.apparent


def test_asked_for_no_calibration_none_is_learnt(log_loss: Metric) -> None:
    recipe = shipped(*overconfident(3000, 2.5), log_loss, calibrate=False).combiner
    assert recipe.calibration == Calibration(floor=FLOOR)


def test_a_member_that_is_right_is_left_alone(log_loss: Metric) -> None:
    p, truth = overconfident(2000, 1.0)
    calibration = shipped(p, truth, log_loss).combiner.calibration
    assert calibration == Calibration(floor=FLOOR)
    assert calibration.apply(p).distance(p) < 1e-4


def test_a_metric_other_than_log_loss_has_no_floor(case: Callable[..., Any], auc: Metric) -> None:
    data = case(400, 4, [0.0])
    assert data.blend(auc).combiner is None


def test_no_class_is_ruled_out() -> None:
    certain = ArrayPredictions("class_proba", np.array([[1.0, 0.0, 0.0]]))
    for calibration in (Calibration(floor=FLOOR), Calibration(temperature=0.5, floor=FLOOR)):
        given = calibration.apply(certain).as_array()
        assert given.sum() == pytest.approx(1)
        assert given.min() == pytest.approx(FLOOR)


def test_numbers_are_put_on_the_line_and_cut_to_the_bounds(rmse: Metric) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    truth = Truth(3 + 2 * x + 0.5 * rng.normal(size=2000))
    timid = ArrayPredictions("real", (3 + x)[:, None])
    slope, middle, level = line(timid.values[:, 0], truth.y, np.ones(2000))
    assert (slope, level + slope * (3 - middle)) == pytest.approx((2, 3), abs=0.05)
    chosen = shipped(timid, truth, rmse, bounds=(0.0, 6.0))
    assert chosen.combiner.calibration.slope == pytest.approx(2, abs=0.05)
    given = chosen.apply([timid], Request(np.arange(2000))).as_array()
    assert (given.min(), given.max()) == (0.0, 6.0)
    assert chosen.score > rmse.score(truth, timid, Request(np.arange(2000))) + 0.3


def test_constant_truths_weights_of_zero_and_few_units_do_no_harm(rmse: Metric) -> None:
    same = ArrayPredictions("real", np.ones((200, 1)))
    assert line(same.values[:, 0], np.ones(200), np.ones(200)) == (1.0, 0.0, 0.0)
    assert shipped(same, Truth(np.ones(200)), rmse).combiner is None
    few = ArrayPredictions("real", np.arange(20.0)[:, None])
    assert shipped(few, Truth(2 * np.arange(20.0)), rmse).combiner is None
    assert shipped(same, Truth(np.ones(200), np.zeros(200)), rmse).combiner is None


def test_a_recipe_is_the_same_after_saving(case: Callable[..., Any], log_loss: Metric) -> None:
    data = case(900, 3, [2.0, 2.0, 2.5])
    chosen = data.blend(log_loss)
    assert chosen.combiner.name == "varied-mean + calibrated"
    again = restored(chosen.combiner.state(), ())
    fold = [data.members[m][0] for m in chosen.keep]
    assert chosen.apply(fold, data.requests[0]).distance(again.apply(fold, data.requests[0])) == 0
    json.dumps(chosen.combiner.state()["calibration"])
    assert restored(Recipe(None, None, Calibration(slope=2.0)).state(), ()) == Recipe(None, None, Calibration(slope=2))
