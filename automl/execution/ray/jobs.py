"""Ray Jobs: a program sent to a cluster, its log followed, its end reported. All over the head's HTTP port."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.contract import ExecutionError
from automl.execution.ray import authentication
from automl.execution.ray.cluster import check_installed

_POLL_SECONDS = 1.0
_ATTEMPTS = 30
_INTERRUPTED = 130
_CHATTY = ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", "ray._private.runtime_env.packaging")


@dataclass(frozen=True)
class JobEnd:
    """How a job ended. code: of its program; 0 exactly when it succeeded. message: Ray's, when it did not."""

    code: int
    message: str = ""


class Jobs:
    """The jobs of one cluster.

    Args:
        address: ``http://head:8265``; or what `ray.init` takes, ``head:6379`` or ``ray://head:10001``, which are asked
            for the former.

    Raises ExecutionError when the cluster does not answer or refuses this program.
    """

    def __init__(self, address: str) -> None:
        check_installed()
        self._address = address
        nowhere: dict[str, str | None] = {"RAY_ADDRESS": None, "RAY_API_SERVER_ADDRESS": None}
        with self._told("reach"), authentication.given_token(), authentication.variables(nowhere):
            from ray.job_submission import JobSubmissionClient

            for name in _CHATTY:  # they tell what `submit` tells in its own words; importing them sets their level
                logging.getLogger(name).setLevel(logging.WARNING)
            self._client: Any = JobSubmissionClient(address)

    def submit(self, entrypoint: str, folder: Path, runtime_env: Mapping[str, Any], name: str) -> str:
        """Start a shell command in a copy of this folder; gives the job's id. Raises ExecutionError."""
        environment = {**runtime_env, "working_dir": str(folder)}
        with self._told("submit to"):
            return str(
                self._client.submit_job(entrypoint=entrypoint, runtime_env=environment, metadata={"automl": name})
            )

    def check(self, job: str) -> None:
        """Raises ExecutionError when the cluster knows no such job."""
        with self._told("ask for a job of"):
            if job not in {info.submission_id for info in self._client.list_jobs()}:
                raise ExecutionError(f"Ray at {self._address!r} knows no job {job!r}; `ray job list` shows all")

    def follow(self, job: str) -> Iterator[str]:
        """The job's log as it is written, in pieces, from its beginning to its end."""
        seen, failures = 0, 0
        while True:
            try:
                skip = seen
                for piece in _drained(self._client.tail_job_logs(job)):
                    fresh = piece[skip:]
                    skip = max(0, skip - len(piece))
                    seen += len(fresh)
                    failures = 0
                    if fresh:
                        yield fresh
            except Exception as error:  # the connection broke; the job may live
                failures += 1
                if failures >= _ATTEMPTS:
                    raise self._told_of("follow a job of", error) from error
            if failures == 0 and self._over(job):
                return
            time.sleep(_POLL_SECONDS)

    def log(self, job: str) -> str:
        """All that the job has written. Raises ExecutionError."""
        with self._told("read a log of"):
            return str(self._client.get_job_logs(job))

    def end(self, job: str) -> JobEnd:
        """Wait until it has ended. Raises ExecutionError when the cluster is gone for half a minute."""
        failures = 0
        while True:
            try:
                info = self._client.get_job_info(job)
                if info.status.is_terminal():
                    return _end(info)
                failures = 0
            except Exception as error:
                failures += 1
                if failures >= _ATTEMPTS:
                    raise self._told_of("ask for a job of", error) from error
            time.sleep(_POLL_SECONDS)

    def stop(self, job: str) -> None:
        """Ask it to stop. Raises ExecutionError."""
        with self._told("stop a job of"):
            self._client.stop_job(job)

    def _over(self, job: str) -> bool:
        with self._told("ask for a job of"):
            return bool(self._client.get_job_status(job).is_terminal())

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except ExecutionError:
            raise
        except Exception as error:
            raise self._told_of(what, error) from error

    def _told_of(self, what: str, error: BaseException) -> ExecutionError:
        said = " ".join(str(error).split())[:600]
        if authentication.refused(error):
            return ExecutionError(
                f"Ray at {self._address!r} refuses this program: {authentication.HOW}. It says: {said}"
            )
        hint = "Jobs go to the head's dashboard, usually http://HEAD:8265"
        if "No available agent" in said:
            hint = (
                "Often another Ray on the head's machine has the port of its agent: see dashboard_agent.log there, and "
                "start the head with --dashboard-agent-listen-port=PORT"
            )
        reason = said.rstrip(".") or type(error).__name__
        return ExecutionError(f"cannot {what} Ray at {self._address!r}: {reason}. {hint}")


def _end(info: Any) -> JobEnd:
    status = getattr(info.status, "value", str(info.status))
    if status == "SUCCEEDED":
        return JobEnd(0)
    if status == "STOPPED":
        return JobEnd(_INTERRUPTED, "the job was stopped")
    code = getattr(info, "driver_exit_code", None)
    message = str(info.message or "the job failed").partition(", last available logs")[0]  # they have been shown
    return JobEnd(code if code else 1, message)


def _drained(pieces: AsyncIterator[str]) -> Iterator[str]:
    """An asynchronous iterator, read from code that is not."""
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        while True:
            try:
                yield loop.run_until_complete(anext(pieces))
            except StopAsyncIteration:
                return
    finally:
        with contextlib.suppress(Exception):
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
