"""The leaderboard: every model tried, beside the baselines, with what each buys over the best of them.

Scores are higher-is-better. `lift` is a row's score minus the best baseline's, in the metric's own unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from automl.report.text import bar, duration, figure, measure, plain

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

BEFORE, LAST = ("ok", "pruned"), "skipped"  # kinds of failure come between
COLUMNS = ("model", "family", "baseline", "score", "lift", "fit_s", "predict_s", "weight", "state", "reason")


@dataclass(frozen=True)
class Row:
    """One model, or the ensemble.

    Attributes:
        model: unique name, as `predict(X, model=…)` takes it.
        family: the plugin it is a configuration of.
        baseline: it ran first, as a simple model to beat.
        score: cross-validated, higher is better; None when there is none.
        score_test: on the data given to `leaderboard(data)`; None when there is none.
        fit_s, predict_s: seconds, all folds together; `predict_s` without encoding rows.
        weight: its share of the ensemble, 0 to 1.
        state: ok, pruned, skipped, or the kind of its failure: error, invalid, timeout, oom, crashed, node_lost.
        reason: why it is not ok, or "".
    """

    model: str
    family: str = ""
    baseline: bool = False
    score: float | None = None
    score_test: float | None = None
    fit_s: float = math.nan
    predict_s: float = math.nan
    weight: float = 0.0
    state: str = "ok"
    reason: str = ""


def build_leaderboard(
    rows: Iterable[Row | Mapping[str, Any]], with_test: bool = False, about: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Best first; what has no full score comes last, with its reason.

    Args:
        rows: `Row` values, or mappings with its fields.
        with_test: show `score_test`, and order by it.
        about: what the scores are, kept as the frame's ``attrs``: ``task``, ``metric`` and ``negated``, see `measure`.

    Returns:
        One line per row, columns `COLUMNS` (and ``score_test`` after ``score``), index 0…n-1.
    """
    import pandas as pd

    board = [row if isinstance(row, Row) else Row(**row) for row in rows]
    board.sort(key=lambda row: _place(row, with_test))
    floor = best_baseline(board)
    columns = list(COLUMNS)
    if with_test:
        columns.insert(columns.index("score") + 1, "score_test")
    records = [{**asdict(row), "lift": _lift(row, floor)} for row in board]
    frame = pd.DataFrame.from_records(records, columns=columns)
    for column in set(columns) & {"score", "score_test", "lift", "fit_s", "predict_s", "weight"}:
        frame[column] = frame[column].astype("float64")
    frame["baseline"] = frame["baseline"].astype(bool)
    frame.attrs.update(about or {})
    return frame


def about_scores(frame: pd.DataFrame) -> dict[str, Any]:
    """What the frame tells of its scores: task, metric, negated; empty when it was made by hand."""
    return {key: frame.attrs[key] for key in ("task", "metric", "negated") if key in frame.attrs}


def best_baseline(rows: Sequence[Row]) -> float:
    """The best score among baselines that ran to the end; NaN when there is none."""
    scores = [_number(row.score) for row in rows if row.baseline and row.state == "ok"]
    return max((score for score in scores if not math.isnan(score)), default=math.nan)


def _lift(row: Row, floor: float) -> float:
    """What a row buys over the best baseline; NaN unless it ran to the end, since its score is then of fewer folds."""
    return _number(row.score) - floor if row.state == "ok" else math.nan


def _place(row: Row, with_test: bool) -> tuple[int, float, float, bool, str]:
    """Sort key: state, then score (missing last), then the simpler and the alphabetically first."""
    state = BEFORE.index(row.state) if row.state in BEFORE else len(BEFORE) + (row.state == LAST)
    first = _number(row.score_test if with_test else row.score)
    return (state, _descending(first), _descending(_number(row.score)), not row.baseline, row.model)


def _descending(value: float) -> float:
    return math.inf if math.isnan(value) else -value


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def render_leaderboard(frame: pd.DataFrame, limit: int = 0) -> Table:
    """The frame as a rich table: baselines marked, lift drawn as a bar, reasons only where there are some.

    What the scores are stands above it, where the frame tells.

    Args:
        frame: from `build_leaderboard`.
        limit: show this many rows, the baselines among them wherever they stand; 0 shows all.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = frame if limit <= 0 else _best_and_baselines(frame, limit)
    titles = _titles(shown)
    about = about_scores(frame)
    head = Text(measure(**about)) if about else None
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False, title=head, title_justify="left", title_style="")
    for title in titles:
        left = title in ("model", "lift", "note")
        table.add_column(title, justify="left" if left else "right", overflow="fold", no_wrap=title != "note")
    largest = float(shown["lift"].max()) if len(shown) else 0.0
    for record in shown.to_dict("records"):
        cells = _cells({str(key): value for key, value in record.items()}, largest)
        style = "dim" if record["state"] != "ok" else "cyan" if record["baseline"] else ""
        table.add_row(*(Text(cells[title]) for title in titles), style=style)
    return table


def _best_and_baselines(frame: pd.DataFrame, limit: int) -> pd.DataFrame:
    """So many rows: the first ones, and in place of the last of them the baselines that ran but stand further below."""
    always = frame["baseline"] & (frame["state"] == "ok")
    room = max(0, limit - int(always.sum()))
    return frame[always | ((~always).cumsum() <= room)].head(limit)


def _titles(frame: pd.DataFrame) -> list[str]:
    wanted = ["model", "score", "test", "lift", "fit", "predict", "weight", "note"]
    absent = set()
    if "score_test" not in frame.columns:
        absent.add("test")
    if not len(frame) or ((frame["state"] == "ok").all() and not frame["baseline"].any()):
        absent.add("note")
    return [title for title in wanted if title not in absent]


def _cells(record: Mapping[str, Any], largest: float) -> dict[str, str]:
    """What each column shows for one row."""
    lift = figure(record["lift"], digits=3, signed=True)
    if record["state"] == "ok":
        note = "baseline" if record["baseline"] else ""
    else:
        note = ": ".join(part for part in (record["state"], plain(record["reason"], 160)) if part)
    return {
        "model": plain(record["model"], 60),
        "score": figure(record["score"]),
        "test": figure(record.get("score_test")),
        "lift": f"{lift:<8} {bar(record['lift'], largest)}".rstrip(),
        "fit": duration(record["fit_s"]),
        "predict": duration(record["predict_s"]),
        "weight": f"{record['weight']:.2f}" if record["weight"] else "",
        "note": note,
    }


def leaderboard_text(frame: pd.DataFrame, limit: int = 0, width: int = 120) -> str:
    """The same as text without colour, for logs, mails and pages."""
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=width, force_terminal=False, force_jupyter=False, no_color=True)
    with console.capture() as capture:
        console.print(render_leaderboard(frame, limit))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n") + "\n"
