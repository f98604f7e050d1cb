"""A live display for a terminal: a spinner, the phase, the time left and where the run stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from automl.report.tally import Tally

if TYPE_CHECKING:
    from rich.text import Text


class LiveDisplay:
    """Redraws two lines a few times a second; what is printed with `note` stays above them."""

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tally = tally
        self._console = Console(file=stream, force_jupyter=False, highlight=False)
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=True,
        )
        self._live.start()

    def _draw(self) -> Text:
        from rich.text import Text

        frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
        spinner = frames[int(self._tally.clock() * 8) % len(frames)]
        return Text(f"{spinner} {self._tally.line()}", overflow="ellipsis", no_wrap=True)

    def update(self, phase_changed: bool) -> None:
        """Nothing to do: the display redraws itself."""

    def note(self, line: str) -> None:
        """A line that stays; shown as it is, without markup."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Remove the display and give the terminal back."""
        self._live.stop()
