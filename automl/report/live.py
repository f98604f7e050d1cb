"""A live display for a terminal: the phase, the time as a bar, where the run stands, and what is being fitted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TextIO

from automl.report.tally import Tally
from automl.report.text import bar

if TYPE_CHECKING:
    from rich.text import Text

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR = 16  # characters


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

        return Text("\n".join(drawn(self._tally)), overflow="ellipsis", no_wrap=True)

    def update(self, phase_changed: bool) -> None:
        """Nothing to do: the display redraws itself."""

    def beat(self) -> None:
        """Nothing to do, as for `update`."""

    def note(self, line: str) -> None:
        """A line that stays; shown as it is, without markup."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Remove the display and give the terminal back."""
        self._live.stop()


def drawn(tally: Tally) -> list[str]:
    """The display's lines: how the run stands; then the time as a bar, and what is being fitted, where there is any."""
    spinner = _FRAMES[int(tally.clock() * 8) % len(_FRAMES)]
    gone = tally.share_gone()
    clock = "" if math.isnan(gone) else f"▕{bar(gone, 1.0, _BAR):<{_BAR}}▏"
    below = " ".join(part for part in (clock, tally.at_work()) if part)
    return [f"{spinner} {tally.line()}", *([f"  {below}"] if below else [])]
