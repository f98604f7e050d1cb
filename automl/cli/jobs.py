"""`automl run` and `automl submit`: a run in writing, done here or in a Ray cluster."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
import uuid
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli import options as opt
from automl.cli.delivery import holds_model, lines_of, unpack_model, without_model
from automl.cli.fit import remember_note
from automl.cli.guard import INTERRUPTED, complain
from automl.cli.jobfile import JobFile
from automl.cli.output import show
from automl.contract import OptionError
from automl.intake.remote import is_url, upload
from automl.store import export
from automl.store.claim import check_free, is_ours

if TYPE_CHECKING:
    from automl.api import AutoML
    from automl.execution.ray.jobs import Jobs

MOST_UPLOADED = 100_000_000
FILE = "job.json"
_STAMP = "submitted"
NO_COMMAND = 127
File = Annotated[
    Path, typer.Argument(help="Job file, see examples/cluster_job.", exists=True, dir_okay=False, show_default=False)
]
Cluster = Annotated[
    str,
    typer.Option("--ray", metavar="ADDRESS", help="Of the cluster, usually http://HEAD:8265.", envvar="RAY_ADDRESS"),
]
Deliver = Annotated[bool, typer.Option("--deliver", hidden=True)]
Attach = Annotated[str | None, typer.Option("--attach", metavar="ID", help="Follow this job, submitted before.")]
Detach = Annotated[bool, typer.Option("--detach", help="Submit, say the job's ID, and do not wait for its end.")]


def run(file: File, overwrite: opt.Overwrite = False, deliver: Deliver = False) -> None:
    """Do what a job file says, in this process; on Ray when RAY_ADDRESS is set, as it is in a Ray job.

    \b
    automl run job.toml

    When the output folder holds this run, broken off, it is gone on with.
    """
    from automl.report import leaderboard_text

    job = JobFile.read(file)
    with tempfile.TemporaryDirectory(prefix="automl-job-") as scratch:
        _import_from(job.wheels(), Path(scratch))
        remote = is_url(job.output)
        folder = Path(scratch) / "run" if remote else job.folder / job.output
        model = _fitted(job, folder, overwrite)
        show(leaderboard_text(model.leaderboard(), limit=15))
        kept = Path(scratch) / "model"
        if remote or deliver:
            model.save(kept)
        if remote:
            upload(kept, job.output)
        elif deliver:
            sys.stdout.writelines(lines_of(kept))
            sys.stdout.flush()
        show(f"the model is in {job.output}")
    if model.interrupted_:
        complain("interrupted: the best so far is saved")
        raise typer.Exit(INTERRUPTED)


def submit(
    file: File,
    ray: Cluster,
    attach: Attach = None,
    detach: Detach = False,
    overwrite: opt.Overwrite = False,
) -> None:
    """Do what a job file says in a Ray cluster: send it, follow its log, fetch the model.

    \b
    automl submit job.toml --ray http://head:8265
    automl submit job.toml --ray http://head:8265 --detach
    automl submit job.toml --ray http://head:8265 --attach raysubmit_…

    Data of up to 100 MB and wheels of plugins travel with the job; larger data is given by URL. The exit code is the
    job's. Ctrl-C leaves the job running; --attach comes back to it.
    """
    from automl.execution.ray.jobs import Jobs

    job = JobFile.read(file)
    if not is_url(job.output) and not attach:
        check_free(job.folder / job.output, overwrite)
    jobs = Jobs(ray)
    if attach:
        jobs.check(attach)
    name = attach or _send(jobs, job)
    complain(f"job {name}; stop it with: ray job stop {name} --address {ray}")
    if detach:
        show(name)
        return
    try:
        _follow(jobs, name, job, overwrite)
    except KeyboardInterrupt:
        complain(f"the job goes on; come back to it with: automl submit {file} --ray {ray} --attach {name}")
        raise


def _fitted(job: JobFile, folder: Path, overwrite: bool) -> AutoML:
    """The model of the run in this folder: begun, or gone on with where an earlier process was broken off."""
    from automl import AutoML

    if is_ours(folder) and not overwrite:
        complain(f"{folder} holds a run, which is gone on with")
        return AutoML.resume(folder, callbacks=[remember_note])
    callbacks = [remember_note] if job.options.get("verbose", 1) else []
    model = AutoML(**{**job.options, "path": folder, "overwrite": overwrite, "callbacks": callbacks})
    columns = {"groups": job.groups, "time": job.time, "sample_weight": job.sample_weight}
    data = job.place(job.data)
    return model.fit(data, job.target, roles=dict(job.roles) or None, **columns)


def _import_from(wheels: list[Path], scratch: Path) -> None:
    """Make the plugins of these wheels known to this process, which sends them on to workers."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch / wheel.stem)
        sys.path.insert(0, str(scratch / wheel.stem))


