"""Token authentication of Ray: a throw-away token for a Ray of our own, and the environment's for anybody else's.

variable               what Ray takes from it
RAY_AUTH_MODE          ``token`` or ``disabled``; never set to the latter here
RAY_AUTH_TOKEN         the token, before
RAY_AUTH_TOKEN_PATH    a file that holds it, before ``~/.ray/auth_token``

Rays before 2.52 know none of these and ignore them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from functools import cache

_MODE, _TOKEN, _FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_SIGNS = ("authenticat", "auth token", "invalidauthtoken")

HOW = (
    "the cluster wants its token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN=… or RAY_AUTH_TOKEN_PATH=FILE (else "
    "~/.ray/auth_token is read) to the token that its nodes were started with"
)


@contextlib.contextmanager
def own_token() -> Iterator[None]:
    """For the while in which a Ray of our own is started: nobody but this process and its workers can use it."""
    with variables({_MODE: "token", _TOKEN: _ours(), _FILE: None}):
        _read_again()
        yield


@contextlib.contextmanager
def given_token() -> Iterator[None]:
    """For the while in which a cluster is joined: a token that the environment names is also used.

    Ray by itself takes a client for one without authentication, whatever token it has, until RAY_AUTH_MODE says other.
    """
    named = _MODE not in os.environ and (os.environ.get(_TOKEN) or os.environ.get(_FILE))
    with variables({_MODE: "token"} if named else {}):
        _read_again()
        yield


def forget() -> None:
    """After a Ray is left: the next one is met with what the environment then says."""
    _read_again()


def refused(error: BaseException) -> bool:
    """Does this say that a token is missing or wrong?"""
    text = f"{type(error).__name__}: {error}".lower()
    return any(sign in text for sign in _SIGNS)


@contextlib.contextmanager
def variables(wanted: dict[str, str | None]) -> Iterator[None]:
    """Set environment variables, or with None remove them, for the while."""
    before = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(before)


def _set(wanted: dict[str, str | None]) -> None:
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@cache
def _ours() -> str:
    """One for the life of this process: a Ray that keeps the token of the last one in mind then has the right one."""
    return secrets.token_hex(32)


def _read_again() -> None:
    """Ray reads these variables once in a process, and keeps them; where it can be told to look again, it is."""
    with contextlib.suppress(ImportError, AttributeError):
        from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined, unused-ignore]

        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()
