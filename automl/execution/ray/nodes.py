"""Which nodes the cluster has now, asked for by a thread, so that a cluster that does not answer stops nobody."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from automl.contract import ExecutionError
from automl.execution.seats import Place, Seating

_PERIOD_SECONDS = 1.0
_COST_SHARE = 0.02
_LONGEST_SECONDS = 5.0
_FIRST_SECONDS = 60.0


class Watch:
    """The nodes that are alive, as `places`, newest answer first.

    Args:
        ask: gives the nodes as `ray.nodes` does.
    """

    def __init__(self, ask: Callable[[], Sequence[Mapping[str, Any]]] | None = None) -> None:
        self._ask = ask or _nodes
        self._names: dict[str, str] = {}
        self._places: tuple[Place, ...] = ()
        self._asked: float | None = None
        self._answered, self._over = threading.Event(), threading.Event()
        threading.Thread(target=self._keep, name="automl-ray-nodes", daemon=True).start()

    def seating(self, most: int | None) -> Seating:
        """The machines there are now. Raises ExecutionError when the cluster has never said."""
        if not self._answered.wait(_FIRST_SECONDS):
            raise ExecutionError(f"the Ray cluster did not name its nodes within {_FIRST_SECONDS:g} s")
        return Seating(self._places, most)

    def silence(self) -> float:
        """Seconds since the cluster was asked something that it has not answered; 0 when it has."""
        asked = self._asked
        return 0.0 if asked is None else time.monotonic() - asked

    def close(self) -> None:
        """Ask no more."""
        self._over.set()

    def _keep(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            began = time.monotonic()
            self._asked = began if self._asked is None else self._asked
            with contextlib.suppress(Exception):
                self._places = self._told(self._ask())
                self._asked = None
                self._answered.set()
            pause = min(_LONGEST_SECONDS, max(_PERIOD_SECONDS, (time.monotonic() - began) / _COST_SHARE))

    def _told(self, nodes: Sequence[Mapping[str, Any]]) -> tuple[Place, ...]:
        alive = [node for node in nodes if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        return tuple(self._place(node) for node in sorted(alive, key=lambda node: str(node["NodeID"])))

    def _place(self, node: Mapping[str, Any]) -> Place:
        key, has = str(node["NodeID"]), node["Resources"]
        devices = tuple(f"GPU {index}" for index in range(int(has.get("GPU", 0))))
        return Place(key, self._name(key, node), int(has["CPU"]), devices, int(has.get("memory", 0)))

    def _name(self, key: str, node: Mapping[str, Any]) -> str:
        """The host's name, and where two nodes have the same one, a piece of the node's id too."""
        if key not in self._names:
            host = str(node.get("NodeManagerHostname") or node.get("NodeManagerAddress") or key)
            taken = set(self._names.values())
            self._names[key] = host if host not in taken else f"{host} {key[:8]}"
        return self._names[key]


class Growth:
    """Asks a cluster's autoscaler for as many slots as the queue could use, within a bound, and takes it back."""

    wait_seconds = 5.0
    """The queue must be long for so long."""
    factor = 2
    """At most so many times the slots that there are."""

    def __init__(self, request: Callable[[int], None] | None = None) -> None:
        self._request = request or _request
        self._asked, self._since = -1, math.inf  # a driver that was killed may have left a request

    def want(self, slots: int, queued: int, now: float) -> None:
        """There are so many slots, and so many jobs wait beyond them."""
        if not queued:
            self._since = math.inf
            self._ask(0)
            return
        self._since = min(self._since, now)
        if now - self._since >= self.wait_seconds:
            self._ask(max(self._asked, slots + min(queued, (self.factor - 1) * max(1, slots))))
        elif self._asked < 0:
            self._ask(0)

    def close(self) -> None:
        """Take back what was asked for."""
        self._ask(0)

    def _ask(self, slots: int) -> None:
        if slots != self._asked:
            self._asked = slots
            with contextlib.suppress(Exception):
                self._request(slots)


def _nodes() -> Sequence[Mapping[str, Any]]:
    import ray

    return list(ray.nodes())  # type: ignore[no-untyped-call, unused-ignore]


def _request(slots: int) -> None:
    from ray.autoscaler.sdk import request_resources

    request_resources(bundles=[{"CPU": 1}] * slots)
