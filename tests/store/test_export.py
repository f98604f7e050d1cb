"""An export holds what the commit refers to, nothing else, and loads the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from automl.contract import ArtifactError, OptionError
from automl.store import RunFolder, export, load_manifest


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder.create(tmp_path / "run")
    run.write_model("used", 0, {"model": b"m"})
    run.write_model("empty", 0, {})
    run.write_model("unused", 0, {"model": b"u"})
    run.commit({"n": 1}, {"combiner": {"shares": np.ones(2)}}, members={"used": [0], "empty": [0]})
    return run


def test_an_export_holds_only_what_the_commit_refers_to(run: RunFolder, tmp_path: Path) -> None:
    export(run, tmp_path / "deep" / "out")
    shutil.rmtree(run.path)
    found = load_manifest(tmp_path / "deep" / "out")
    assert found.content == {"n": 1}
    assert found.model_folder("used", 0).is_dir()
    assert list(found.model_folder("empty", 0).iterdir()) == []
    names = {p.relative_to(found.folder).as_posix() for p in found.folder.rglob("*") if p.is_file()}
    assert names == set(found.files) | {"manifest.json"}
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["out"]


def test_an_export_can_be_exported_again(run: RunFolder, tmp_path: Path) -> None:
    export(run.path, tmp_path / "one")
    export(tmp_path / "one", tmp_path / "two")
    one, two = load_manifest(tmp_path / "one"), load_manifest(tmp_path / "two")
    assert (one.files, one.created, one.content) == (two.files, two.created, two.content)


def test_an_earlier_export_is_replaced_only_when_asked(run: RunFolder, tmp_path: Path) -> None:
    export(run, tmp_path / "out")
    run.commit({"n": 2}, {})
    with pytest.raises(OptionError, match="overwrite=True"):
        export(run, tmp_path / "out")
    assert load_manifest(tmp_path / "out").content == {"n": 1}
    export(run, tmp_path / "out", overwrite=True)
    assert load_manifest(tmp_path / "out").content == {"n": 2}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "run"]


def test_other_peoples_files_are_never_removed(run: RunFolder, tmp_path: Path) -> None:
    export(run, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(OptionError, match=r"notes\.txt"):
        export(run, tmp_path / "out", overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.doc").write_text("mine")
    with pytest.raises(OptionError, match="no run of Cairn"):
        export(run, tmp_path / "other", overwrite=True)


def test_a_run_is_not_exported_onto_itself_or_above(run: RunFolder) -> None:
    for target in (run.path, run.path.parent):
        with pytest.raises(OptionError, match="onto itself"):
            export(run, target, overwrite=True)


def test_a_damaged_run_is_not_exported(run: RunFolder, tmp_path: Path) -> None:
    (run.path / "members/used/fold-0/model").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="damaged"):
        export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_of_a_commit_that_was_read_no_other_is_exported(run: RunFolder, tmp_path: Path) -> None:
    found = load_manifest(run.path)
    export(found, tmp_path / "out")
    run.commit({"n": 2}, {"combiner": {"shares": np.zeros(2)}}, members={"used": [0]})
    with pytest.raises(ArtifactError, match="was replaced since it was loaded: load it again"):
        export(found, tmp_path / "out", overwrite=True)
    assert load_manifest(tmp_path / "out").content == {"n": 1}


def exported(tmp_path: Path, *models: dict[str, bytes]) -> Path:
    """An export of models "a", "b", … of one fold with these files."""
    run = RunFolder.create(tmp_path / "models")
    for key, contents in zip("abcd", models, strict=False):
        run.write_model(key, 0, contents)
    run.commit({}, {})
    export(run, tmp_path / "out")
    return tmp_path / "out"


VIEW = {"view/0/state.json": b"{}", "view/0/arrays": b"terms", "view/state.json": b"[]"}


@pytest.fixture
def alike(tmp_path: Path) -> Path:
    """Three models, two of which see the data alike."""
    other = {**VIEW, "view/0/arrays": b"other", "model/trees": b"3"}
    return exported(tmp_path, {**VIEW, "model/trees": b"1"}, {**VIEW, "model/trees": b"2"}, other)


def test_equal_folders_of_models_are_kept_once(alike: Path) -> None:
    found = load_manifest(alike)
    assert found.elsewhere("b", 0) == {"view": found.model_folder("a", 0) / "view"}
    assert found.elsewhere("a", 0) == found.elsewhere("c", 0) == {}
    assert sorted(p.name for p in found.model_folder("b", 0).iterdir()) == ["model"]


def test_only_an_export_that_shares_needs_a_reader_that_knows_of_it(alike: Path, run: RunFolder) -> None:
    assert b'"format_version":2' in (alike / "manifest.json").read_bytes()
    assert b'"format_version":1' in (run.path / "manifest.json").read_bytes()


def test_models_that_are_alike_to_the_last_file_have_one_folder(tmp_path: Path) -> None:
    whole = {**VIEW, "model/trees": b"1"}
    found = load_manifest(exported(tmp_path, whole, whole, {**VIEW, "model/trees": b"2"}, whole))
    assert {found.model_folder(key, 0) for key in "abd"} == {found.folder / "members/a/fold-0"}
    assert found.elsewhere("d", 0) == {}
    assert list(found.same) == ["members/c/fold-0/view"]


def test_every_folder_keeps_a_file_as_some_copies_know_only_those(tmp_path: Path) -> None:
    one, two = {**VIEW, "model/trees": b"1"}, {"view/0/state.json": b"[]", "model/trees": b"2"}
    found = load_manifest(exported(tmp_path, one, two, {**VIEW, "model/trees": b"2"}))
    assert list(found.same) == ["members/c/fold-0/view"]
    assert (found.model_folder("c", 0) / "model/trees").read_bytes() == b"2"


def test_an_export_that_keeps_folders_once_is_exported_again_as_it_is(alike: Path, tmp_path: Path) -> None:
    export(alike, tmp_path / "again")
    one, two = load_manifest(alike), load_manifest(tmp_path / "again")
    assert (one.files, one.same, one.nbytes) == (two.files, two.same, two.nbytes)


def test_a_shared_folder_is_checked_like_any_other(alike: Path) -> None:
    found = load_manifest(alike)
    (found.model_folder("a", 0) / "view/0/arrays").write_bytes(b"later")
    with pytest.raises(ArtifactError, match="was replaced since it was loaded"):
        found.elsewhere("b", 0)
    with pytest.raises(ArtifactError, match="arrays is damaged"):
        load_manifest(alike)
