"""What commands print: JSON for machines on stdout, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from automl.report.jsonlines import jsonable

if TYPE_CHECKING:
    import pandas as pd


def emit_json(payload: Any) -> None:
    """One JSON document on stdout. NaN and infinities become null, numpy values become Python's."""
    json.dump(jsonable(payload), sys.stdout, indent=2, allow_nan=False, ensure_ascii=False)
    sys.stdout.write("\n")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame as JSON values."""
    return [jsonable(record) for record in frame.to_dict("records")]


@contextmanager
def doing(what: str) -> Iterator[Callable[[str], None]]:
    """What goes on, on a terminal's stderr; the function given is told each step's name."""
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True, highlight=False, force_jupyter=False).status(Text(what)) as status:
        yield lambda step: status.update(Text(f"{what}: {step.replace('_', ' ')}"))


def show(renderable: Any) -> None:
    """Print text or a rich table on stdout; in a pipe without colour, cut lines or trailing blanks."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, force_jupyter=False)
    if console.is_terminal:
        console.print(renderable, soft_wrap=isinstance(renderable, str))
        return
    console = Console(highlight=False, markup=False, force_jupyter=False, no_color=True, width=120)
    with console.capture() as captured:
        console.print(renderable, soft_wrap=isinstance(renderable, str))
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
