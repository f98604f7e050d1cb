"""A full disk or a kill at any step leaves the last whole commit, and the run can go on."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from automl.contract import ArtifactError
from automl.store import Journal, RunFolder, export, load_manifest

STEPS = (
    (os, "write"),
    (os, "fsync"),
    (os, "replace"),
    (os, "rename"),
    (pathlib.Path, "write_bytes"),
    (pathlib.Path, "write_text"),
    (safetensors.numpy, "save_file"),
)


class Countdown:
    """Lets `safe` steps pass and then calls `fault`, once."""

    def __init__(self, safe: int, fault: Callable[[], None]) -> None:
        self.left, self.fault, self.struck = safe, fault, False

    def step(self) -> None:
        """Count one step."""
        self.left -= 1
        if self.left == -1:
            self.struck = True
            self.fault()

    def around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, counted before it acts; files are left half written by the fault."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            if original.__name__ in ("write", "write_bytes", "write_text") and self.left == 0:
                original(args[0], args[1][: len(args[1]) // 2], **kwargs)
            self.step()
            return original(*args, **kwargs)

        return counted


def disk_full() -> None:
    """The error of a full disk."""
    raise OSError(errno.ENOSPC, "No space left on device")


def killed() -> None:
    """What kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def failing(safe: int, fault: Callable[[], None]) -> Iterator[Countdown]:
    """Within this, the step after `safe` steps meets the fault."""
    countdown = Countdown(safe, fault)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in STEPS:
            patch.setattr(owner, name, countdown.around(getattr(owner, name)))
        yield countdown


def killed_after(path: Path, safe: int) -> int:
    """Exit status of a process that commits, commits again, and is killed `safe` steps into the second commit."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    run = RunFolder.create(path)
    run.write_model("old", 0, {"model": b"old"})
    run.commit({"n": 1}, {"combiner": {"shares": np.ones(2)}})
    with failing(safe, killed):
        run.journal.append({"n": 2})
        run.write_model("new", 0, {"model": b"new"})
        run.drop_model("old")
        run.commit({"n": 2}, {"combiner": {"shares": np.ones(3)}})
    os._exit(0)


def kill_everywhere(folder: Path) -> None:
    """Kill a run at every step in turn, and look at what it leaves."""
    for safe in range(200):
        status = killed_after(folder / str(safe), safe)
        found = load_manifest(folder / str(safe))
        n = found.content["n"]
        assert n in (1, 2)
        assert len(found.state("combiner")["shares"]) == n + 1
        assert found.model_folder("old" if n == 1 else "new", 0).is_dir()
        if status == 0:
            assert n == 2
            assert safe >= 10
            return
    raise AssertionError("the steps never ended")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_at_any_step_leaves_a_whole_commit(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, __file__, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_full_disk_at_any_step_leaves_the_commit_before_and_the_next_one_works(tmp_path: Path) -> None:
    for safe in range(200):
        run = RunFolder.create(tmp_path / str(safe))
        run.write_model("old", 0, {"model": b"old"})
        run.commit({"n": 1}, {"combiner": {"a": 1}})
        raised = False
        with failing(safe, disk_full) as countdown:
            try:
                run.journal.append({"n": 2})
                run.write_model("new", 0, {"model": b"new"})
                run.drop_model("old")
                run.commit({"n": 2}, {"combiner": {"a": 2}})
            except ArtifactError as error:
                raised = "No space left" in str(error)
        found = load_manifest(run.path)
        assert found.content["n"] == found.state("combiner")["a"]
        run.write_model("third", 0, {"model": b"third"})
        run.commit({"n": 3}, {"combiner": {"a": 3}})
        run.close()
        assert load_manifest(run.path).content["n"] == 3
        assert len(list((run.path / "states").iterdir())) == 1
        Journal.read(run.path / "journal.jsonl")
        assert raised == countdown.struck
        if not countdown.struck:
            assert safe >= 10
            return
    pytest.fail("the steps never ended")


def noted(run: RunFolder, number: int) -> None:
    """What a finished fold leaves: its predictions, and a record that says where they are."""
    assert run.results is not None
    place = run.results.append({"n": number, "values": np.full(9, number)})
    run.journal.append({"n": number, "place": place})


def test_a_full_disk_at_any_write_of_a_fold_loses_at_most_that_fold(tmp_path: Path) -> None:
    for safe in range(200):
        path = tmp_path / str(safe)
        run = RunFolder.create(path)
        run.write_inputs({"rows": np.arange(5)})
        noted(run, 0)
        with failing(safe, disk_full) as countdown, contextlib.suppress(ArtifactError):
            noted(run, 1)
        noted(run, 2)
        run.close()
        again = RunFolder.reopen(path)
        found = again.journal.found
        assert [record["n"] for record in found] == ([0, 2] if countdown.struck else [0, 1, 2])
        assert again.results is not None
        for record in found:
            assert again.results.read(record["place"])["values"].tolist() == [record["n"]] * 9
        assert again.read_inputs()["rows"].tolist() == [0, 1, 2, 3, 4]
        again.close()
        if not countdown.struck:
            assert safe >= 4
            return
    pytest.fail("the steps never ended")


def test_inputs_are_there_whole_or_not_at_all(tmp_path: Path) -> None:
    for safe in range(200):
        run = RunFolder.create(tmp_path / str(safe))
        with failing(safe, disk_full) as countdown, contextlib.suppress(OSError):
            run.write_inputs({"rows": np.arange(5), "name": "a"})
        run.close()
        again = RunFolder.reopen(run.path)
        if countdown.struck and not (run.path / "inputs").is_dir():
            with pytest.raises(ArtifactError, match="its data was not kept"):
                again.read_inputs()
        else:
            assert again.read_inputs()["name"] == "a"
        again.close()
        if not countdown.struck:
            assert safe >= 5
            return
    pytest.fail("the steps never ended")


@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_at_any_step_of_an_export_leaves_the_target_as_it_was(tmp_path: Path, exists: bool) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.write_model("k", 0, {"model": b"old"})
    run.commit({"n": 1}, {"combiner": {"a": 1}})
    place = tmp_path / "out" / "model"
    for safe in range(200):
        shutil.rmtree(place.parent, ignore_errors=True)
        if exists:
            export(run, place)
        with failing(safe, disk_full) as countdown:
            try:
                export(run, place, overwrite=exists)
            except ArtifactError:
                assert countdown.struck
        if exists or not countdown.struck:
            assert load_manifest(place).content == {"n": 1}
        if place.exists():
            assert load_manifest(place).content == {"n": 1}
        assert not list(place.parent.glob(".*.new"))
        if not countdown.struck:
            assert safe >= 5
            return
    pytest.fail("the steps never ended")


if __name__ == "__main__":
    kill_everywhere(Path(sys.argv[1]))
