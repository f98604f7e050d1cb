"""A run that was broken off goes on where it was: nothing that had finished is done again, and nothing is lost."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_iris

from automl import AutoML, Preset
from automl.contract import ArtifactError, OptionError
from automl.events import EnsembleImproved, Noticed, RunEvent, TrialFinished
from automl.search import history
from automl.store import Journal, RunFolder, load_manifest

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
    for number, copy in enumerate(copies[::2]):
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
    with pytest.raises(OptionError, match=r"has ended.*give it time_limit= or n_trials="):
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


def test_a_folder_that_was_moved_goes_on_elsewhere_with_other_workers(
    broken: tuple[AutoML, list[Path]], data: pd.DataFrame, tmp_path: Path
) -> None:
    place = shutil.copytree(broken[1][2], tmp_path / "elsewhere" / "run")
    before = folds(place)
    again = AutoML.resume(place, executor="local", n_jobs=2, verbose=0)
    assert set(folds(place).values()) == {1}
    assert before.keys() <= folds(place).keys()
    assert len(again.leaderboard()) == len(broken[0].leaderboard())
    assert AutoML.load(place).predict(data).tolist() == again.predict(data).tolist()


def test_other_versions_are_said(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    place = shutil.copytree(broken[1][-2], tmp_path / "run")
    journal = Journal(place / "journal.jsonl.new")
    for record in Journal.read(place / "journal.jsonl"):
        changed = {**record["versions"], "numpy": "1.0", "left-pad": "3"} if record["type"] == "run" else None
        journal.append({**record, "versions": changed} if changed else record)
    journal.close()
    (place / "journal.jsonl.new").replace(place / "journal.jsonl")
    heard: list[RunEvent] = []
    again = AutoML.resume(place, verbose=0, callbacks=[heard.append])
    assert "versions" in [finding.code for finding in again.findings_]
    (said,) = [event.finding for event in heard if isinstance(event, Noticed) and event.finding.code == "versions"]
    assert "numpy 1.0 is now" in said.what
    assert "left-pad 3 is now missing" in said.what
    heard.clear()
    AutoML.resume(shutil.copytree(broken[1][-2], tmp_path / "same"), verbose=0, callbacks=[heard.append])
    assert not [event for event in heard if isinstance(event, Noticed) and event.finding.code == "versions"]


def test_damaged_inputs_are_named(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    for name in ("state.json", "arrays.safetensors", "sums.json"):
        place = shutil.copytree(broken[1][0], tmp_path / name)
        damaged = place / "inputs" / name
        content = damaged.read_bytes()
        damaged.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
        with pytest.raises(ArtifactError, match=r"inputs.*copy the folder again"):
            AutoML.resume(place)
        damaged.unlink()
        with pytest.raises(ArtifactError, match=r"inputs.*copy the folder again"):
            AutoML.resume(place)


def test_inputs_that_were_not_written_whole_are_not_there(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    place = shutil.copytree(broken[1][0], tmp_path / "run")
    (place / "inputs").rename(place / ".inputs.new")
    with pytest.raises(ArtifactError, match="its data was not kept"):
        AutoML.resume(place)
    RunFolder.create(place, overwrite=True).close()
    assert not (place / ".inputs.new").exists()


def test_a_run_broken_off_before_its_first_line_begins(
    broken: tuple[AutoML, list[Path]], data: pd.DataFrame, tmp_path: Path
) -> None:
    place = shutil.copytree(broken[1][0], tmp_path / "run")
    (place / "journal.jsonl").write_bytes(b"")
    again = AutoML.resume(place, verbose=0)
    assert Journal.read(place / "journal.jsonl")[0]["type"] == "run"
    assert len(again.leaderboard()) == len(broken[0].leaderboard())


def test_scores_of_two_metrics_are_not_mixed(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    place = shutil.copytree(broken[1][0], tmp_path / "run")
    with pytest.raises(OptionError, match=r"cannot go on with metric 'accuracy'"):
        AutoML.resume(place, metric="accuracy")


def test_what_a_preset_no_longer_has_is_left_out(
    data: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def before(preset: Preset) -> dict[str, Any]:
        return {**asdict(preset), "gone": True}

    monkeypatch.setattr(history, "asdict", before)
    options: dict[str, Any] = {"models": ["linear-baseline"], "executor": "inline", "verbose": 0}
    AutoML(n_trials=1, preset=Preset(starts=2), path=tmp_path / "run", **options).fit(data, "target")
    assert AutoML.resume(tmp_path / "run", n_trials=2).preset == Preset(starts=2)


def test_a_preset_whose_models_were_not_kept_is_refused(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    place = shutil.copytree(broken[1][0], tmp_path / "run")
    with pytest.raises(OptionError, match=r"kept the models for preset 'balanced'.*go on with that one"):
        AutoML.resume(place, preset=Preset(refit=True))


def test_a_model_that_lost_its_files_is_fitted_again(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    place = shutil.copytree(broken[1][3], tmp_path / "run")
    (record,) = [r for r in Journal.read(place / "journal.jsonl") if r["type"] == "fold" and r["folder"]][-1:]
    next(path for path in sorted((place / record["folder"]).rglob("*")) if path.is_file()).write_bytes(b"")
    AutoML.resume(place, verbose=0)
    again = [fold for fold, count in folds(place).items() if count == 2]
    assert again == [(record["trial"], record["fold"])]


def test_what_was_committed_is_replaced_only_by_better(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    place = shutil.copytree(broken[1][-1], tmp_path / "run")
    committed = [load_manifest(place).content["deployment"]["score"]]

    def look(event: RunEvent) -> None:
        committed.append(load_manifest(place).content["deployment"]["score"])

    AutoML.resume(place, n_trials=4, verbose=0, callbacks=[look])
    assert len(committed) > 5
    assert committed == sorted(committed)


def test_the_best_of_before_is_told_first(broken: tuple[AutoML, list[Path]], tmp_path: Path) -> None:
    place = shutil.copytree(broken[1][-1], tmp_path / "run")
    heard: list[RunEvent] = []
    AutoML.resume(place, n_trials=4, verbose=0, callbacks=[heard.append])
    first = next(event for event in heard if isinstance(event, EnsembleImproved | TrialFinished))
    assert isinstance(first, EnsembleImproved)
    assert first.score == load_manifest(broken[1][-1]).content["deployment"]["score"]


def test_a_damaged_commit_does_not_keep_a_run_from_going_on(
    broken: tuple[AutoML, list[Path]], data: pd.DataFrame, tmp_path: Path
) -> None:
    place = shutil.copytree(broken[1][-1], tmp_path / "run")
    (place / "manifest.json").write_bytes((place / "manifest.json").read_bytes()[:-30])
    again = AutoML.resume(place, verbose=0)
    assert AutoML.load(place).predict(data).tolist() == again.predict(data).tolist()
