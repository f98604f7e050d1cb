"""A run folder always holds the last whole commit, and nothing of anybody else's is ever removed."""

from __future__ import annotations

import gc
import os
import pickle
import pickletools
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contract import ArtifactError, OptionError, read_state
from automl.store import Journal, RunFolder, export, load_manifest

STATES: dict[str, dict[str, Any]] = {"combiner": {"shares": np.array([0.25, 0.75])}, "schema": {"f0": ("a", None)}}


def started(path: Path | None) -> RunFolder:
    run = RunFolder.create(path)
    run.write_model("k1", 0, {"state.json": b"{}", "deep/model.txt": b"tree"})
    run.write_model("k1", 1, {"state.json": b"[]"})
    run.write_model("k2", -1, {"state.json": b"two"})
    return run


def test_a_commit_is_loaded_as_it_was_made(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.commit({"score": float("nan"), "names": ("a",)}, STATES, libraries=["numpy", "no-such-library"])
    found = load_manifest(tmp_path / "run")
    assert found.content["names"] == ["a"]
    assert np.isnan(found.content["score"])
    assert np.array_equal(found.state("combiner")["shares"], STATES["combiner"]["shares"])
    assert found.state("schema") == STATES["schema"]
    assert (found.model_folder("k1", 0) / "deep/model.txt").read_bytes() == b"tree"
    assert found.model_folder("k2", -1).is_dir()
    assert {"automl", "python", "platform", "numpy", "scikit-learn", "no-such-library"} <= set(found.versions)
    assert "pytest" not in found.versions
    assert read_state(found.state_folder("schema")) == STATES["schema"]
    for missing in (lambda: found.state("x"), lambda: found.model_folder("k1", 7), lambda: found.model_folder("x", 0)):
        with pytest.raises(ArtifactError, match="has no"):
            missing()


def test_only_the_members_asked_for_are_part_of_the_commit(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.commit({}, {}, members={"k2": [-1]})
    assert set(load_manifest(run.path).models) == {"k2"}
    with pytest.raises(ArtifactError, match="k9"):
        run.commit({}, {}, members={"k9": [0]})
    assert set(load_manifest(run.path).models) == {"k2"}


def test_only_the_folds_asked_for_are_part_of_the_commit(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.commit({}, {}, members={"k1": [1]})
    assert load_manifest(run.path).models == {"k1": {1: "members/k1/fold-1"}}
    with pytest.raises(ArtifactError, match=r"\('k1', 2\)"):
        run.commit({}, {}, members={"k1": [1, 2]})


def test_a_dropped_member_stays_until_no_commit_needs_it(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.commit({}, STATES, members={"k1": [0, 1]})
    run.drop_model("k1")
    run.drop_model("k2")
    run.drop_model("never-there")
    assert set(load_manifest(run.path).models) == {"k1"}
    assert not (run.path / "members/k2").exists()
    run.commit({}, {})
    assert not (run.path / "members/k1").exists()
    assert load_manifest(run.path).models == {}


def test_a_member_written_again_does_not_touch_the_commit_that_has_the_old_one(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.commit({}, {})
    run.write_model("k2", -1, {"state.json": b"three"})
    before = load_manifest(run.path)
    assert (before.model_folder("k2", -1) / "state.json").read_bytes() == b"two"
    run.commit({}, {})
    after = load_manifest(run.path)
    assert (after.model_folder("k2", -1) / "state.json").read_bytes() == b"three"
    assert not before.model_folder("k2", -1).exists()


def test_old_states_are_removed_after_the_next_commit(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    for _ in range(3):
        run.commit({}, STATES)
    assert [folder.name for folder in (run.path / "states").iterdir()] == ["3"]


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a/../b", "", ".", "a\\b", "c:x", "a\0b"])
def test_a_file_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    run = RunFolder.create(tmp_path / "run")
    with pytest.raises(ArtifactError, match="no name for a file"):
        run.write_model("k", 0, {"ok": b"", name: b"x"})
    run.commit({}, {})
    assert load_manifest(run.path).models == {}
    assert not list((run.path / "members/k").iterdir())


@pytest.mark.parametrize("key", ["../x", "", "a/b", ".hidden", "x" * 200])
def test_a_key_that_is_no_plain_name_is_refused(tmp_path: Path, key: str) -> None:
    run = RunFolder.create(tmp_path / "run")
    with pytest.raises(ArtifactError, match="cannot be"):
        run.write_model(key, 0, {})
    with pytest.raises(ArtifactError, match="cannot be"):
        run.commit({}, {key: {}})


def test_what_cannot_be_saved_is_named_and_the_commit_before_stands(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.commit({"n": 1}, STATES)
    with pytest.raises(ArtifactError, match="thing"):
        run.commit({"n": 2}, {"combiner": {"thing": object()}})
    with pytest.raises(ArtifactError, match="no JSON value"):
        run.commit({"n": object()}, STATES)
    assert load_manifest(run.path).content == {"n": 1}
    run.commit({"n": 3}, STATES)
    assert load_manifest(run.path).content == {"n": 3}


def test_an_existing_run_is_kept_unless_overwriting_is_asked_for(tmp_path: Path) -> None:
    before = started(tmp_path / "run")
    before.commit({"n": 1}, STATES)
    before.close()
    with pytest.raises(OptionError, match=r"run.*overwrite=True"):
        RunFolder.create(tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    run = RunFolder.create(tmp_path / "run", overwrite=True)
    assert sorted(entry.name for entry in run.path.iterdir()) == ["journal.jsonl", "notes.txt", "results.bin"]


def test_a_run_that_still_goes_on_is_not_overwritten(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.commit({"n": 1}, STATES)
    other = RunFolder.create(tmp_path / "other")
    other.commit({"n": 2}, {})
    other.close()
    for put in (lambda: RunFolder.create(run.path, overwrite=True), lambda: export(other.path, run.path, True)):
        with pytest.raises(OptionError, match="a run is still going on"):
            put()
        assert load_manifest(run.path).content == {"n": 1}
    run.journal.append({"n": 3})
    run.close()
    assert Journal.read(RunFolder.create(run.path, overwrite=True).path / "journal.jsonl") == []


def test_a_refused_resume_leaves_no_file_open(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OptionError, match="a run is still going on"):
        RunFolder.reopen(run.path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_model_replaced_by_another_of_the_same_name_is_noticed(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    run.commit({}, STATES)
    run.close()
    found = load_manifest(run.path)
    assert found.unchanged_folder("k2", -1) == run.unchanged_folder("k2", -1) == run.path / "members/k2/all"
    contents = found.contents()
    again = RunFolder.create(run.path, overwrite=True)
    again.write_model("k2", -1, {"state.json": b"another"})
    again.commit({}, {"combiner": {"shares": np.array([1.0])}})
    reads: list[Any] = [
        lambda: found.unchanged_folder("k2", -1),
        lambda: run.unchanged_folder("k2", -1),
        lambda: found.unchanged_folder("k1", 0),
        lambda: found.state("combiner"),
        lambda: found.contents(),
    ]
    for read in reads:
        with pytest.raises(ArtifactError, match="was replaced since it was loaded: load it again"):
            read()
    for name, data in contents.items():
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / name).write_bytes(data)
    assert load_manifest(tmp_path / "copy").models == found.models


def test_a_file_put_beside_those_of_a_model_is_noticed(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    (run.model_folder("k1", 1) / "more.json").write_bytes(b"{}")
    with pytest.raises(ArtifactError, match="was replaced since"):
        run.unchanged_folder("k1", 1)


def test_models_of_an_earlier_process_are_known_once_noted(tmp_path: Path) -> None:
    started(tmp_path / "run").close()
    run = RunFolder.reopen(tmp_path / "run")
    run.adopt({"k1": {0: "members/k1/fold-0"}})
    run.note("k1")
    run.note("never-there")
    assert run.unchanged_folder("k1", 0).is_dir()
    (run.path / "members/k1/fold-0/state.json").write_bytes(b"[1]")
    with pytest.raises(ArtifactError, match="was replaced since"):
        run.unchanged_folder("k1", 0)


def test_a_run_that_never_committed_counts_as_a_run(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run").close()
    with pytest.raises(OptionError, match="overwrite=True"):
        RunFolder.create(tmp_path / "run")
    RunFolder.create(tmp_path / "run", overwrite=True).close()


@pytest.mark.parametrize("name", ["manifest.json", "journal.jsonl", "thesis.doc"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_strangers_folder_is_never_touched(tmp_path: Path, name: str, overwrite: bool) -> None:
    (tmp_path / name).write_text('{"name": "a web app"}')
    with pytest.raises(OptionError, match="no run of Cairn"):
        RunFolder.create(tmp_path, overwrite=overwrite)
    assert (tmp_path / name).read_text() == '{"name": "a web app"}'


def test_a_place_that_cannot_be_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OptionError, match="file"):
            RunFolder.create(place)


def test_an_empty_folder_is_used_by_one_run_only(tmp_path: Path) -> None:
    RunFolder.create(tmp_path)
    with pytest.raises(OptionError):
        RunFolder.create(tmp_path)


def test_a_temporary_run_is_private_and_goes_away_when_closed() -> None:
    run = started(None)
    run.commit({}, STATES)
    assert stat.S_IMODE(os.stat(run.path).st_mode) == 0o700
    run.close()
    run.close()
    assert not run.path.exists()


def test_a_temporary_run_goes_away_with_its_last_reference() -> None:
    run = started(None)
    path = run.path
    del run
    gc.collect()
    assert not path.exists()


_KILLED = "import os; from automl.store import RunFolder; run = RunFolder.create(None); print(run.path); os._exit(0)"


def test_what_killed_processes_left_goes_away_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, new = (_left_by_a_killed_process(tmp_path) for _ in range(2))
    held, at_rest = started(None), started(None)
    at_rest.rest()
    foreign = [tmp_path / "automl-somebody-elses", tmp_path / "else-1"]
    for folder in foreign:
        folder.mkdir()
    for folder in (old, held.path, at_rest.path, *foreign):
        os.utime(folder, (0, 0))
    last = RunFolder.create(None)
    assert {entry.name for entry in tmp_path.iterdir()} == {
        folder.name for folder in (new, held.path, at_rest.path, last.path, *foreign)
    }


def _left_by_a_killed_process(folder: Path) -> Path:
    env = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", _KILLED], env=env, capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def test_nothing_written_is_a_pickle_and_nothing_read_unpickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(tmp_path / "run")
    run.journal.append({"a": 1})
    run.commit({}, STATES)
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert len(files) >= 8
    for path in files:
        with pytest.raises((ValueError, IndexError)):
            list(pickletools.genops(path.read_bytes()))

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    found = load_manifest(run.path)
    assert found.state("combiner")["shares"].sum() == 1
