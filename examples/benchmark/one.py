"""One system, one data set, one fit: prints what it scored and cost as one JSON line. `run.py` calls this.

With endings, the fit of ours is ended again with other options, each a line of its own (`ablate.py`).

error          1 - AUC, log loss or RMSE on the test part: lower is better
fit_s          wall seconds of fit alone; import_s of importing the system's package before
peak_mb, cpu_s largest memory and CPU seconds of the process tree during fit
row_ms         one row, median over up to 200 rows, of the model saved, loaded and kept in memory
batch_us       microseconds a row, whole test part, second call
disk_mb        what one would deploy
ours only      interval and score_test (was the promise kept?), baseline and baseline_error (its best baseline)
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from data import DATA
from measure import TreeSampler, error_of, latency, size_mb
from systems import OURS, Answer, Question, ended_again, fit, import_of

Row = dict[str, Any]


def run(
    system: str, name: str, limit: float, seed: int, options: dict[str, Any], endings: dict[str, dict[str, Any]]
) -> list[Row]:
    """The row of one fit, and of every ending; with ``failed`` when it did not end in a model that can be deployed."""
    about = DATA[name]
    train, test = about.split(seed)
    question = Question(train, about.target, about.task, about.metric, limit, seed, options)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    kept = folder / "run"
    if endings:
        question.options["path"] = kept
    try:
        rows = [_row(system, name, question, test, lambda: fit(system, question, folder))]
        for ending, changes in endings.items():
            other, own = replace(question, options=changes), folder / ending.partition(":")[2]
            shutil.copytree(kept, own / "run")
            rows.append(_row(ending, name, other, test, partial(ended_again, other, own / "run", own)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def _row(system: str, name: str, question: Question, test: Any, fitted: Callable[[], Answer]) -> Row:
    row: Row = {"system": system, "dataset": name, "task": question.task, "metric": question.metric}
    row |= {"limit": question.limit, "seed": question.seed, "n_train": len(question.train)}
    try:
        _measure(row, question, test, fitted)
    except Exception as error:
        row.pop("error", None)
        row["failed"] = f"{type(error).__name__}: {error}"[:300]
        traceback.print_exc()
    return row


def _measure(row: Row, question: Question, test: Any, fitted: Callable[[], Answer]) -> None:
    X, y = test.drop(columns=[question.target]), test[question.target]
    start = time.monotonic()
    import_of(row["system"])
    row["import_s"] = time.monotonic() - start
    sampler = TreeSampler()
    sampler.start()
    start = time.monotonic()
    answer = fitted()
    row["fit_s"] = time.monotonic() - start
    row |= sampler.end()
    predicted = answer.predict(X)
    row["error"] = error_of(question.metric, y, predicted, answer.classes)
    if row["system"].startswith(OURS):
        row |= _promises(answer.model, test, question.target, question.metric)
    path, loaded = answer.deploy()
    row["disk_mb"] = size_mb(path)
    row |= latency(loaded, X)
    again = np.asarray(loaded(X), dtype=float)
    row["reload_max_diff"] = float(np.abs(again - np.asarray(predicted, dtype=float)).max())


def _promises(model: Any, test: Any, target: str, metric: str) -> Row:
    """The interval promised for the test part, the score there, and the best baseline's error."""
    board = model.leaderboard()
    rows = board[board["baseline"] & (board["state"] == "ok")]
    row: Row = {"score_test": float(model.score(test))}
    row["interval"] = [float(bound) for bound in model.score_interval(len(test))]
    if len(rows):
        X = test.drop(columns=[target])
        best = rows.sort_values("score")["model"].iloc[-1]
        ask = model.predict if metric == "rmse" else model.predict_proba
        row |= {"baseline": best, "baseline_error": error_of(metric, test[target], ask(X, model=best))}
    return row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("system")
    parser.add_argument("dataset", choices=list(DATA))
    parser.add_argument("limit", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("--options", type=json.loads, default={}, help="for ours: arguments of AutoML as JSON")
    parser.add_argument("--endings", type=json.loads, default={}, help="for ours: name -> arguments of AutoML.resume")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    for row in run(given.system, given.dataset, given.limit, given.seed, given.options, given.endings):
        print(json.dumps(row))
    sys.stdout.flush()
    os._exit(0)  # some systems leave threads behind
