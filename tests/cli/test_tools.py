"""What commands share: exit codes, JSON, files, and what they teach."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from automl.cli.app import app
from automl.cli.frames import check_writable, predictions_frame, write_table
from automl.cli.guard import DEBUG, guarded
from automl.cli.options import split_names
from automl.cli.output import emit_json
from automl.contract import ArtifactError, DataError, ExecutionError, NothingFitted, OptionError, PluginError
from automl.intake.files import read_file

COMMANDS = [["fit"], ["predict"], ["evaluate"], ["leaderboard"], ["describe"], ["plugins", "list"], ["plugins", "info"]]


def raising(error: BaseException) -> Callable[[], None]:
    @guarded
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OptionError("no such preset"), 2),
        (DataError("target-missing", "no target"), 3),
        (NothingFitted("nothing"), 4),
        (ExecutionError("no cluster"), 1),
        (ArtifactError("altered"), 1),
        (PluginError("broken"), 1),
        (ZeroDivisionError("by accident"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_each_kind_of_error_has_its_exit_code_and_one_line(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        raising(error)()
    captured = capsys.readouterr()
    assert ended.value.exit_code == code
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert "Traceback" not in captured.err


def test_an_unexpected_error_says_how_to_see_more(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        raising(ZeroDivisionError("by accident"))()
    assert "ZeroDivisionError: by accident" in (said := capsys.readouterr().err)
    assert "--debug" in said


def test_hostile_text_in_an_error_is_shown_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        raising(DataError("bad", "column \x1b[31mred\r\n"))()
    assert "\x1b" not in capsys.readouterr().err


def test_debug_lets_the_error_through() -> None:
    token = DEBUG.set(True)
    try:
        with pytest.raises(ZeroDivisionError):
            raising(ZeroDivisionError("by accident"))()
    finally:
        DEBUG.reset(token)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_teaches_by_example(command: list[str]) -> None:
    said = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "120", "TERM": "dumb"})
    assert said.exit_code == 0
    assert f"automl {' '.join(command)} " in said.stdout + " "


def test_the_first_page_shows_the_whole_way_and_the_exit_codes() -> None:
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120", "TERM": "dumb"}).stdout
    for command in ("fit", "leaderboard", "evaluate", "predict"):
        assert f"automl {command} " in said
    assert "130" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["fit"],
        ["fit", "absent.csv"],
        ["predict", "absent", "absent.csv"],
        ["fit", "--no-such-option"],
        ["plugins", "info", "no-such-plugin"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2_with_nothing_on_stdout(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr


def test_the_version_is_printed() -> None:
    from automl import __version__

    assert CliRunner().invoke(app, ["--version"]).stdout == f"cairn-automl {__version__}\n"


def test_names_may_be_repeated_or_separated_by_commas() -> None:
    assert split_names(["a,b", " c "]) == ["a", "b", "c"]
    assert split_names([]) is None
    assert split_names(None) is None
    assert split_names([","]) is None


def test_json_has_no_nan_and_no_numpy(capsys: pytest.CaptureFixture[str]) -> None:
    payload: dict[Any, Any] = {
        "nan": math.nan,
        "inf": [np.float32(math.inf)],
        "array": np.array([[1.5, math.nan]]),
        "whole": np.int64(3),
        "flag": np.bool_(True),
        "when": pd.Timestamp("2026-01-02"),
        "text": "naïve",
        3: (None,),
    }
    emit_json(payload)
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "nan": None,
        "inf": [None],
        "array": [[1.5, None]],
        "whole": 3,
        "flag": True,
        "when": "2026-01-02 00:00:00",
        "text": "naïve",
        "3": [None],
    }


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "OUT.CSV"])
def test_a_table_is_written_and_read_back(name: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"prediction": ["a", "b"], "1": [0.25, 0.75]})
    write_table(frame, tmp_path / name)
    pd.testing.assert_frame_equal(read_file(tmp_path / name)[0], frame, check_dtype=False)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_written_file_has_the_usual_rights(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"a": [1]}), tmp_path / "a.csv")
    (tmp_path / "plain").touch()
    rights = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("a.csv", "plain")]
    assert rights[0] == rights[1]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old", encoding="utf-8")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="full"):
        write_table(pd.DataFrame({"a": [1]}), target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert target.read_text(encoding="utf-8") == "old"


def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "there.csv").touch()
    for path in (tmp_path / "a.xlsx", tmp_path / "absent" / "a.csv", tmp_path / "there.csv"):
        with pytest.raises(OptionError, match=path.name.replace(".", r"\.")):
            check_writable(path, overwrite=False)
    check_writable(tmp_path / "there.csv", overwrite=True)
    check_writable(tmp_path / "new.parquet", overwrite=False)


def test_any_answer_becomes_a_frame_with_text_headings() -> None:
    series = pd.Series([1, 2], name="price", index=[7, 9])
    assert predictions_frame(series).to_dict("list") == {"price": [1, 2]}
    assert predictions_frame(pd.Series([1, 2])).columns.tolist() == ["prediction"]
    assert predictions_frame(np.array(["a", "b"])).to_dict("list") == {"prediction": ["a", "b"]}
    assert predictions_frame(pd.DataFrame({0: [0.5], 1: [0.5]})).columns.tolist() == ["0", "1"]
    assert predictions_frame([[1, 2], [3, 4]]).columns.tolist() == ["0", "1"]
