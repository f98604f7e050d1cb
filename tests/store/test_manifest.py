"""A damaged, foreign or newer artifact is refused with the name of the file at fault."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from automl.contract import ArtifactError
from automl.store import Manifest, RunFolder, load_manifest, manifest
from automl.store.files import digest


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    run = RunFolder.create(tmp_path / "run")
    run.write_model("k", 0, {"state.json": b"{}", "model.txt": bytes(range(256))})
    run.commit({"task": "t"}, {"combiner": {"shares": np.ones(2)}})
    run.close()
    return run.path


def forged(folder: Path, old: bytes, new: bytes) -> None:
    """Edit the manifest and make its own hash right again, as somebody hostile would."""
    file = folder / "manifest.json"
    body = file.read_bytes()[len(manifest._HEAD) + 64 + len(manifest._MIDDLE) : -len(manifest._TAIL)]
    assert old in body
    body = body.replace(old, new)
    file.write_bytes(manifest._HEAD + digest(body).encode() + manifest._MIDDLE + body + manifest._TAIL)


def test_every_flipped_byte_of_the_manifest_is_noticed(saved: Path) -> None:
    data = (saved / "manifest.json").read_bytes()
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << (place % 8)
        (saved / "manifest.json").write_bytes(bytes(damaged))
        with pytest.raises(ArtifactError, match=r"manifest\.json"):
            load_manifest(saved)


def test_a_cut_manifest_is_refused(saved: Path) -> None:
    data = (saved / "manifest.json").read_bytes()
    for length in (0, 1, 50, 90, len(data) // 2, len(data) - 1):
        (saved / "manifest.json").write_bytes(data[:length])
        with pytest.raises(ArtifactError, match=r"manifest\.json"):
            load_manifest(saved)


def test_a_flipped_byte_of_any_other_file_is_refused_with_its_name(saved: Path) -> None:
    rng = random.Random(0)
    for name in load_manifest(saved).files:
        data = (saved / name).read_bytes()
        for _ in range(20):
            damaged = bytearray(data)
            damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            (saved / name).write_bytes(bytes(damaged))
            with pytest.raises(ArtifactError, match=name):
                load_manifest(saved)
        (saved / name).write_bytes(data)
    load_manifest(saved)


def test_a_missing_file_is_named(saved: Path) -> None:
    (saved / "members/k/fold-0/model.txt").unlink()
    with pytest.raises(ArtifactError, match=r"model\.txt.*incomplete"):
        load_manifest(saved)


def test_a_folder_without_a_commit_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"manifest\.json.*no saved model"):
        load_manifest(tmp_path)


@pytest.mark.parametrize("place", ["members/k/fold-0", "states/1/combiner"])
def test_a_file_planted_in_a_loaded_folder_is_refused(saved: Path, place: str) -> None:
    (saved / place / "extra.safetensors").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="extra"):
        load_manifest(saved)


def test_links_are_refused(saved: Path, tmp_path: Path) -> None:
    file = saved / "members/k/fold-0/model.txt"
    shutil.move(file, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", file)
    with pytest.raises(ArtifactError, match="link"):
        load_manifest(saved)
    file.unlink()
    shutil.move(tmp_path / "elsewhere", file)
    shutil.move(saved / "members", tmp_path / "members")
    os.symlink(tmp_path / "members", saved / "members")
    with pytest.raises(ArtifactError, match="link"):
        load_manifest(saved)


@pytest.mark.parametrize("name", [b"../k/model.txt", b"/etc/passwd", b"members/../../x", b"members//x"])
def test_a_forged_name_that_leaves_the_folder_is_refused(saved: Path, name: bytes) -> None:
    forged(saved, b"members/k/fold-0/model.txt", name)
    with pytest.raises(ArtifactError, match="no name for a file"):
        load_manifest(saved)


def test_a_newer_format_names_the_version_needed(saved: Path) -> None:
    forged(saved, b'"format_version":1', b'"format_version":3')
    forged(saved, b'"automl":"', b'"automl":"9.')
    with pytest.raises(ArtifactError, match=r"format 3.*install 9\..* or newer"):
        load_manifest(saved)


@pytest.mark.parametrize("body", [(b'"files"', b'"flies"'), (b'"format_version":1', b'"format_version":"1"')])
def test_a_manifest_that_lacks_something_is_refused(saved: Path, body: tuple[bytes, bytes]) -> None:
    forged(saved, *body)
    with pytest.raises(ArtifactError, match="lacks what a manifest must say"):
        load_manifest(saved)


def test_a_run_that_commits_meanwhile_is_read_at_its_newer_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder.create(tmp_path / "live")
    run.commit({"number": 1}, {"s": {"a": np.arange(3)}})
    verify, commits = manifest._verify, iter([2, 3])

    def while_it_goes_on(read: Manifest) -> None:
        number = next(commits, None)
        if number is not None:
            run.commit({"number": number}, {"s": {"a": np.arange(number)}})
        verify(read)

    monkeypatch.setattr(manifest, "_verify", while_it_goes_on)
    found = load_manifest(tmp_path / "live")
    assert found.content["number"] == 3
    assert len(found.state("s")["a"]) == 3
    run.close()


def test_a_folder_that_is_not_there_is_told_from_a_file_and_from_one_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArtifactError, match=r"nothere does not exist"):
        load_manifest(tmp_path / "nothere")
    with pytest.raises(ArtifactError, match=r"file is a file; a saved model is a folder"):
        load_manifest(tmp_path / "file")
    with pytest.raises(ArtifactError, match=r"this is no saved model"):
        load_manifest(tmp_path / "folder")
    with pytest.raises(ArtifactError, match=r"nothere does not exist"):
        RunFolder.reopen(tmp_path / "nothere")
