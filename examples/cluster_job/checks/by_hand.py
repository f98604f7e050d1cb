"""A Ray cluster by hand: a head and workers, each with ports and a folder of its own, and one token for all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from automl.execution.guard import end_marked

READY = "Ray runtime started"
_PATIENCE_SECONDS = 3.0


class ByHand:
    """Nodes on this machine, ended together.

    Args:
        seconds: that a node may take to start.
        parent: where its folder is made; a short path, for sockets lie below it.

    Attributes:
        address: of the head, for `ray.init`.
        url: of the head's dashboard, for jobs.
        environment: variables with which programs may use the cluster, and find the command `automl`.
    """

    def __init__(self, seconds: float = 180.0, parent: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rh", dir=parent))
        self.address = self.url = ""
        self._seconds = seconds
        self._nodes: list[subprocess.Popen[bytes]] = []
        commands = os.path.dirname(sys.executable)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "PATH": f"{commands}{os.pathsep}{os.environ.get('PATH', '')}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    def head(self, cpus: int = 0, ip: str = "127.0.0.1", within: Sequence[str] = ()) -> None:
        """Start the head. within: a command under which it runs, such as ``ip netns exec NAME``."""
        port, dashboard = (free_port(), free_port()) if not within else (6379, 8265)
        self.address, self.url = f"{ip}:{port}", f"http://{ip}:{dashboard}"
        ports = [f"--port={port}", f"--dashboard-port={dashboard}", f"--ray-client-server-port={free_port()}"]
        self._start(["--head", *ports, f"--dashboard-host={ip}"], cpus, ip, within)

    def worker(self, cpus: int = 1, ip: str = "127.0.0.1", within: Sequence[str] = ()) -> None:
        """Start a node that joins the head."""
        self._start([f"--address={self.address}"], cpus, ip, within)

    def close(self) -> None:
        """End all nodes and remove their folders."""
        for node in reversed(self._nodes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGTERM)
        for node in self._nodes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.wait(_PATIENCE_SECONDS)
        end_marked({f"RAY_AUTH_TOKEN={self.environment['RAY_AUTH_TOKEN']}".encode()}, rounds=1)
        for node in self._nodes:
            node.kill()
            node.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, arguments: Sequence[str], cpus: int, ip: str, within: Sequence[str]) -> None:
        number = len(self._nodes)
        log = self.folder / f"{number}.log"
        command = [
            *(*within, sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments),
            *(f"--num-cpus={cpus}", "--num-gpus=0", f"--node-ip-address={ip}", "--disable-usage-stats"),
            *("--object-store-memory=200000000", "--min-worker-port=0", "--max-worker-port=0"),
            f"--dashboard-agent-listen-port={free_port() if not within else 52365}",
        ]
        if "--head" in arguments and not within:
            command.append(f"--temp-dir={self.folder / 'head'}")
        with log.open("wb") as out:
            node = subprocess.Popen(command, stdout=out, stderr=out, env=self.environment, start_new_session=True)
        self._nodes.append(node)
        until = time.monotonic() + self._seconds
        while READY not in log.read_text(errors="replace"):
            if node.poll() is not None or time.monotonic() > until:
                said = log.read_text(errors="replace")[-3000:]
                self.close()
                raise RuntimeError(f"node {number} did not start: {said}")
            time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
