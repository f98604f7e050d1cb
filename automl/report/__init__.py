"""What a person sees of a run: the leaderboard, and progress while it goes on."""

from automl.report.leaderboard import Row, build_leaderboard, leaderboard_text, render_leaderboard
from automl.report.progress import Progress
from automl.report.readable import Description

__all__ = ["Description", "Progress", "Row", "build_leaderboard", "leaderboard_text", "render_leaderboard"]
