"""A disk that takes no more ends a run with the best model that was committed, said once; later the run goes on."""

from __future__ import annotations

import errno
import os
import pathlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy

from automl import AutoML
from automl.contract import ArtifactError, OptionError
from automl.events import Noticed, RunEvent
from automl.store import Journal

WRITES = (
    (os, "write"),
    (os, "fsync"),
    (os, "replace"),
    (pathlib.Path, "write_bytes"),
    (pathlib.Path, "write_text"),
    (safetensors.numpy, "save_file"),
)
OPTIONS: dict[str, Any] = {
    "n_trials": 3,
    "models": ["extra-trees", "linear-baseline"],
    "executor": "inline",
    "random_state": 0,
}


class Disk:
    """Takes `room` writes below a folder, and half of the next one; full from then on."""

    def __init__(self, room: int, folder: Path) -> None:
        self.room, self.folder, self.full = room, str(folder), False

    def around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The same function on this disk."""

        def write(*args: Any, **kwargs: Any) -> Any:
            if not self._ours(original, args):
                return original(*args, **kwargs)
            self.room -= 1
            if self.room >= 0:
                return original(*args, **kwargs)
            if self.room == -1 and original.__name__ in ("write", "write_bytes", "write_text"):
                original(args[0], args[1][: len(args[1]) // 2], **kwargs)
            self.full = True
            raise OSError(errno.ENOSPC, "No space left on device")

        return write

    def _ours(self, original: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        place = args[1] if original.__name__ in ("replace", "save_file") else args[0]
        if isinstance(place, int):
            place = os.readlink(f"/proc/self/fd/{place}")
        return str(place).startswith(self.folder)


@contextmanager
def disk_of(room: int, folder: Path) -> Iterator[Disk]:
    disk = Disk(room, folder)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in WRITES:
            patch.setattr(owner, name, disk.around(getattr(owner, name)))
        yield disk


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60)})
    frame["target"] = np.where(frame["a"] + 0.5 * rng.normal(size=60) > 0, "yes", "no")
    return frame


def folds(path: Path) -> Counter[tuple[int, int]]:
    records = Journal.read(path / "journal.jsonl")
    return Counter((record["trial"], record["fold"]) for record in records if record["type"] == "fold")


def fit(data: pd.DataFrame, path: Path, heard: list[RunEvent]) -> AutoML:
    model = AutoML(path=path, callbacks=[heard.append], verbose=0, **OPTIONS)
    return model.fit(data, "target", folds=np.arange(60) % 2)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to tell whose file is written")
@pytest.mark.filterwarnings("ignore:the run's folder takes no more")
@pytest.mark.parametrize("room", [0, 1, 5, 9, 16, 31, 60, 90, 10_000])
def test_a_run_on_a_full_disk_ends_with_what_was_committed_and_goes_on_later(
    data: pd.DataFrame, tmp_path: Path, room: int
) -> None:
    path = tmp_path / "run"
    heard: list[RunEvent] = []
    model, refusal = None, ""
    with disk_of(room, path) as disk:
        try:
            model = fit(data, path, heard)
        except (ArtifactError, OptionError) as error:
            refusal = str(error)
    assert model is not None or "No space left" in refusal
    said = [event.finding for event in heard if isinstance(event, Noticed) and event.finding.code == "disk"]
    assert disk.full == (room < 10_000)
    if model is not None:
        assert len(said) == (room < 10_000)
        assert model.predict(data).tolist() == AutoML.load(path).predict(data).tolist()
        assert [finding for finding in model.findings_ if finding.code == "disk"] == said
    if (path / "inputs").is_dir() and disk.full:
        before = folds(path)
        again = AutoML.resume(path, verbose=0)
        assert set(folds(path).values()) == {1}
        assert before.keys() <= folds(path).keys()
        assert (again.leaderboard()["state"] == "ok").sum() >= 4
        assert AutoML.load(path).predict(data).tolist() == again.predict(data).tolist()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to tell whose file is written")
def test_the_warning_says_what_to_do(data: pd.DataFrame, tmp_path: Path) -> None:
    with (
        disk_of(75, tmp_path / "run"),
        pytest.warns(UserWarning, match=r"takes no more.*No space left.*AutoML\.resume"),
    ):
        fit(data, tmp_path / "run", [])
