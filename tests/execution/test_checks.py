"""What a model returns is believed only when it has the right kind, shape and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.contract import ArrayPredictions, PluginError, Predictions
from automl.execution.checks import checked


class Boxes(Predictions):
    kind = "boxes"

    def __len__(self) -> int:
        return 3

    def take(self, positions: Any) -> Boxes:
        return self

    @classmethod
    def concat(cls, parts: Any) -> Boxes:
        return cls()

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_state(cls, state: Any) -> Boxes:
        return cls()

    def distance(self, other: Any) -> float:
        return 0.0


def test_probabilities_are_taken_as_float64() -> None:
    raw = np.array([[0.25, 0.75], [1.0, 0.0]], dtype=np.float32)
    found = checked(raw, "class_proba", 2, 2, "m").as_array()
    assert found.dtype == np.float64
    assert found.tolist() == raw.tolist()


def test_rounding_is_mended_so_that_rows_sum_to_one() -> None:
    raw = np.array([[0.3, 0.7 + 5e-4], [1.0 + 1e-7, -1e-7]])
    found = checked(raw, "class_proba", 2, 2, "m").as_array()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-15)
    assert found.min() == 0.0


def test_numbers_may_be_flat_or_a_column() -> None:
    for raw in ([1.0, 2.0, 3.0], np.array([1, 2, 3]), np.array([[1.0], [2.0], [3.0]])):
        assert checked(raw, "real", 3, 1, "m").as_array().tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize(
    ("raw", "kind", "said"),
    [
        (np.zeros(4), "real", r"shape \(4,\), wanted \(3, 2\)"),
        (np.zeros((2, 2)), "real", r"shape \(2, 2\), wanted \(3, 2\): 2 predictions for 3 rows"),
        (None, "real", "returned None"),
        (np.array(["a", "b", "c"]), "class_proba", "dtype <U1.*return the probability of each class"),
        (np.zeros((3, 1)), "real", r"\(3, 1\)"),
        (np.zeros((3, 2, 1)), "real", r"\(3, 2, 1\)"),
        (np.array([[0.0, np.nan]] * 3), "real", "3 values that are not finite"),
        (np.array([[0.0, np.inf]] * 3), "real", "not finite"),
        (np.full((3, 2), 0.6), "class_proba", "sum to 1"),
        (np.array([[1.5, -0.5]] * 3), "class_proba", "at least 0"),
        (np.zeros((3, 2)), "boxes", "need a container"),
        (ArrayPredictions("real", np.zeros((3, 2))), "class_proba", "'real'"),
        (ArrayPredictions("real", np.zeros((2, 2))), "real", "2 predictions for 3 units"),
        (ArrayPredictions("real", np.full((3, 2), np.nan)), "real", "not finite"),
    ],
)
def test_what_is_wrong_is_said_with_the_models_name(raw: Any, kind: str, said: str) -> None:
    with pytest.raises(PluginError, match=said) as caught:
        checked(raw, kind, 3, 2, "bad-model")
    assert "'bad-model'" in str(caught.value)


@pytest.mark.parametrize("raw", [None, ["a", "b", "c"], {"a": 1}, "words"], ids=["None", "strings", "dict", "str"])
def test_what_is_no_array_of_numbers_is_the_models_fault(raw: Any) -> None:
    with pytest.raises(PluginError, match="'bad-model'"):
        checked(raw, "real", 3, 1, "bad-model")


def test_a_container_of_the_task_passes_as_it_is() -> None:
    boxes = Boxes()
    assert checked(boxes, "boxes", 3, 0, "m") is boxes
    with pytest.raises(PluginError, match="3 predictions for 4 units"):
        checked(boxes, "boxes", 4, 0, "m")


def test_no_units_make_no_predictions() -> None:
    assert checked(np.zeros((0, 2)), "class_proba", 0, 2, "m").as_array().shape == (0, 2)
