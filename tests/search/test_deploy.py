"""What is kept for intervals of the score comes back as it was, but for digits that do not matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.contract import ArrayPredictions, Request, Truth, read_state, write_state
from automl.search.deploy import Honest


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*"))


def test_honest_predictions_come_back_in_half_the_space(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values, units = rng.random((2000, 3)), np.arange(2000)
    truth = Truth(rng.integers(0, 3, 2000), rng.random(2000))
    made = Honest((ArrayPredictions("class_proba", values),), (truth,), (Request(units, None, {"a": 1}),), 0.25, 2000)
    write_state(tmp_path / "lean", made.state())
    assert size(tmp_path / "lean") < 0.6 * (values.nbytes + units.nbytes + 2 * 8 * 2000)
    back = Honest.of(read_state(tmp_path / "lean"), ArrayPredictions, Truth)
    np.testing.assert_allclose(back.predictions[0].as_array(), values, atol=1e-7)
    found = back.truths[0]
    assert found is not None
    assert found.y.dtype == np.dtype(np.int64)
    assert back.predictions[0].as_array().dtype == np.dtype(np.float64)
    np.testing.assert_array_equal(found.y, truth.y)
    np.testing.assert_array_equal(found.weight, truth.weight)
    np.testing.assert_array_equal(back.requests[0].units, units)
    assert back.requests[0].extra == {"a": 1}


def test_numbers_that_do_not_fit_are_kept_as_they_are() -> None:
    far = np.array([1e300, -1.5])
    state = Honest((), (Truth(far),), (), 0.0, 2).state()
    (back,) = Honest.of({**state, "predictions": [], "requests": []}, ArrayPredictions, Truth).truths
    assert back is not None
    np.testing.assert_array_equal(back.y, far)
