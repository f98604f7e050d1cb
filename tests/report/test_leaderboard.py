"""The leaderboard: order, lift over the best baseline, and names that cannot hurt a terminal."""

from __future__ import annotations

import math
from dataclasses import asdict

import pandas as pd
import pytest

from automl.report import Row, build_leaderboard, leaderboard_text, render_leaderboard

ROWS = [
    Row("constant", "constant", baseline=True, score=0.5, fit_s=0.01, predict_s=0.001),
    Row("line", "line", baseline=True, score=0.8, score_test=0.79, fit_s=0.2, predict_s=0.01),
    Row("forest-1", "forest", score=0.9, score_test=0.85, fit_s=130.0, predict_s=0.3, weight=0.25),
    Row("forest-2", "forest", score=0.88, score_test=0.95, fit_s=3.0, predict_s=0.3, weight=0.75),
    Row("half", "forest", score=0.99, state="pruned", reason="behind on the first fold"),
    Row("broken", "broken", state="failed", reason="oom: 9 GB"),
    Row("absent", "absent", state="skipped", reason="not installed"),
    Row("ensemble", "ensemble", score=0.92, score_test=0.9, fit_s=73.0, predict_s=0.6, weight=1.0),
]


def test_the_best_comes_first_and_what_has_no_score_last() -> None:
    board = build_leaderboard(ROWS)
    order = ["ensemble", "forest-1", "forest-2", "line", "constant", "half", "broken", "absent"]
    assert list(board["model"]) == order
    assert list(board.index) == list(range(len(ROWS)))


def test_lift_is_measured_from_the_best_baseline() -> None:
    board = build_leaderboard(ROWS).set_index("model")
    assert board.loc["ensemble", "lift"] == pytest.approx(0.12)
    assert board.loc["line", "lift"] == 0
    assert board.loc["constant", "lift"] == pytest.approx(-0.3)
    assert math.isnan(float(str(board.loc["broken", "lift"])))


def test_a_pruned_row_has_no_lift_since_it_saw_fewer_folds() -> None:
    board = build_leaderboard(ROWS).set_index("model")
    assert board.loc["half", "score"] == 0.99
    assert math.isnan(float(str(board.loc["half", "lift"])))


def test_a_failed_baseline_is_no_floor() -> None:
    rows = [Row("a", baseline=True, score=0.9, state="failed"), Row("b", score=0.7)]
    assert build_leaderboard(rows)["lift"].isna().all()


def test_losses_are_negated_scores_so_higher_is_better() -> None:
    board = build_leaderboard([Row("far", baseline=True, score=-3.0), Row("near", score=-1.0)])
    assert list(board["model"]) == ["near", "far"]
    assert board["lift"].tolist() == [2.0, 0.0]


def test_the_test_score_is_shown_and_decides_only_when_there_is_data() -> None:
    assert "score_test" not in build_leaderboard(ROWS)
    board = build_leaderboard(ROWS, with_test=True)
    assert list(board.columns[3:5]) == ["score", "score_test"]
    assert list(board["model"][:2]) == ["forest-2", "ensemble"]


def test_among_equals_the_baseline_comes_first() -> None:
    board = build_leaderboard([Row("z", score=1.0), Row("b", score=1.0), Row("simple", baseline=True, score=1.0)])
    assert list(board["model"]) == ["simple", "b", "z"]


def test_plain_mappings_are_rows_too() -> None:
    pd.testing.assert_frame_equal(build_leaderboard(asdict(row) for row in ROWS), build_leaderboard(ROWS))


def test_the_order_of_rows_given_does_not_matter() -> None:
    pd.testing.assert_frame_equal(build_leaderboard(ROWS[::-1]), build_leaderboard(ROWS))


def test_columns_have_types_even_when_nothing_was_scored() -> None:
    board = build_leaderboard([Row("broken", state="failed", reason="error: x")])
    assert board["score"].dtype == "float64"
    assert board["lift"].dtype == "float64"
    assert board["baseline"].dtype == bool


def test_an_empty_board_is_a_board() -> None:
    board = build_leaderboard([])
    assert len(board) == 0
    assert "lift" in board
    assert "model" in leaderboard_text(board)


def test_a_score_of_nan_ranks_after_every_number() -> None:
    board = build_leaderboard([Row("nan", score=math.nan), Row("one", score=-1e9)])
    assert list(board["model"]) == ["one", "nan"]


def test_the_text_shows_baselines_lift_and_reasons() -> None:
    text = leaderboard_text(build_leaderboard(ROWS))
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "+0.12" in lines["ensemble"]
    assert "█" in lines["ensemble"]
    assert "baseline" in lines["line"]
    assert "failed: oom: 9 GB" in lines["broken"]
    assert "2:10 min" in lines["forest-1"]


def test_the_text_can_be_cut_to_the_best_rows_and_the_baselines() -> None:
    text = leaderboard_text(build_leaderboard(ROWS), limit=4)
    shown = [line.split()[0] for line in text.splitlines()[2:]]
    assert shown == ["ensemble", "forest-1", "line", "constant"]


def test_a_cut_shorter_than_the_baselines_holds_nothing_else() -> None:
    text = leaderboard_text(build_leaderboard(ROWS), limit=1)
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["line"]


def test_the_table_of_a_test_set_has_its_column() -> None:
    titles = [column.header for column in render_leaderboard(build_leaderboard(ROWS, with_test=True)).columns]
    assert titles == ["model", "score", "test", "lift", "fit", "predict", "weight", "note"]


def test_hostile_names_are_shown_not_obeyed() -> None:
    rows = [Row("\x1b[2J[bold red]m[/]", score=1.0), Row("b\u202e", state="failed", reason="[link=x]y[/link]\r\n")]
    text = leaderboard_text(build_leaderboard(rows))
    assert "\x1b" not in text
    assert "[bold red]m[/]" in text
    assert "\u202e" not in text
    assert "\r" not in text


def test_the_text_says_what_the_scores_are_where_the_frame_tells() -> None:
    rows = [Row("line", baseline=True, score=-3.0), Row("trees", score=-2.0)]
    about = {"task": "regression", "metric": "rmse", "negated": True}
    first = leaderboard_text(build_leaderboard(rows, about=about)).splitlines()[0]
    assert first == "regression, scores are rmse, negated so that higher is better"
    first = leaderboard_text(build_leaderboard(rows, about={**about, "metric": "r2", "negated": False})).splitlines()[0]
    assert first == "regression, scores are r2"
    assert "scores are" not in leaderboard_text(build_leaderboard(rows))
