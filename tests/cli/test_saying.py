"""What the command line says of scores, of data and of limits: what is true, once, and in a user's own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from automl.cli.app import app


def table(n: int, seed: int) -> pd.DataFrame:
    """Two classes and a number, told apart by sizes, fees and dates."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D")
    return pd.DataFrame(
        {
            "size": size,
            "fee": rng.uniform(10, 60, n).round(2),
            "since": days.strftime("%Y-%m-%d"),
            "member": rng.random(n) < 0.5,
            "price": (3 * size + rng.normal(size=n)).round(3),
            "left": np.where(size + rng.normal(scale=0.5, size=n) > 0, "yes", "no"),
        }
    )


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"CI": "1"})


def fit(folder: Path, output: str, *more: str, target: str = "left") -> Result:
    limits = ["--n-trials", "1", "--executor", "inline", "--random-state", "0"]
    return run("fit", folder / "train.csv", "-t", target, "-o", folder / output, *limits, *more)


def judged(folder: Path, frame: pd.DataFrame, model: str = "model") -> tuple[dict[str, Any], str]:
    """What `automl evaluate` tells machines and people of these rows."""
    place = folder / "rows.csv"
    frame.to_csv(place, index=False)
    told = run("evaluate", folder / model, place, "--json")
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout), run("evaluate", folder / model, place).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.csv and the model of `left` that the command line fitted to it."""
    folder = tmp_path_factory.mktemp("saying")
    table(240, 0).to_csv(folder / "train.csv", index=False)
    done = fit(folder, "model", "--models", "tree-baseline")
    assert done.exit_code == 0, done.output
    return folder


# -- scores ------------------------------------------------------------------------------------------------------------


def test_a_score_that_is_undefined_is_neither_above_nor_below(folder: Path) -> None:
    rows = table(100, 1)
    told, said = judged(folder, rows[rows["left"] == "no"])
    assert told["score"] is None
    assert told["verdict"] == "undefined"
    assert "all rows have the same answer, no" in said
    assert "above" not in said


def test_rows_without_an_answer_are_not_counted_as_scored(folder: Path) -> None:
    rows = table(100, 1)
    rows.loc[:19, "left"] = None
    told, said = judged(folder, rows)
    full, _ = judged(folder, rows[20:])
    assert (told["rows"], told["rows_without_target"]) == (80, 20)
    assert (told["low"], told["high"]) == (full["low"], full["high"])
    assert "on 80 rows, and 20 without an answer are left out" in said


def test_only_errors_are_called_negated(folder: Path) -> None:
    assert fit(folder, "prices", "--models", "tree-baseline", target="price").exit_code == 0
    told, said = judged(folder, table(100, 1))
    assert not told["negated"]
    assert "negat" not in said
    told, said = judged(folder, table(100, 1), "prices")
    assert told["negated"]
    assert "negated, so that higher is better" in said


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("always:.*more than max_size_mb")
def test_a_limit_that_cannot_be_met_is_told_once_and_without_our_code(folder: Path) -> None:
    done = fit(folder, "small", "--max-size-mb", "0.001")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("more than max_size_mb") == 1
    assert ".py" not in done.stderr
    done = fit(folder, "quiet", "--max-size-mb", "0.001", "--quiet")
    (line,) = done.stderr.splitlines()
    assert line.startswith("automl: warning: the model takes")


# -- data --------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("always::automl.intake.UnreadValues")
def test_values_that_cannot_be_read_are_told_beside_the_predictions(folder: Path) -> None:
    rows = table(20, 2).assign(fee=[f"EUR {number}.65" for number in range(20)])
    rows.to_csv(folder / "priced.csv", index=False)
    done = run("predict", folder / "model", folder / "priced.csv")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 21
    (line,) = done.stderr.splitlines()
    assert line.startswith("automl: warning: column fee: 20 of 20 values could not be read as numbers, like 'EUR 0.65'")


# -- words -------------------------------------------------------------------------------------------------------------


def test_what_to_do_is_said_in_options(folder: Path) -> None:
    done = run("fit", folder / "train.csv", "-o", folder / "none")
    assert done.exit_code == 2
    assert 'Pass --target "column"' in done.stderr
    assert "target=" not in done.stderr
    done = run("fit", folder / "train.csv", "-t", "left", "-o", folder / "none", "--preset", "quick")
    assert done.exit_code == 2
    assert "--preset 'quick' is unknown" in done.stderr


def test_a_job_file_is_answered_in_its_own_words(folder: Path) -> None:
    job = folder / "job.toml"
    said = 'data = "train.csv"\ntarget = "left"\noutput = "other"\n[options]\npreset = "quick"\n'
    job.write_text(said, encoding="utf-8")
    assert "preset='quick' is unknown" in run("run", job).stderr


def test_every_option_that_is_said_for_an_argument_is_one() -> None:
    import inspect

    from automl.cli.fit import fit
    from automl.cli.guard import _ARGUMENT
    from automl.cli.use import predict

    named = set(_ARGUMENT.pattern.partition("(")[2].partition(")")[0].split("|"))
    there = {*inspect.signature(fit).parameters, "model", "ray_address"}
    assert named <= there
    assert "name" in inspect.signature(predict).parameters
