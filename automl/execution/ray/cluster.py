"""The Ray that jobs run on: joined, or started here."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
import threading
import uuid
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from automl.contract import ExecutionError
from automl.execution.guard import end_marked
from automl.execution.limits import available_cpus
from automl.execution.local import Guard
from automl.execution.luggage import pack
from automl.execution.ray import authentication

_MARK = "AUTOML_RAY"
_KEEP_ENVIRONMENT = "SPT_NOENV"  # else the titles that Ray's agents take often overwrite the mark in their environment
_OBJECT_STORE = 1_000_000_000
_REACH_SECONDS = 100.0
_KNOCK_SECONDS = 5.0
_LEAVE_SECONDS = 10.0


class Cluster:
    """The Ray that jobs run on: joined, or started here and then also shut down here.

    patience: seconds that it may take to be there; at most 100.
    """

    def __init__(
        self,
        slots: int | None,
        address: str | None,
        plugins: Mapping[str, Collection[str]] | None = None,
        patience: float = _REACH_SECONDS,
    ) -> None:
        self._slots = slots
        self._patience = min(patience, _REACH_SECONDS)
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._plugins = plugins or {}
        self._luggage: Any = None
        self._own = self._started_here = self._lost = False
        self._keeper: threading.Thread | None = None
        self._there, self._over = threading.Event(), threading.Event()
        self._failure: BaseException | None = None
        self._guard: Guard | None = None
        self._mark = f"{_MARK}={uuid.uuid4().hex}"

    def begin(self) -> None:
        """Connect in the background, in a thread that stays: Ray's daemons die with the thread that started them."""
        if self._keeper is None:
            check_installed()
            self._keeper = threading.Thread(target=self._keep, name="automl-ray", daemon=True)
            self._keeper.start()

    def join(self) -> None:
        """Wait until it is there. Raises ExecutionError when it cannot be reached or started."""
        self.begin()
        if not self._there.wait(self._patience):
            if self._address == "local":
                why = 'could not be started on this machine, which is busy; executor="local" does without Ray'
            else:
                why = f"at {self._address!r} did not answer; is it running?"
            raise ExecutionError(f"within {self._patience:.3g} s, Ray {why}")
        if self._failure is not None:
            raise ExecutionError(_why(self._address, self._failure)) from self._failure

    def luggage(self) -> Any:
        """Parcels of plugins for workers on other machines, in the object store; nothing for a Ray of our own."""
        if self._own:
            return ()
        if self._luggage is None:
            import ray

            self._luggage = ray.put(pack(self._plugins))
        return self._luggage

    @property
    def own(self) -> bool:
        """Was it started here?"""
        return self._own

    def abandon(self) -> None:
        """It is lost: leave it, whoever has joined it, beside the program; Ray would soon end the program otherwise."""
        import ray

        self._lost = True
        threading.Thread(target=ray.shutdown, name="automl-ray-leaves", daemon=True).start()

    def close(self) -> None:
        """Shut down what was started here."""
        if self._keeper is None:
            return
        self._there.wait(_LEAVE_SECONDS)
        if self._started_here and not self._lost:
            import ray

            self._started_here = False
            ray.shutdown()
            authentication.forget()
        if self._guard is not None:
            end_marked({self._mark.encode()}, rounds=1)  # agents that would notice only later
            self._guard.close()
            self._guard = None
        self._over.set()

    def _keep(self) -> None:
        try:
            self._connect()
        except Exception as error:
            self._failure = error
        self._there.set()
        self._over.wait()
        if self._started_here and not self._lost:  # it came when nobody waited for it any more
            import ray

            ray.shutdown()

    def _connect(self) -> None:
        import ray

        if ray.is_initialized():
            return
        with warnings.catch_warnings(), _unalarmed():
            warnings.simplefilter("ignore", FutureWarning)
            if self._address == "local":
                self._guard = Guard()
                self._guard.mark(self._mark)
                name, value = self._mark.split("=")
                with authentication.variables({name: value, _KEEP_ENVIRONMENT: "1"}):
                    _start_patiently(self._slots or available_cpus(), self._over)
                self._own = True
            else:
                _knock(self._address)
                with authentication.given_token():
                    _show_token(self._address)
                    ray.init(self._address, log_to_driver=False, configure_logging=False)
        self._started_here = True


