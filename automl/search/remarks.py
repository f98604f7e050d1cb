"""What there is to say at the end of a run about what it found."""

from __future__ import annotations

from automl.contract import Finding
from automl.search.board import Board
from automl.search.trial import Trial

_WORTH_TELLING = 0.2


def remarks(score: float, board: Board, limited: bool, unneeded: float) -> list[Finding]:
    """Findings that nobody could have had before.

    Args:
        score: that the model is expected to have.
        limited: the user limits latency or size, so that a baseline may be better.
        unneeded: share of the search's time that was left when there were enough candidates; 0 when it was not so.
    """
    settings = board.settings
    early = settings.clocked and settings.n_trials is None and unneeded > _WORTH_TELLING
    baseline, found = None if limited else board.best(baseline=True), []
    if baseline is not None and score < baseline.score:
        found.append(_no_lift(score, baseline, "more rows" if early else "more rows or a longer time_limit"))
    return [*found, _enough_tried(board, unneeded)] if early else found


def _no_lift(score: float, baseline: Trial, remedy: str) -> Finding:
    what = (
        f"what was found is expected to score {score:.5g}, and the best baseline, {baseline.name}, {baseline.score:.5g}"
    )
    done = "kept: unlike the second figure, the first is of rows that had no say in the choice"
    return Finding("no-lift", what, done=f"{done}; {remedy} may tell them apart")


def _enough_tried(board: Board, unneeded: float) -> Finding:
    what = f"{board.tried} candidates are about as many as {board.facts.n_rows:,} training rows can tell apart"
    return Finding("enough-tried", what, done=f"ended with {unneeded:.0%} of the time left; n_trials= asks for more")
