"""The command `automl`: fit, predict, evaluate, look at a leaderboard, and see which plugins are there."""

from __future__ import annotations


def main() -> None:
    """Run the command line of this process; ends it with an exit code of `automl.cli.guard`."""
    from automl.cli.app import app

    app(prog_name="automl")
