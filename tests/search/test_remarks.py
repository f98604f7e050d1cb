"""What is said at the end of a run: only what is so."""

from __future__ import annotations

import math
from typing import Any

import pytest

from automl.search.remarks import remarks
from automl.search.settings import Settings


@pytest.fixture
def board(bench: Any) -> Any:
    """Of a search with a baseline and a time limit of 60 seconds."""
    found = bench.search([bench.family("good"), bench.family("base", baseline=True)], lambda job: 0.5)
    found.board.settings = Settings(n_trials=None, deadline=60.0, seconds=60.0)
    return found.board


def test_an_end_below_the_best_baseline_is_said_and_no_other(board: Any) -> None:
    best = board.best(baseline=True)
    (said,) = remarks(best.score - 0.1, board, limited=False, unneeded=0.0)
    assert f"the best baseline, {best.name}" in said.what
    assert "a longer time_limit" in said.done
    assert not remarks(best.score, board, limited=False, unneeded=0.0)
    assert not remarks(math.nan, board, limited=False, unneeded=0.0)
    assert not remarks(best.score - 0.1, board, limited=True, unneeded=0.0)


def test_a_search_that_ends_long_before_its_limit_says_why(board: Any) -> None:
    (said,) = remarks(0.0, board, limited=False, unneeded=0.5)
    assert (said.code, said.done) == ("enough-tried", "ended with 50% of the time left; n_trials= asks for more")
    assert said.what.startswith(f"{board.tried} candidates are about as many as 60 training rows")
    assert not remarks(0.0, board, limited=False, unneeded=0.15)


def test_more_time_is_no_advice_to_who_had_some_left(board: Any) -> None:
    no_lift, enough = remarks(board.best(baseline=True).score - 0.1, board, limited=False, unneeded=0.5)
    assert enough.code == "enough-tried"
    assert "time_limit" not in no_lift.done


def test_one_that_was_given_a_number_of_candidates_needs_no_reason(board: Any) -> None:
    board.settings = Settings(n_trials=6, deadline=60.0, seconds=60.0)
    assert not remarks(0.0, board, limited=False, unneeded=0.5)
