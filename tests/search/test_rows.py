"""The leaderboard's rows: every trial, every model that did not take part, and the ensemble."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from automl.search.deploy import ENSEMBLE, Deployment
from automl.search.families import Field, Skipped
from automl.search.rows import board_rows


@pytest.fixture
def found(bench: Any) -> Any:
    """A good trial, a failed one, a hopeless one and a baseline."""

    def answer(job: Any) -> Any:
        if job.candidate.model == "late":
            return 0.5 if job.candidate.params["level"] == 0.5 else 9.0
        return {"good": 0.1, "failed": "oom", "base": 1.0}[job.candidate.model]

    families = [bench.family(name, knobs=False) for name in ("good", "failed")]
    families += [bench.family("late", starts=1), bench.family("base", baseline=True)]
    return bench.search(families, answer, n_trials=4)


def test_every_trial_and_every_absent_model_has_a_row(found: Any) -> None:
    rows = {row["model"]: row for row in board_rows(found.board.trials, [Skipped("gone", "not installed")], None)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "good": "ok", "failed": "oom", "late": "ok", "late-2": "pruned", "base": "ok", "gone": "skipped",
    }  # fmt: skip
    assert rows["good"]["score"] == pytest.approx(-0.1)
    assert rows["late-2"]["score"] == pytest.approx(-9.0)
    assert rows["failed"]["score"] is None
    assert not rows["failed"]["reason"].startswith("oom: ")
    assert rows["gone"]["reason"] == "not installed"
    assert rows["base"]["baseline"] is True
    assert rows["good"]["fit_s"] == 3.0


def test_a_model_whose_turn_did_not_come_is_absent_too(bench: Any) -> None:
    families = [bench.family("begun"), bench.family("late"), bench.family("dear", seconds=1e6)]
    absent = Field(families, [Skipped("gone", "not installed")]).absent({"begun"}, bench.facts)
    assert absent.pop().reason.endswith("by its own estimate one fit takes 1,000,000 s")
    assert [(one.name, one.reason.partition(" within")[0]) for one in absent] == [
        ("gone", "not installed"), ("late", "its turn did not come"),
    ]  # fmt: skip


def test_the_ensemble_adds_up_its_members(found: Any) -> None:
    plan = Deployment((), ("good", "base"), (0.75, 0.25), "greedy", -0.05)
    rows = {row["model"]: row for row in board_rows(found.board.trials, [], plan)}
    assert (rows["good"]["weight"], rows["base"]["weight"], rows["failed"]["weight"]) == (0.75, 0.25, 0.0)
    whole = rows[ENSEMBLE]
    assert whole["score"] == -0.05
    assert whole["fit_s"] == rows["good"]["fit_s"] + rows["base"]["fit_s"]
    assert whole["reason"] == "2 models"


def test_an_ensemble_of_one_says_which(found: Any) -> None:
    plan = Deployment((), ("good",), (1.0,), "", math.nan)
    whole = board_rows(found.board.trials, [], plan)[-1]
    assert (whole["reason"], whole["score"]) == ("is good", None)


def test_rows_are_json(found: Any) -> None:
    plan = Deployment((), ("good",), (1.0,), "", math.nan)
    json.dumps(board_rows(found.board.trials, [Skipped("gone", "x")], plan), allow_nan=False)
