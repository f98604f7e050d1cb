"""`automl fit`: search, ensemble, save."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from automl.cli import options as opt
from automl.cli.guard import INTERRUPTED, already_said, complain
from automl.cli.output import emit_json, records, show
from automl.report.jsonlines import JsonLines
from automl.report.leaderboard import about_scores
from automl.search.events import Noticed, RunEvent, RunFinished

if TYPE_CHECKING:
    import pandas as pd

    from automl.api import AutoML

_SHOWN = 15  # leaderboard rows printed after a run


def fit(
    data: opt.DataPlace,
    target: opt.Target = None,
    output: opt.ModelOut = Path("model"),
    time_limit: opt.TimeLimit = None,
    n_trials: opt.Trials = None,
    task: opt.Task = "auto",
    metric: opt.Metric = "auto",
    preset: opt.Preset = "balanced",
    models: opt.Models = None,
    max_latency_ms: opt.MaxLatency = None,
    max_size_mb: opt.MaxSize = None,
    executor: opt.Executor = "auto",
    ray: opt.RayAddress = None,
    n_jobs: opt.Jobs = None,
    random_state: opt.Seed = None,
    groups: opt.Groups = None,
    time: opt.Time = None,
    sample_weight: opt.Weight = None,
    overwrite: opt.Overwrite = False,
    offline: opt.Offline = False,
    commercial_only: opt.CommercialOnly = False,
    events: opt.Events = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    as_json: opt.AsJson = False,
) -> None:
    """Learn from a CSV or Parquet file: baselines first, then a search, then an ensemble.

    \b
    automl fit train.csv --target churned --time-limit 60 -o model/
    automl fit train.parquet -t price --metric mae --n-trials 50 --random-state 0
    automl fit visits.csv -t sick --groups patient --models NAME,NAME
    automl fit s3://bucket/train.parquet -t churned --ray head:6379 --time-limit 600

    Ctrl-C keeps the best so far: it is saved, and the exit code is 130.
    """
    from automl import AutoML

    model = AutoML(
        task=task,
        metric=metric,
        time_limit=time_limit,
        n_trials=n_trials,
        preset=preset,
        models=opt.split_names(models),
        max_latency_ms=max_latency_ms,
        max_size_mb=max_size_mb,
        executor="ray" if ray else executor,
        ray_address=ray,
        n_jobs=n_jobs,
        random_state=random_state,
        path=output,
        overwrite=overwrite,
        offline=offline,
        allow_noncommercial=not commercial_only,
        **_watched(events, quiet, verbose),
    )
    model.fit(data, target, groups=groups, time=time, sample_weight=sample_weight)
    _finish(model, output, as_json)


def resume(
    path: opt.RunFolder,
    time_limit: opt.MoreTime = None,
    n_trials: opt.MoreTrials = None,
    executor: opt.OtherExecutor = None,
    ray: opt.RayAddress = None,
    n_jobs: opt.Jobs = None,
    events: opt.Events = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    as_json: opt.AsJson = False,
) -> None:
    """Go on with a run that was broken off; nothing that had finished is done again.

    \b
    automl resume model/
    automl resume model/ --time-limit 600 --ray head:6379

    The folder, which may come from another machine, holds the data and the options of the run.
    """
    from automl import AutoML

    changes: dict[str, Any] = {"executor": "ray" if ray else executor, "ray_address": ray, "n_jobs": n_jobs}
    changes = {name: value for name, value in changes.items() if value is not None}
    watched = _watched(events, quiet, verbose)
    model = AutoML.resume(path, time_limit=time_limit, n_trials=n_trials, **changes, **watched)
    _finish(model, path, as_json)


def _watched(events: Path | None, quiet: bool, verbose: bool) -> dict[str, Any]:
    """What is told of the run, and to whom. Raises OptionError when the user's file for events cannot be written."""
    told = [] if quiet else [remember_note]
    callbacks = [_Last(), *told, *([] if events is None else [JsonLines(events)])]
    return {"verbose": 0 if quiet else 2 if verbose else 1, "callbacks": callbacks}


def remember_note(event: RunEvent) -> None:
    """A callback for runs whose notes are shown: the warning that says the same again is left out."""
    if isinstance(event, Noticed):
        already_said(f"{event.finding.what}; {event.finding.done}")


class _Last:
    """Keeps the last event of a run, for what `--json` tells of it."""

    def __init__(self) -> None:
        self.finished: RunFinished | None = None

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, RunFinished):
            self.finished = event


def _finish(model: AutoML, output: Path, as_json: bool) -> None:
    """Say what came out. Exits with 130 when the run was interrupted."""
    board = model.leaderboard()
    interrupted = bool(model.interrupted_)
    if as_json:
        emit_json({**_summary(model, board), **_effort(model), "path": str(output), "interrupted": interrupted})
    else:
        _tell(board, output)
    if interrupted:
        complain(f"interrupted: the best so far is saved in {output}")
        raise typer.Exit(INTERRUPTED)


def _summary(model: AutoML, board: pd.DataFrame) -> dict[str, Any]:
    """What came out, as JSON values. Scores are higher-is-better: of the metric, `negated` where lower is better."""
    baselines = board.loc[board["baseline"] & (board["state"] == "ok"), "score"]
    return {
        **about_scores(board),
        "score": model.score_,
        "best_baseline": float(baselines.max()) if len(baselines) else None,
        "ensemble": [{"model": name, "weight": weight} for name, weight in model.ensemble_],
        "classes": getattr(model, "classes_", None),
        "findings": [asdict(finding) for finding in model.findings_],
        "leaderboard": records(board),
    }


def _effort(model: AutoML) -> dict[str, Any]:
    """Seconds, trials, and what each machine did, as JSON values."""
    told = [
        heard.finished for heard in model.callbacks or () if isinstance(heard, _Last) and heard.finished is not None
    ]
    names = ("seconds", "trials", "failures", "busy", "nodes")
    return {name: asdict(finished)[name] for finished in told for name in names}


def _tell(board: pd.DataFrame, output: Path) -> None:
    """What came out, for a person, and what to do next."""
    from automl.report import render_leaderboard

    show(render_leaderboard(board, _SHOWN))
    if len(board) > _SHOWN:
        show(f"… and {len(board) - _SHOWN} more: automl leaderboard {output}")
    show(f"saved in {output}; next: automl predict {output} new.csv -o predictions.csv")
