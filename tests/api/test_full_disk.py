"""A disk that fills up while a run goes on: the run ends with what it has committed, says so, and can be resumed.

``AUTOML_EVERY_WRITE=1`` in the environment tries every write of the run instead of some: minutes instead of seconds.
"""

from __future__ import annotations

import errno
import os
import pathlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris

from automl import AutoML, Preset
from automl.contract import ArtifactError, OptionError

FRAME = load_iris(as_frame=True).frame
QUICK: dict[str, Any] = {
    "n_trials": 3,
    "executor": "inline",
    "models": ["k-nearest", "tree-baseline"],
    "preset": Preset(folds=2, stack=False),
    "random_state": 0,
    "verbose": 0,
}


class Disk:
    """Takes so many writes, of half of which the last is cut short, and none after them."""

    def __init__(self, writes: float) -> None:
        self.left, self.writes = writes, 0

    def taking(self, original: Callable[..., Any], data_at: int) -> Callable[..., Any]:
        """The same function on this disk."""

        def write(*args: Any, **kwargs: Any) -> Any:
            self.writes += 1
            self.left -= 1
            if self.left < 0:
                if self.left == -1:
                    data = args[data_at]
                    original(*args[:data_at], data[: len(data) // 2], *args[data_at + 1 :], **kwargs)
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(*args, **kwargs)

        return write


@contextmanager
def disk(writes: float) -> Iterator[Disk]:
    """Within this, all that a run writes goes to such a disk."""
    small = Disk(writes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", small.taking(os.write, 1))
        patch.setattr(pathlib.Path, "write_bytes", small.taking(pathlib.Path.write_bytes, 1))
        patch.setattr(pathlib.Path, "write_text", small.taking(pathlib.Path.write_text, 1))
        yield small


def fitted(path: Path, writes: float) -> tuple[AutoML | None, str]:
    """The model of a run on a disk that takes so many writes, or None; and what was said."""
    model = AutoML(path=path, **QUICK)
    with disk(writes), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            model.fit(FRAME, "target")
        except (ArtifactError, OptionError) as error:
            return None, str(error)
    return model, "; ".join(str(one.message) for one in said)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[AutoML, int]:
    """An undisturbed run, and how often it wrote."""
    model = AutoML(path=tmp_path_factory.mktemp("whole") / "run", **QUICK)
    with disk(float("inf")) as large:
        model.fit(FRAME, "target")
    return model, large.writes


def test_every_run_ends_with_a_model_or_a_clear_error_and_is_resumed(whole: tuple[AutoML, int], tmp_path: Path) -> None:
    expected, writes = whole
    outcomes = []
    step = 1 if os.environ.get("AUTOML_EVERY_WRITE") else max(1, writes // 8)
    for after in range(1, writes, step):
        path = tmp_path / str(after)
        model, said = fitted(path, after)
        outcomes.append(model is not None)
        assert "No space left" in said
        if model is not None:
            assert "best model that is committed" in said
            assert list(AutoML.load(path).predict(FRAME)) == list(model.predict(FRAME))
        if (path / "inputs").is_dir() and (path / "journal.jsonl").stat().st_size:
            try:
                again = AutoML.resume(path)
            except (ArtifactError, OptionError):
                assert model is None  # the inputs were not whole when the disk was full: nothing had begun
                continue
            columns = ["model", "score", "state"]
            assert again.leaderboard()[columns].equals(expected.leaderboard()[columns])
    assert any(outcomes)
    assert not all(outcomes)
