"""`automl evaluate`: is what was promised kept on data with known answers?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.cli import options as opt
from automl.cli.output import emit_json, show
from automl.report.text import figure, plain

if TYPE_CHECKING:
    from automl.contract import Metric, Table
    from automl.predictor import Predictor

_SAID = {
    "kept": "kept",
    "above": "above: easier rows, or rows it learnt from",
    "below": "below: this data differs from what the model learnt from",
    "undefined": "undefined: there is no score to compare",
}


def evaluate(
    model: opt.ModelFolder,
    data: opt.DataFile,
    level: opt.Level = 0.9,
    as_json: opt.AsJson = False,
) -> None:
    """Score a model on data with known answers, beside the interval it promised for that many rows.

    \b
    automl evaluate model/ test.csv
    automl evaluate model/ last_month.parquet --json

    A score below the interval says that this data differs from what the model learnt from; one above it, that the rows
    are easier, or that the model has seen them. Rows without an answer are left out.
    """
    told = judged(model, data, level)
    if as_json:
        emit_json(told)
    else:
        _tell(told)


def judged(model: Path, data: Path, level: float) -> dict[str, Any]:
    """What `--json` prints: the score, on how many rows, what was promised for so many, and the verdict."""
    from automl.discovery import Registry
    from automl.predictor import Predictor

    predictor = Predictor.open(model, Registry.installed())
    predictor.check_plugins()
    metric = predictor.metric()
    table, truth, left_out = predictor.labelled(data)
    score = predictor.scored(metric, table, truth)
    low, high = (float(bound) for bound in predictor.honest().interval(metric, len(table), level))
    return {
        "metric": metric.name,
        "score": score,
        "negated": not metric.greater_is_better,
        "rows": len(table),
        "rows_without_target": left_out,
        "level": level,
        "low": low,
        "high": high,
        "verdict": _verdict(score, low, high),
        "reason": _why_undefined(predictor, metric, table) if math.isnan(score) else "",
    }


def _verdict(score: float, low: float, high: float) -> str:
    """A key of `_SAID`. What is no number is neither above nor below."""
    if math.isnan(score) or math.isnan(low) or math.isnan(high):
        return "undefined"
    return "below" if score < low else "above" if score > high else "kept"


def _why_undefined(predictor: Predictor, metric: Metric, table: Table) -> str:
    """Why these rows have no score, as far as the answers tell."""
    target = predictor.problem.roles.get("target")
    column = table[target] if isinstance(target, str) else None
    answers = list(dict.fromkeys(map(str, column.originals()))) if column is not None else []
    if len(answers) == 1:
        return f"all rows have the same answer, {plain(answers[0], 60)}: {metric.name} needs rows of several"
    return f"{metric.name} has no value on these rows"


def _tell(told: dict[str, Any]) -> None:
    """The same, for a person."""
    rows = f"{told['rows']} row{'' if told['rows'] == 1 else 's'}"
    if told["rows_without_target"]:
        rows += f", and {told['rows_without_target']} without an answer are left out"
    direction = "negated, so that higher is better" if told["negated"] else ""
    measure = ", ".join(part for part in (plain(told["metric"], 60), direction) if part)
    if told["reason"]:
        show(f"score undefined on {rows} ({measure}): {told['reason']}")
    else:
        show(f"score {figure(told['score'])} on {rows} ({measure})")
    show(f"promised {figure(told['low'])} to {figure(told['high'])} ({told['level']:.0%}): {_SAID[told['verdict']]}")