def _start_patiently(cpus: int, over: threading.Event) -> None:
    """Start a Ray, at the second attempt on a machine so busy that Ray itself gives up waiting after half a minute."""
    import ray

    try:
        _start(cpus)
    except Exception:
        ray.shutdown()
        if over.is_set():
            raise
        _start(cpus)


def _start(cpus: int) -> None:
    """A Ray that only this program uses: of this machine, reachable from it alone, and with a token of its own."""
    import ray

    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_enable_metrics_collection": "0"}
    with _loopback(), authentication.own_token(), authentication.variables({**quiet, **_chosen(quiet)}):
        ray.init(
            "local",
            num_cpus=cpus,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            object_store_memory=_OBJECT_STORE,
            _node_ip_address="127.0.0.1",
        )


@contextlib.contextmanager
def _unalarmed() -> Iterator[None]:
    """Ray warns that a thread other than the main one cannot handle SIGTERM; Cairn handles it."""
    logger = logging.getLogger("ray._private.worker")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _loopback() -> Iterator[None]:
    """For the while in which a Ray is started: it listens on 127.0.0.1 alone, as it does by itself on macOS.

    On Linux Ray takes a loopback address for a mistake, puts another one in its place, and listens to everybody.
    """
    from ray._private import ray_constants

    before = getattr(ray_constants, "ENABLE_RAY_CLUSTER", None)
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _chosen(names: Iterable[str]) -> dict[str, str | None]:
    """What the user's environment says of these variables."""
    return {name: os.environ[name] for name in names if name in os.environ}


def _knock(address: str) -> None:
    """Raises ExecutionError at once when nothing listens there; Ray itself would try for half a minute or more."""
    scheme, _, place = address.rpartition("://")
    if scheme in ("http", "https"):
        raise ExecutionError(
            "that is a dashboard, to which `automl submit` sends jobs; a run joins the head itself, usually HEAD:6379"
        )
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()
    except OSError as error:
        usual = "10001, the client server of the head" if scheme else "6379, as `ray start --head` says"
        raise ExecutionError(
            f"nothing answers at {place} ({error}); does the head run there? Its port is usually {usual}"
        ) from error


def _show_token(address: str) -> None:
    """Raises what Ray says to a wrong token, or to none; `ray.init` would take 20 s and not tell its caller."""
    if "://" in address or ":" not in address:
        return
    from ray._raylet import GcsClient  # type: ignore[attr-defined, unused-ignore]

    try:
        GcsClient(address=address)
    except Exception as error:
        if authentication.refused(error):
            raise


def _why(address: str, error: BaseException) -> str:
    """What went wrong on the way to a cluster, and what to do."""
    if isinstance(error, ExecutionError):
        return f"Ray at {address!r} cannot be used: {error}"
    said = " ".join(str(error).split())[:600]
    if authentication.refused(error):
        return f"Ray at {address!r} refuses this program: {authentication.HOW}. Ray says: {said}"
    if "ersion mismatch" in said:
        said += ". The program and every node need the same Ray and the same Python"
    return f"Ray at {address!r} cannot be used: {type(error).__name__}: {said}"


def check_installed() -> None:
    """Raises ExecutionError when there is no Ray. Does not import it: that takes most of a second."""
    try:
        found = importlib.util.find_spec("ray") is not None
    except ValueError:
        found = False
    if not found:
        raise ExecutionError('executor "ray" needs Ray: pip install "cairn-automl[ray]"')
