"""A run that was broken off goes on where it was: nothing that had finished is done again, and nothing is lost."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_iris

from automl import AutoML
from automl.contract import ArtifactError, OptionError
from automl.events import RunEvent, TrialFinished
from automl.store import Journal, RunFolder

OPTIONS: Mapping[str, Any] = {"n_trials": 3, "models": ["extra-trees", "linear-baseline"], "executor": "inline"}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    frame: pd.DataFrame = load_iris(as_frame=True).frame
    frame["name"] = frame["target"].map({0: "red", 1: "green", 2: "blue"}).where(frame.index % 7 > 0)
    return frame


@pytest.fixture(scope="module")
def broken(data: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[AutoML, list[Path]]:
    """A whole run, and copies of its folder as it was after each of its trials."""
    place = tmp_path_factory.mktemp("broken")
    copies: list[Path] = []

    def copy(event: RunEvent) -> None:
        if isinstance(event, TrialFinished):
            copies.append(place / f"after-{len(copies)}")
            shutil.copytree(place / "run", copies[-1])

    model = AutoML(path=place / "run", random_state=5, verbose=0, callbacks=[copy], **OPTIONS)
    return model.fit(data, "target"), copies


def folds(path: Path) -> Counter[tuple[int, int]]:
    records = Journal.read(path / "journal.jsonl")
    return Counter((record["trial"], record["fold"]) for record in records if record["type"] == "fold")


def test_it_ends_as_the_run_that_was_not_broken_off_wherever_that_was(
    broken: tuple[AutoML, list[Path]], data: pd.DataFrame, tmp_path: Path
) -> None:
    whole, copies = broken
    assert len(copies) >= 6
    for number, copy in enumerate(copies):
        place = shutil.copytree(copy, tmp_path / str(number))
        before = folds(place)
        again = AutoML.resume(place, verbose=0)
        assert set(folds(place).values()) == {1}
        assert before.keys() <= folds(place).keys()
        assert len(again.leaderboard()) == len(whole.leaderboard())
        assert again.predict_proba(data).shape == (150, 3)


def test_the_order_of_first_candidates_is_that_of_an_unbroken_run(
    broken: tuple[AutoML, list[Path]], tmp_path: Path
) -> None:
    whole, copies = broken
    place = shutil.copytree(copies[2], tmp_path / "run")
    again = AutoML.resume(place, verbose=0).leaderboard().set_index("model")["score"]
    expected = whole.leaderboard().set_index("model")["score"]
    shared = [name for name in expected.index if name in again.index and not name[-1].isdigit() and name != "ensemble"]
    assert len(shared) == 4
    assert again[shared].to_dict() == pytest.approx(expected[shared].to_dict())


def test_a_journal_that_was_cut_anywhere_loses_at_most_the_record_it_was_cut_in(
    broken: tuple[AutoML, list[Path]], tmp_path: Path
) -> None:
    _, copies = broken
    whole = (copies[3] / "journal.jsonl").read_bytes()
    lines = whole.count(b"\n")
    for cut in (len(whole) - 1, len(whole) - 40, len(whole) // 2, len(whole) // 3 + 7):
        place = shutil.copytree(copies[3], tmp_path / str(cut))
        (place / "journal.jsonl").write_bytes(whole[:cut])
        known = len(Journal.read(place / "journal.jsonl"))
        assert known == whole[:cut].count(b"\n") < lines
        AutoML.resume(place, verbose=0)
        assert set(folds(place).values()) == {1}


def test_what_a_fold_gave_is_run_again_when_it_was_not_written_whole(
    broken: tuple[AutoML, list[Path]], tmp_path: Path
) -> None:
    _, copies = broken
    place = shutil.copytree(copies[3], tmp_path / "run")
    results = place / "results.bin"
    results.write_bytes(results.read_bytes()[:-10])
    before = folds(place)
    again = AutoML.resume(place, verbose=0)
    assert sum(count == 2 for count in folds(place).values()) == 1
    assert before.keys() <= folds(place).keys()
    assert set(again.leaderboard()["state"]) <= {"ok", "pruned"}


def test_a_run_that_has_ended_goes_on_only_with_more(
    broken: tuple[AutoML, list[Path]], data: pd.DataFrame, tmp_path: Path
) -> None:
    whole, copies = broken
    place = shutil.copytree(copies[0].parent / "run", tmp_path / "run")
    with pytest.raises(OptionError, match=r"has ended; give it time_limit= or n_trials="):
        AutoML.resume(place)
    more = AutoML.resume(place, n_trials=5, verbose=0)
    assert len(more.leaderboard()) == len(whole.leaderboard()) + 2
    assert AutoML.load(place).predict(data).tolist() == more.predict(data).tolist()


def test_a_run_that_is_still_going_on_is_left_alone(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    place = shutil.copytree(broken[1][0], tmp_path / "run")
    folder = RunFolder.reopen(place)
    with pytest.raises(OptionError, match="still going on"):
        AutoML.resume(place)
    folder.close()


def test_what_is_no_run_is_said(tmp_path: Path, broken: tuple[AutoML, list[Path]]) -> None:
    with pytest.raises(ArtifactError, match=r"holds no run that could be resumed"):
        AutoML.resume(tmp_path)
    place = shutil.copytree(broken[1][0], tmp_path / "run")
    shutil.rmtree(place / "inputs")
    with pytest.raises(ArtifactError, match="its data was not kept"):
        AutoML.resume(place)


def test_a_metric_that_was_a_function_must_be_given_again(data: pd.DataFrame, tmp_path: Path) -> None:
    def error(y_true: Any, y_pred: Any) -> float:
        return float((y_true != y_pred).mean())

    AutoML(path=tmp_path / "run", metric=error, verbose=0, **{**OPTIONS, "n_trials": 1}).fit(data, "target")
    with pytest.raises(OptionError, match=r"give it again: metric=function"):
        AutoML.resume(tmp_path / "run", n_trials=2)
    again = AutoML.resume(tmp_path / "run", n_trials=2, metric=error, verbose=0)
    assert again.metric_ == "function error"


def test_a_model_that_is_not_here_is_named(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    place = shutil.copytree(broken[1][-1], tmp_path / "run")
    with pytest.raises(ArtifactError, match=r"tried the model 'extra-trees', which cannot be used here"):
        AutoML.resume(place, models=["linear-baseline"], n_trials=9)