def _send(jobs: Jobs, job: JobFile) -> str:
    """Pack a folder for the job and start it; gives its id."""
    with tempfile.TemporaryDirectory(prefix="automl-job-") as scratch:
        folder = Path(scratch)
        pack(job, folder)
        entrypoint = f"automl run {shlex.quote(FILE)} --deliver"
        return jobs.submit(entrypoint, folder, job.runtime_env, job.folder.name)


def pack(job: JobFile, folder: Path) -> None:
    """The job file, its data and its wheels, in one new folder. Raises OptionError when that is too much to send."""
    travelling = [path for path in (job.place(job.data),) if isinstance(path, Path)]
    for path in travelling:
        if not path.exists():
            raise OptionError(f"there is no data at {path}; paths of a job file begin where it lies")
    wheels = job.wheels()
    size = sum(file.stat().st_size for path in [*travelling, *wheels] for file in (path, *path.rglob("*")))
    if size > MOST_UPLOADED:
        raise OptionError(
            f"data and packages have {size / 1e6:.0f} MB; up to {MOST_UPLOADED / 1e6:.0f} MB travel with a job. Put "
            'it where the cluster reads it and give its URL: data = "s3://bucket/train.parquet", or file:///… for '
            "a path that the head node has"
        )
    there = replace(
        job,
        data="/".join(["data", travelling[0].name]) if travelling else job.data,
        packages=tuple(f"packages/{wheel.name}" for wheel in wheels),
        output=job.output if is_url(job.output) else "model",
    )
    for path in travelling:
        _copy(path, folder / there.data)
    for wheel in wheels:
        _copy(wheel, folder / "packages" / wheel.name)
    (folder / FILE).write_text(there.text(), encoding="utf-8")
    (folder / _STAMP).write_text(uuid.uuid4().hex)  # Ray gives equal folders one place, where an earlier run would lie


def _copy(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, place)
    else:
        shutil.copy(path, place)


def _follow(jobs: Jobs, name: str, job: JobFile, overwrite: bool) -> None:
    """Pass on the log, fetch the model, and end as the job ended."""
    for line in without_model(jobs.follow(name)):
        sys.stdout.write(line)
        sys.stdout.flush()
    end = jobs.end(name)
    log = "" if is_url(job.output) else jobs.log(name)
    if log and (end.code == 0 or holds_model(log)):
        check_free(job.folder / job.output, overwrite)
        _fetch(log, job.folder / job.output)
    if end.code == NO_COMMAND:
        complain("the head has no command `automl`: install cairn-automl there, in the environment that runs Ray")
    if end.code:
        complain(f"job {name} ended with exit code {end.code}: {end.message}")
        raise typer.Exit(end.code)


def _fetch(log: str, output: Path) -> None:
    """Put the model of a job where it belongs, whole or not at all. Raises ArtifactError."""
    with tempfile.TemporaryDirectory(prefix="automl-job-") as scratch:
        unpack_model(log, Path(scratch))
        output.parent.mkdir(parents=True, exist_ok=True)
        export(Path(scratch), output, overwrite=True)
    show(f"the model is in {output}; next: automl leaderboard {output}")
