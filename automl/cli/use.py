"""`automl predict`, `automl leaderboard`, `automl describe`, `automl studies`: what to do with a fitted model."""

from __future__ import annotations

import sys
from typing import Any

from automl.cli import options as opt
from automl.cli.frames import check_writable, predictions_frame, write_table
from automl.cli.output import emit_json, records, show
from automl.report.text import plain


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
    from automl.report.leaderboard import about_scores

    board: Any = AutoML.load(model).leaderboard(data)
    if as_json:
        emit_json({**about_scores(board), "leaderboard": records(board)})
    else:
        show(render_leaderboard(board))


def describe(
    model: opt.ModelFolder,
    name: opt.DescribedModel = None,
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


def export(
    folder: opt.RunOrModel,
    model: opt.ModelPlace,
    overwrite: opt.Overwrite = False,
    as_json: opt.AsJson = False,
) -> None:
    """Write the model alone to a folder of its own, without the training table that a run's folder holds.

    \b
    automl export model/ served/

    It predicts and is evaluated as before; `automl resume` needs the run's folder.
    """
    from automl.store import export as copy
    from automl.store import load_manifest

    copy(folder, model, overwrite)
    size = load_manifest(model).nbytes / 1e6
    if as_json:
        emit_json({"path": str(model), "mb": size})
    else:
        show(f"the model is in {model} ({size:.3g} MB)")


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
