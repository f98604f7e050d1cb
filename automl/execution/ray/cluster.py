"""The Ray that jobs run on: joined, or started here."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from automl.contract import ExecutionError
from automl.execution.limits import available_cpus

_OBJECT_STORE = 1_000_000_000
_REACH_SECONDS = 100.0


class Cluster:
    """The Ray that jobs run on: joined, or started here and then also shut down here."""

    def __init__(self, slots: int | None, address: str | None) -> None:
        self._slots = slots
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._started_here = self._lost = False
        self._keeper: threading.Thread | None = None
        self._there, self._over = threading.Event(), threading.Event()
        self._failure: BaseException | None = None

    def begin(self) -> None:
        """Connect in the background, in a thread that stays: Ray's daemons die with the thread that started them."""
        if self._keeper is None:
            _check_installed()
            self._keeper = threading.Thread(target=self._keep, name="automl-ray", daemon=True)
            self._keeper.start()

    def join(self) -> None:
        """Wait until it is there. Raises ExecutionError when it cannot be reached or started."""
        self.begin()
        if not self._there.wait(_REACH_SECONDS):
            raise ExecutionError(f"Ray at {self._address!r} did not answer within {_REACH_SECONDS:g} s; is it running?")
        if self._failure is not None:
            raise ExecutionError(f"Ray at {self._address!r} cannot be used: {self._failure}") from self._failure

    @property
    def own(self) -> bool:
        """Was it started here?"""
        return self._started_here and self._address == "local"

    def abandon(self) -> None:
        """It is lost: leave it, whoever has joined it, beside the program; Ray would soon end the program otherwise."""
        import ray

        self._lost = True
        threading.Thread(target=ray.shutdown, name="automl-ray-leaves", daemon=True).start()

    def close(self) -> None:
        """Shut down what was started here."""
        if self._keeper is None:
            return
        self._there.wait(_REACH_SECONDS)
        if self._started_here and not self._lost:
            import ray

            self._started_here = False
            ray.shutdown()
        self._over.set()

    def _keep(self) -> None:
        try:
            self._connect()
        except Exception as error:
            self._failure = error
        self._there.set()
        self._over.wait()

    def _connect(self) -> None:
        import ray

        if not ray.is_initialized():
            with warnings.catch_warnings(), _variables(_EMBEDDED if self._address == "local" else {}):
                warnings.simplefilter("ignore", FutureWarning)
                if self._address == "local":
                    ray.init("local", num_cpus=self._slots or available_cpus(), **_embedded_options())
                else:
                    ray.init(self._address, log_to_driver=False, configure_logging=False)
            self._started_here = True


_EMBEDDED = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_enable_metrics_collection": "0"}


def _embedded_options() -> dict[str, Any]:
    """For a Ray that only this program uses, reachable from this machine only."""
    return {
        "include_dashboard": False,
        "log_to_driver": False,
        "configure_logging": False,
        "object_store_memory": _OBJECT_STORE,
        "_node_ip_address": "127.0.0.1",
    }


def _check_installed() -> None:
    """Raises ExecutionError when there is no Ray. Does not import it: that takes most of a second."""
    try:
        found = importlib.util.find_spec("ray") is not None
    except ValueError:
        found = False
    if not found:
        raise ExecutionError('executor "ray" needs Ray: pip install "cairn-automl[ray]"')


@contextlib.contextmanager
def _variables(wanted: dict[str, str]) -> Iterator[None]:
    """Set environment variables that are not set, for the while."""
    fresh = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(fresh)
    try:
        yield
    finally:
        for name in fresh:
            os.environ.pop(name, None)
