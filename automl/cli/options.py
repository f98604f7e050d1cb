"""Arguments and options of the commands, with the words that explain them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _there(place: str) -> str:
    """Refuse a path where no file is; what a URL leads to is found out when it is read."""
    from automl.intake.remote import is_url

    if not is_url(place) and not Path(place).exists():
        raise typer.BadParameter(f"file {place!r} does not exist")
    return place


ModelFolder = Annotated[
    Path, typer.Argument(help="Folder that `automl fit` wrote.", exists=True, file_okay=False, show_default=False)
]
DataFile = Annotated[Path, typer.Argument(help="CSV or Parquet file.", exists=True, dir_okay=False, show_default=False)]
DataPlace = Annotated[
    str,
    typer.Argument(help="CSV or Parquet file, or its URL.", metavar="DATA", callback=_there, show_default=False),
]
MaybeFile = Annotated[
    Path | None, typer.Argument(help="Also score every model on this file.", exists=True, dir_okay=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")]

Target = Annotated[str | None, typer.Option("--target", "-t", help="Column to predict.")]
ModelOut = Annotated[
    Path, typer.Option("--output", "-o", help="Folder for the model, usable from the first commit on.")
]
TimeLimit = Annotated[
    float | None, typer.Option("--time-limit", min=0.1, help="Seconds for everything; 300 unless --n-trials.")
]
Trials = Annotated[
    int | None, typer.Option("--n-trials", min=1, help="Stop after this many trials: repeatable, no clock.")
]
Task = Annotated[str, typer.Option(help="Task plugin, or auto. See `automl plugins list`.")]
Metric = Annotated[
    str,
    typer.Option(
        help="The metric that decides, such as log_loss or mae, or auto; an unknown one is answered with all."
    ),
]
Preset = Annotated[
    str, typer.Option(help="fast, balanced, best, or interpretable for one model that `automl describe` puts in words.")
]
Models = Annotated[
    list[str] | None, typer.Option(help="Model plugins to use, comma-separated or repeated; all by default.")
]
Executor = Annotated[str, typer.Option(help="auto, inline, local or ray.")]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", help="Run on this Ray cluster: HEAD:6379 or auto; implies --executor ray."
    ),
]
MaxLatency = Annotated[
    float | None, typer.Option("--max-latency-ms", min=0.01, help="Milliseconds that predicting one row may take.")
]
MaxSize = Annotated[
    float | None,
    typer.Option(
        "--max-size-mb",
        min=0.001,
        help="Megabytes that the model may take as `automl export` and save() write it; the run's folder holds more.",
    ),
]
Jobs = Annotated[int | None, typer.Option(help="Fits at the same time; all cores by default.")]
Seed = Annotated[int | None, typer.Option(help="Seed of everything random.")]
Groups = Annotated[str | None, typer.Option(help="Column whose equal values stay in one fold.")]
Time = Annotated[str | None, typer.Option(help="Column that orders the rows; the future is never learnt from.")]
Weight = Annotated[str | None, typer.Option(help="Column of row weights.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Offline = Annotated[bool, typer.Option("--offline", help="Leave out plugins that need a network.")]
CommercialOnly = Annotated[
    bool, typer.Option("--commercial-only", help="Leave out plugins whose licence forbids commercial use.")
]
Events = Annotated[
    Path | None,
    typer.Option("--events", metavar="FILE", help="Append what happens to this file, a JSON object a line."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="A line for every trial.")]

RunFolder = Annotated[
    Path,
    typer.Argument(help="Folder of a run that was broken off.", exists=True, file_okay=False, show_default=False),
]
MoreTime = Annotated[
    float | None, typer.Option("--time-limit", min=0.1, help="Seconds from now; what was left by default.")
]
MoreTrials = Annotated[
    int | None, typer.Option("--n-trials", min=1, help="Trials of the whole run; as it was begun by default.")
]
OtherExecutor = Annotated[
    str | None, typer.Option("--executor", help="auto, inline, local or ray; as it was begun by default.")
]

RunOrModel = Annotated[
    Path,
    typer.Argument(
        help="Folder of a run, which may still be going on, or a model.",
        exists=True,
        file_okay=False,
        show_default=False,
    ),
]
Storage = Annotated[
    str, typer.Option("--storage", metavar="URL", help="Database such as sqlite:///runs.db; made when absent.")
]
StudyName = Annotated[str | None, typer.Option("--name", help="Of the study; the folder's name by default.")]

FileOut = Annotated[
    Path | None, typer.Option("--output", "-o", help="CSV or Parquet file to write; CSV on stdout by default.")
]
Proba = Annotated[bool, typer.Option("--proba", help="A column of probabilities for each class.")]
OneModel = Annotated[
    str | None, typer.Option("--model", help="Predict with this row of the leaderboard, not the ensemble.")
]
DescribedModel = Annotated[
    str | None, typer.Option("--model", help="Describe this row of the leaderboard; by default the only model.")
]
ModelPlace = Annotated[Path, typer.Argument(help="New folder for the model.", file_okay=False, show_default=False)]
Level = Annotated[float, typer.Option(min=0.5, max=0.999, help="Confidence of the promised interval.")]


def split_names(values: list[str] | None) -> list[str] | None:
    """``["a,b", "c"]`` as ``["a", "b", "c"]``; None when nothing was given."""
    names = [name.strip() for value in values or () for name in value.split(",")]
    return [name for name in names if name] or None
