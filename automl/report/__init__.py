"""What a person sees of a run: the leaderboard, and progress while it goes on."""

from automl.report.leaderboard import Row, build_leaderboard, leaderboard_text, render_leaderboard
from automl.report.progress import Progress

__all__ = ["Progress", "Row", "build_leaderboard", "leaderboard_text", "render_leaderboard"]
