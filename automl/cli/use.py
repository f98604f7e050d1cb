"""`automl predict`, `automl evaluate`, `automl leaderboard`: what to do with a fitted model."""

from __future__ import annotations

import sys
from typing import Any

from automl.cli import options as opt
from automl.cli.frames import check_writable, predictions_frame, read_table, write_table
from automl.cli.output import emit_json, records, show
from automl.report.text import figure, plain


def predict(
    model: opt.ModelFolder,
    data: opt.DataFile,
    output: opt.FileOut = None,
    proba: opt.Proba = False,
    name: opt.OneModel = None,
    overwrite: opt.Overwrite = False,
    as_json: opt.AsJson = False,
) -> None:
    """Predict for the rows of a CSV or Parquet file, in their order.

    \b
    automl predict model/ new.csv -o predictions.csv
    automl predict model/ new.parquet --proba -o probabilities.parquet
    automl predict model/ new.csv --json

    Labels are written as they came in the training data: a spreadsheet may read one that begins with = as a formula.
    """
    from automl import AutoML

    if output is not None:
        check_writable(output, overwrite)
    fitted = AutoML.load(model)
    answer = fitted.predict_proba(data, model=name) if proba else fitted.predict(data, model=name)
    frame = predictions_frame(answer)
    if output is not None:
        write_table(frame, output)
    if as_json:
        emit_json({"rows": len(frame), "path": None if output is None else str(output), "predictions": records(frame)})
    elif output is None:
        frame.to_csv(sys.stdout, index=False)


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
    are easier, or that the model has seen them.
    """
    from automl import AutoML

    fitted = AutoML.load(model)
    rows, score = len(read_table(data)), float(fitted.score(data))
    low, high = (float(bound) for bound in fitted.score_interval(rows, level=level))
    if as_json:
        told = {"metric": fitted.metric_, "score": score, "rows": rows}
        emit_json({**told, "level": level, "low": low, "high": high})
        return
    verdict = "kept" if low <= score <= high else "above: easier rows, or rows it learnt from"
    verdict = "below: this data differs from what the model learnt from" if score < low else verdict
    show(f"score {figure(score)} on {rows} rows ({fitted.metric_}; higher is better, so errors are negative)")
    show(f"promised {figure(low)} to {figure(high)} ({level:.0%}): {verdict}")


def leaderboard(
    model: opt.ModelFolder,
    data: opt.MaybeFile = None,
    as_json: opt.AsJson = False,
) -> None:
    """Every model tried, best first, with what it buys over the best baseline.

    \b
    automl leaderboard model/
    automl leaderboard model/ test.csv
    """
    from automl import AutoML
    from automl.report import render_leaderboard

    board: Any = AutoML.load(model).leaderboard(data)
    if as_json:
        emit_json({"leaderboard": records(board)})
    else:
        show(render_leaderboard(board))


def describe(
    model: opt.ModelFolder,
    name: opt.OneModel = None,
    as_json: opt.AsJson = False,
) -> None:
    """What a readable model does, in words: its tree, or its coefficients.

    \b
    automl fit train.csv --target churned --preset interpretable -o model/
    automl describe model/
    """
    from automl import AutoML

    told = AutoML.load(model).describe(name)
    if as_json:
        emit_json({"model": told.model, "target": told.target, "parts": records(told.to_frame())})
    else:
        show(str(told))


def studies(
    folder: opt.RunOrModel,
    storage: opt.Storage,
    name: opt.StudyName = None,
    as_json: opt.AsJson = False,
) -> None:
    """Write the trials as Optuna studies, for optuna-dashboard; again later, to add what has ended since.

    \b
    automl studies model/ --storage sqlite:///runs.db
    optuna-dashboard sqlite:///runs.db

    One study holds all trials, and one of each model its settings. A model that was saved elsewhere kept only scores.
    """
    from automl.discovery import Registry
    from automl.studies import to_optuna

    written = to_optuna(folder, Registry.installed(), storage, name)
    if as_json:
        emit_json({"studies": written})
    else:
        show("\n".join(plain(one) for one in written))
