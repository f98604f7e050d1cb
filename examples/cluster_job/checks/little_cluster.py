"""A Ray cluster of several nodes on this machine, whose nodes can be killed: what the checks of this folder run on."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine takes its time
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_enable_metrics_collection", "0")

_STORE = 200_000_000


class LittleCluster:
    """A head without cores, which this program is connected to, and nodes with them."""

    def __init__(self, *nodes: dict[str, Any]) -> None:
        import ray
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE}
        # without signal handlers, so that nodes can be added from any thread; `close` ends them
        self._cluster: Any = Cluster(initialize_head=True, head_node_args=head, shutdown_at_exit=False)
        ray.init(self._cluster.address, log_to_driver=False, configure_logging=False)
        self.nodes: list[Any] = []
        for resources in nodes:
            self.add(**resources)

    def add(self, **resources: Any) -> Any:
        """One more node; returns when the cluster knows it."""
        self.nodes.append(self._cluster.add_node(object_store_memory=_STORE, **resources))
        return self.nodes[-1]

    def kill(self, node: Any) -> None:
        """Kill all processes of a node, hard, as a power cut does."""
        self.nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_one(self, draw: random.Random) -> Any:
        """Kill any of the nodes."""
        node = draw.choice(self.nodes)
        self.kill(node)
        return node

    def kill_head(self) -> None:
        """Kill what every Ray cluster hangs on."""
        self._cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)

    def close(self) -> None:
        """End all nodes."""
        import ray

        ray.shutdown()
        self._cluster.shutdown()


@contextlib.contextmanager
def little_cluster(*nodes: dict[str, Any]) -> Iterator[LittleCluster]:
    """A cluster for the while."""
    cluster = LittleCluster(*nodes)
    try:
        yield cluster
    finally:
        cluster.close()
