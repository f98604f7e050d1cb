"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import plugins
from automl.cli.evaluate import evaluate
from automl.cli.fit import fit, resume
from automl.cli.guard import DEBUG, guarded
from automl.cli.jobs import run, submit
from automl.cli.use import describe, export, leaderboard, predict, studies

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


def _version(wanted: bool) -> None:
    if wanted:
        from automl import __version__

        typer.echo(f"cairn-automl {__version__}")
        raise typer.Exit


@app.callback()
def start(
    debug: Annotated[bool, typer.Option("--debug", envvar="AUTOML_DEBUG", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Cairn: AutoML and ensembling. Baselines first, an honest score, a deployable ensemble on time.

    \b
    automl fit train.csv --target churned --time-limit 60 -o model/
    automl run job.toml                       # the same, in writing
    automl submit job.toml --ray http://head:8265
    automl resume model/                      # after a crash, or with --time-limit for more
    automl leaderboard model/
    automl evaluate model/ test.csv
    automl predict model/ new.csv -o predictions.csv
    automl export model/ served/              # the model without the training table
    automl studies model/ --storage sqlite:///runs.db   # for optuna-dashboard

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 data rejected, 4 nothing could be fitted, 130 interrupted
    (what had been fitted by then is saved).
    """
    DEBUG.set(debug)


for _command in (fit, resume, run, submit, predict, evaluate, leaderboard, describe, export, studies):
    app.command()(guarded(_command))
app.add_typer(plugins.app, name="plugins")
