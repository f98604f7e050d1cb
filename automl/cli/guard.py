"""Exit codes, and errors as one clear message instead of a traceback.

code  meaning
0     done
1     the run or the command failed
2     wrong usage: an option, an argument or a file that is not there
3     the data was rejected
4     nothing could be fitted
130   interrupted; what had been fitted by then is saved
"""

from __future__ import annotations

import functools
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from automl.contract import AutoMLError, DataError, NothingFitted, OptionError
from automl.report.text import plain

FAILED, USAGE, REJECTED, NOTHING, INTERRUPTED = 1, 2, 3, 4, 130
DEBUG: ContextVar[bool] = ContextVar("automl_debug", default=False)
_SAID: ContextVar[set[str] | None] = ContextVar("automl_said", default=None)

_IN_WRITING = ("run", "submit")  # commands of a job file, which names options as Python does
_RENAMED = {"ray_address": "ray"}
_ARGUMENT = re.compile(
    r"\b(target|task|metric|time_limit|n_trials|preset|models|max_latency_ms|max_size_mb|executor|ray_address|n_jobs|"
    r"random_state|groups|time|sample_weight|model)=(?=([^\s;,.)])?)"
)
P = ParamSpec("P")
R = TypeVar("R")


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """The command, with the errors it raises turned into a message on stderr and an exit code."""
    import typer

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with plain_warnings():
                return command(*args, **kwargs)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            complain("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            sys.stderr.close()
            raise typer.Exit(0) from None
        except Exception as error:
            if DEBUG.get():
                raise
            in_writing = command.__name__ in _IN_WRITING
            complain(explain(error) if in_writing else in_options(explain(error)))
            raise typer.Exit(exit_code(error)) from None

    return run


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings as one line each on stderr, without the place in our code that means nothing to a user; with --debug
    as Python writes them. What `already_said` was told is left out."""
    said = _SAID.set(set())

    def write(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        text = str(message)
        if text not in (_SAID.get() or ()):
            complain(f"warning: {text}")

    try:
        with warnings.catch_warnings():
            if not DEBUG.get():
                warnings.showwarning = write
            yield
    finally:
        _SAID.reset(said)


def already_said(text: str) -> None:
    """A warning of these words would repeat what the user has been shown."""
    said = _SAID.get()
    if said is not None:
        said.add(text)


def exit_code(error: Exception) -> int:
    """The exit code that tells a script what kind of error this is."""
    if isinstance(error, OptionError) or _asked_wrongly(error):
        return USAGE
    if isinstance(error, DataError):
        return REJECTED
    if isinstance(error, NothingFitted):
        return NOTHING
    return FAILED


def _asked_wrongly(error: Exception) -> bool:
    """Is it the command that lacks a target, or names a column that is not there, rather than the data?"""
    if not isinstance(error, DataError):
        return False
    return error.code == "target-none" or (error.code in ("target-missing", "role-missing") and error.where != "")


def explain(error: Exception) -> str:
    """The error for the person who must act: our own as they are, others with their type and how to see more."""
    if isinstance(error, AutoMLError):
        return str(error)
    reason = f"{type(error).__name__}: {error}"
    return f"{reason} (unexpected; `automl --debug …` shows where)"


def in_options(message: str) -> str:
    """What a message says of Python's arguments, said of options: ``Pass target="x"`` as ``Pass --target "x"``."""

    def option(found: re.Match[str]) -> str:
        name = f"--{_RENAMED.get(found[1], found[1]).replace('_', '-')}"
        return found[0] if name in message else name + (" " if found[2] else "")

    return _ARGUMENT.sub(option, message)


def complain(message: str) -> None:
    """One safe line on stderr."""
    sys.stderr.write(f"automl: {plain(message, 2000)}\n")
