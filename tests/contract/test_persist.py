"""Saved state comes back as it was, and what is no state is refused by one kind of error, wherever it breaks."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer

from automl.contract import ArtifactError, read_state, write_state


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    state = {
        "number": 3,
        "nan": math.nan,
        "words": ("a", None, True),
        "nested": {1: [np.arange(3), {"x": np.zeros((2, 2), dtype=np.float32)}]},
        "names": np.array(["a", "b"], dtype=object),
        "scalar": np.array(3.0),
        "turned": np.arange(6).reshape(2, 3).T,
    }
    write_state(tmp_path, state)
    found = read_state(tmp_path)
    assert found["scalar"].shape == ()
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert math.isnan(found.pop("nan"))
    assert (found["number"], found["words"]) == (3, ("a", None, True))
    assert found["nested"][1][0].tolist() == [0, 1, 2]
    assert found["nested"][1][1]["x"].dtype == np.float32
    assert found["names"].tolist() == ["a", "b"]


def test_an_estimator_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    write_state(tmp_path / "theirs", {"model": LinearRegression().fit([[0.0], [1.0]], [0, 1])})
    (tmp_path / "ours").mkdir()
    for place in ("../theirs/model.skops", str(tmp_path / "theirs" / "model.skops"), "..", ""):
        (tmp_path / "ours" / "state.json").write_text(json.dumps({"model": {"__skops__": place}}))
        with pytest.raises(ArtifactError):
            read_state(tmp_path / "ours")
    assert read_state(tmp_path / "theirs")["model"].predict([[2.0]]) == pytest.approx([2.0])


def test_a_part_that_can_run_any_code_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    write_state(tmp_path, {"steps": FunctionTransformer(partial(np.multiply, 2))})
    with pytest.raises(ArtifactError, match=r"'functools\.partial'.* can run any code; keep plain values"):
        read_state(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        '{"x": {}}',
        '{"x": {"__array__": "none"}}',
        '{"x": {"__dict__": [[[1], 2]]}}',
        '{"x": {"__new__": 1}}',
        '{"x": {"__float__": "one"}}',
        '{"x": {"__skops__": 3}}',
        '{"x": {"__skops__": "absent.skops"}}',
    ],
)
def test_what_is_no_state_is_an_artifact_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ArtifactError):
        read_state(tmp_path)


@pytest.mark.parametrize("damaged", ["arrays.safetensors", "model.skops"])
def test_a_damaged_file_is_an_artifact_error(tmp_path: Path, damaged: str) -> None:
    state: dict[str, Any] = {"rows": np.arange(9), "model": LinearRegression().fit([[0.0], [1.0]], [0, 1])}
    write_state(tmp_path, state)
    (tmp_path / damaged).write_bytes(b"no such format")
    with pytest.raises(ArtifactError):
        read_state(tmp_path)
