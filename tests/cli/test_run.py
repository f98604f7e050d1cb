"""From a file to predictions through the command line, and what happens when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from automl.cli.app import app


def table(n: int, seed: int) -> pd.DataFrame:
    """Two classes, a number and a category that tell them apart, and a gap here and there."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    colour = rng.choice(["red", "green", "blue"], n)
    left = size + (colour == "red") + rng.normal(scale=0.5, size=n) > 0.3
    return pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.05, np.nan, size),
            "colour": colour,
            "=noise": rng.normal(size=n),
            "left": np.where(left, "yes", "no"),
        }
    )


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"CI": "1"})


def told(*arguments: str | Path) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.csv, test.parquet, new.csv and a model fitted by the command line."""
    folder = tmp_path_factory.mktemp("cli")
    table(240, 0).to_csv(folder / "train.csv", index=False)
    table(100, 1).to_parquet(folder / "test.parquet", index=False)
    table(30, 2).drop(columns="left").to_csv(folder / "new.csv", index=False)
    fitted = told(*fit_arguments(folder, folder / "model"))
    (folder / "fitted.json").write_text(json.dumps(fitted), encoding="utf-8")
    return folder


def fit_arguments(folder: Path, output: Path) -> list[str | Path]:
    limits = ["--n-trials", "2", "--executor", "inline", "--random-state", "0"]
    return ["fit", folder / "train.csv", "--target", "left", "-o", output, *limits]


def test_fit_tells_the_score_beside_the_best_baseline(folder: Path) -> None:
    fitted = json.loads((folder / "fitted.json").read_text(encoding="utf-8"))
    assert fitted["path"] == str(folder / "model")
    assert fitted["interrupted"] is False
    assert (fitted["task"], fitted["metric"], fitted["negated"]) == ("binary", "roc_auc", False)
    assert fitted["score"] >= fitted["best_baseline"] - 0.01
    assert sorted(fitted["classes"]) == ["no", "yes"]
    assert {"model", "score", "lift", "baseline", "state"} <= set(fitted["leaderboard"][0])


def test_fit_for_people_ends_with_a_leaderboard_and_what_to_do_next(folder: Path, tmp_path: Path) -> None:
    done = run(*fit_arguments(folder, tmp_path / "model"))
    assert done.exit_code == 0, done.output
    assert "baseline" in done.stdout
    assert "binary, scores are roc_auc" in done.stdout
    assert "automl predict" in done.stdout
    assert "automl: " in done.stderr


def test_quiet_says_nothing_on_stderr(folder: Path, tmp_path: Path) -> None:
    assert run(*fit_arguments(folder, tmp_path / "model"), "--quiet").stderr == ""


def test_predictions_come_in_the_order_of_the_rows(folder: Path, tmp_path: Path) -> None:
    done = run("predict", folder / "model", folder / "new.csv", "-o", tmp_path / "out.csv")
    assert done.exit_code == 0, done.output
    written = pd.read_csv(tmp_path / "out.csv")
    assert written.columns.tolist() == ["left"]
    assert len(written) == 30
    assert set(written["left"]) <= {"yes", "no"}
    assert run("predict", folder / "model", folder / "new.csv").stdout.split() == ["left", *written["left"]]


def test_probabilities_have_a_column_for_each_class(folder: Path, tmp_path: Path) -> None:
    done = run("predict", folder / "model", folder / "new.csv", "--proba", "-o", tmp_path / "out.parquet")
    assert done.exit_code == 0, done.output
    written = pd.read_parquet(tmp_path / "out.parquet")
    assert sorted(written.columns) == ["no", "yes"]
    assert np.allclose(written.sum(axis=1), 1)


def test_predictions_as_json_are_on_stdout(folder: Path) -> None:
    answer = told("predict", folder / "model", folder / "new.csv")
    assert answer["rows"] == 30
    assert {row["left"] for row in answer["predictions"]} <= {"yes", "no"}


def test_one_model_of_the_leaderboard_can_answer(folder: Path) -> None:
    board = told("leaderboard", folder / "model")["leaderboard"]
    name = next(row["model"] for row in board if row["weight"] and row["state"] == "ok")
    assert told("predict", folder / "model", folder / "new.csv", "--model", name)["rows"] == 30
    assert run("predict", folder / "model", folder / "new.csv", "--model", "no-such-model").exit_code == 2


def test_evaluate_sets_the_score_beside_the_promise(folder: Path) -> None:
    answer = told("evaluate", folder / "model", folder / "test.parquet")
    assert answer["rows"] == 100
    assert answer["low"] <= answer["high"]
    assert -1 <= answer["score"] <= 1
    said = run("evaluate", folder / "model", folder / "test.parquet").stdout
    assert "promised" in said


def test_the_leaderboard_can_be_scored_on_new_data(folder: Path) -> None:
    board = told("leaderboard", folder / "model", folder / "test.parquet")["leaderboard"]
    assert board[0]["score_test"] is not None
    assert "lift" in run("leaderboard", folder / "model").stdout


def test_a_baseline_is_described_in_words_and_as_json(folder: Path) -> None:
    told_tree = told("describe", folder / "model", "--model", "tree-baseline")
    assert told_tree["target"] == "left"
    assert all("rule" in part for part in told_tree["parts"])
    assert "of the rows" in run("describe", folder / "model", "--model", "tree-baseline").stdout
    assert run("describe", folder / "model", "--model", "no-such-model").exit_code == 2


def test_an_output_that_is_there_is_not_replaced_unless_asked(folder: Path, tmp_path: Path) -> None:
    done = run(*fit_arguments(folder, folder / "model"))
    assert done.exit_code == 2
    assert "overwrite" in done.stderr
    (tmp_path / "out.csv").touch()
    assert run("predict", folder / "model", folder / "new.csv", "-o", tmp_path / "out.csv").exit_code == 2


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        (["--target", "absent"], 2),
        (["--target", "left", "--groups", "absent"], 2),
        ([], 2),
        (["--target", "size", "--task", "no-such-task"], None),
        (["--target", "left", "--preset", "no-such-preset"], 2),
        (["--target", "left", "--time-limit", "-1"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_in_a_line(extra: list[str], code: int | None, folder: Path, tmp_path: Path) -> None:
    done = run("fit", folder / "train.csv", "-o", tmp_path / "model", "--quiet", "--executor", "inline", *extra)
    assert done.exit_code == code or (code is None and done.exit_code in (1, 2, 3))
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_data_that_lacks_a_column_is_exit_code_3(folder: Path, tmp_path: Path) -> None:
    pd.read_csv(folder / "new.csv").drop(columns="size").to_csv(tmp_path / "less.csv", index=False)
    done = run("predict", folder / "model", tmp_path / "less.csv")
    assert done.exit_code == 3
    assert "size" in done.stderr
    assert done.stdout == ""


def test_a_folder_that_holds_no_model_is_exit_code_1(folder: Path, tmp_path: Path) -> None:
    done = run("predict", tmp_path, folder / "new.csv")
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr


def test_a_model_is_exported_without_the_training_table(folder: Path, tmp_path: Path) -> None:
    assert (folder / "model" / "inputs").is_dir()
    written = told("export", folder / "model", tmp_path / "served")
    assert not (tmp_path / "served" / "inputs").exists()
    files = [path for path in (tmp_path / "served").rglob("*") if path.is_file()]
    assert written["mb"] == pytest.approx(sum(path.stat().st_size for path in files) / 1e6)
    assert (
        run("predict", tmp_path / "served", folder / "new.csv").stdout
        == run("predict", folder / "model", folder / "new.csv").stdout
    )
    assert run("export", folder / "model", tmp_path / "served").exit_code == 2
    assert run("export", folder / "model", tmp_path / "served", "--overwrite").exit_code == 0


def test_help_lists_what_an_option_takes() -> None:
    said = " ".join(run("fit", "--help").output.replace("│", " ").split())
    assert "fast, balanced, best, or interpretable" in said
    assert "such as log_loss or mae" in said
    assert "the run's folder holds more" in said
    assert "Describe this row" in run("describe", "--help").output
    assert "Predict with this row" in run("predict", "--help").output


def test_python_runs_the_command_as_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "automl", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.startswith("cairn-automl ")
    assert done.returncode == 0


def test_an_interrupted_run_saves_the_best_so_far_and_says_so(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    command = [
        "fit",
        folder / "train.csv",
        "-t",
        "left",
        "-o",
        output,
        "--time-limit",
        "120",
        "--n-jobs",
        "1",
        "--json",
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", "from automl.cli import main; main()", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CI": "1"},
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "best " in line and "best –" not in line:
                break
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    assert json.loads(printed)["interrupted"] is True
    assert run("predict", output, folder / "new.csv").exit_code == 0


def test_a_run_is_taken_up_again(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    begun = told(*fit_arguments(folder, output))
    ended = run("resume", output)
    assert ended.exit_code == 2
    assert "has ended" in ended.output
    assert "--time-limit or --n-trials" in " ".join(ended.output.split())
    more = told("resume", output, "--n-trials", "3")
    tried = [sum(row["state"] != "skipped" for row in one["leaderboard"]) for one in (begun, more)]
    assert tried[1] == tried[0] + 1
    assert more["path"] == str(output)


def test_events_go_to_a_file_and_trials_to_studies(folder: Path, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'runs.db'}"
    fitted = told(*fit_arguments(folder, tmp_path / "model"), "--events", tmp_path / "run.jsonl")
    events = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    assert events[-1]["event"] == "run_finished"
    assert {name: events[-1][name] for name in ("seconds", "trials", "failures", "busy", "nodes")} == {
        name: fitted[name] for name in ("seconds", "trials", "failures", "busy", "nodes")
    }
    assert told("studies", tmp_path / "model", "--storage", database, "--name", "churn")["studies"][0] == "churn"
    assert "churn" in run("studies", tmp_path / "model", "--storage", database, "--name", "churn").stdout


def test_events_that_cannot_be_written_are_wrong_usage_before_anything_is_done(folder: Path, tmp_path: Path) -> None:
    done = run(*fit_arguments(folder, tmp_path / "model"), "--events", tmp_path / "absent" / "run.jsonl")
    assert done.exit_code == 2
    assert "there is no folder" in done.stderr
    assert not (tmp_path / "model").exists()
