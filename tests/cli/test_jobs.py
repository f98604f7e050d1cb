"""A run in writing: what a job file may say, how a model comes back through a log, and `automl run` here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from automl import AutoML
from automl.cli import jobs
from automl.cli.app import app
from automl.cli.delivery import holds_model, lines_of, unpack_model, without_model
from automl.cli.jobfile import JobFile
from automl.contract import ArtifactError, OptionError
from automl.store import load_manifest

CHURN = Path(__file__).parents[2] / "examples" / "quickstart" / "churn.csv"
OPTIONS = {"n_trials": 1, "executor": "inline", "random_state": 0, "verbose": 0}


def write(folder: Path, **entries: Any) -> Path:
    """A job file as JSON."""
    file = folder / "job.json"
    file.write_text(json.dumps({"data": str(CHURN), "target": "churned", "options": OPTIONS, **entries}))
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"CI": "1", "RAY_ADDRESS": None})


# -- the file ----------------------------------------------------------------------------------------------------------


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    toml = tmp_path / "job.toml"
    toml.write_text('data = "s3://b/x.csv"\ntarget = "y"\n[options]\ntime_limit = 9\n[roles]\npositive = "yes"\n')
    job = JobFile.read(toml)
    other = tmp_path / "job.json"
    other.write_text(job.text())
    assert JobFile.read(other) == job
    assert job.options == {"time_limit": 9}


def test_paths_begin_where_the_file_lies(tmp_path: Path) -> None:
    job = JobFile.read(write(tmp_path, data="data/x.csv"))
    assert job.place(job.data) == tmp_path / "data" / "x.csv"
    assert job.place("s3://b/x.csv") == "s3://b/x.csv"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"tagret": "y"}, "no entry 'tagret'; did you mean target"),
        ({"options": {"time_limt": 3}}, "no option 'time_limt'; did you mean time_limit"),
        ({"options": {"path": "x"}}, "no option 'path'"),
        ({"data": ""}, "there is no data"),
        ({"target": 3}, "target = 3 must be text"),
        ({"options": 3}, r"write \[options\]"),
        ({"packages": "x.whl"}, "must be a list of wheels"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path: Path, entries: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said) as error:
        JobFile.read(write(tmp_path, **entries))
    assert "job.json" in str(error.value)


def test_a_broken_file_is_wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text("data = ")
    done = run("run", file)
    assert done.exit_code == 2
    assert "no readable job file" in done.stderr


def test_a_package_that_is_no_wheel_is_answered_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="pip wheel --no-deps"):
        JobFile.read(write(tmp_path, packages=["my_plugin"])).wheels()


# -- the way back ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, one of them below."""
    (tmp_path / "model" / "deep").mkdir(parents=True)
    (tmp_path / "model" / "manifest.json").write_text("{}")
    (tmp_path / "model" / "deep" / "x.bin").write_bytes(os.urandom(20_000))
    return tmp_path / "model"


def pieces(text: str, size: int) -> Iterator[str]:
    """A log as it comes: cut anywhere."""
    yield from (text[start : start + size] for start in range(0, len(text), size))


def test_a_folder_comes_back_through_a_log_with_other_lines_in_between(folder: Path, tmp_path: Path) -> None:
    lines = list(lines_of(folder))
    log = "fitting\n" + lines[0] + "a warning of somebody\n" + "".join(lines[1:]) + "done\n"
    unpack_model(log.replace("\n", "\r\n"), tmp_path / "there")
    assert (tmp_path / "there" / "deep" / "x.bin").read_bytes() == (folder / "deep" / "x.bin").read_bytes()
    assert holds_model(log)


@pytest.mark.parametrize("size", [1, 7, 5_000, 10**6])
def test_who_follows_the_log_sees_no_model(folder: Path, size: int) -> None:
    log = "fitting\n= good\n" + "".join(lines_of(folder)) + "done\nlast words"
    assert "".join(without_model(pieces(log, size))) == "fitting\n= good\ndone\nlast words"


def test_a_log_with_a_gap_or_a_changed_part_is_refused(folder: Path, tmp_path: Path) -> None:
    lines = list(lines_of(folder))
    with pytest.raises(ArtifactError, match=r"1 of \d+ parts"):
        unpack_model("".join(lines[:2] + lines[3:]), tmp_path / "a")
    with pytest.raises(ArtifactError, match="damaged"):
        unpack_model("".join([*lines[:2], "= 1 " + lines[1][4:], *lines[3:]]), tmp_path / "b")
    with pytest.raises(ArtifactError, match="holds no model"):
        unpack_model("fitting\n", tmp_path / "c")


def test_a_model_too_large_for_a_log_says_where_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.cli.delivery.MOST_BYTES", 100)
    with pytest.raises(ArtifactError, match="Give a URL as output"):
        list(lines_of(folder))


# -- the commands ------------------------------------------------------------------------------------------------------


def test_a_job_runs_here_and_is_gone_on_with(tmp_path: Path) -> None:
    file = write(tmp_path, output="model")
    done = run("run", file, "--deliver")
    assert done.exit_code == 0, done.output
    assert "baseline" in done.stdout
    unpack_model(done.stdout, tmp_path / "delivered")
    assert load_manifest(tmp_path / "delivered").folder == tmp_path / "delivered"
    again = run("run", file)
    assert "gone on with" in again.stderr
    assert AutoML.load(tmp_path / "model").metric_ == "roc_auc"


def test_the_model_goes_to_a_url(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="the remote extra is not installed")
    data = tmp_path / "data.csv"
    data.write_bytes(CHURN.read_bytes())
    done = run("run", write(tmp_path, data=data.as_uri(), output=(tmp_path / "out").as_uri()))
    assert done.exit_code == 0, done.output
    assert AutoML.load(tmp_path / "out").ensemble_


def test_data_too_large_to_travel_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_UPLOADED", 1000)
    with pytest.raises(OptionError, match="up to 0 MB travel"):
        jobs.pack(JobFile.read(write(tmp_path)), tmp_path / "packed")


def test_what_travels_is_a_job_of_its_own(tmp_path: Path) -> None:
    wheel = tmp_path / "dist" / "my_plugin-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"PK")
    jobs.pack(JobFile.read(write(tmp_path, packages=["dist/" + wheel.name], output="x/y")), tmp_path / "packed")
    there = JobFile.read(tmp_path / "packed" / jobs.FILE)
    assert there.place(there.data) == tmp_path / "packed" / "data" / "churn.csv"
    assert (tmp_path / "packed" / "data" / "churn.csv").read_bytes() == CHURN.read_bytes()
    assert there.wheels() == [tmp_path / "packed" / "packages" / wheel.name]
    assert (there.output, there.options) == ("model", OPTIONS)


def test_equal_jobs_travel_as_different_ones_which_ray_would_put_in_one_place(tmp_path: Path) -> None:
    for name in ("one", "other"):
        jobs.pack(JobFile.read(write(tmp_path)), tmp_path / name)
    one, other = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir() if file.is_file()}
        for name in ("one", "other")
    )
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == ["submitted"]


def test_an_output_that_is_taken_is_found_out_before_the_job_is_sent(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    done = run("submit", write(tmp_path, output="mine"), "--ray", "http://127.0.0.1:9")
    assert done.exit_code == 2
    assert "no run of Cairn" in done.stderr


def test_a_cluster_that_is_not_there_is_said_with_the_usual_address(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    done = run("submit", write(tmp_path), "--ray", "http://127.0.0.1:9")
    assert done.exit_code == 1
    assert "http://HEAD:8265" in done.stderr
