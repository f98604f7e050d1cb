"""Two hosts with addresses and folders of their own: a fit on both completes, and still does when one is cut off.

Needs root: it makes two network namespaces joined by one cable (a veth pair), and in each mounts an empty /tmp and
/dev/shm that the other cannot see. The head and the driver are on the first host, most cores on the second, which lacks
a stranger's plugin that the driver uses. In the second run the cable is pulled after the first third of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from by_hand import ByHand

FIRST, SECOND = "cairn-a", "cairn-b"
FIRST_IP, SECOND_IP = "10.213.7.1", "10.213.7.2"
STRANGER = Path(__file__).parents[2] / "third_party_model"
PLUGIN = "nearest"


def sh(*command: str, check: bool = True) -> str:
    """What a command prints."""
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def cable() -> None:
    """Two namespaces and a cable between them."""
    for name in (FIRST, SECOND):
        sh("ip", "netns", "add", name)
    sh("ip", "link", "add", FIRST, "netns", FIRST, "type", "veth", "peer", "name", SECOND, "netns", SECOND)
    for name, ip in ((FIRST, FIRST_IP), (SECOND, SECOND_IP)):
        sh("ip", "-n", name, "addr", "add", f"{ip}/24", "dev", name)
        sh("ip", "-n", name, "link", "set", name, "up")
        sh("ip", "-n", name, "link", "set", "lo", "up")


def away() -> None:
    """Remove them, with all that runs in them."""
    for name in (FIRST, SECOND):
        for pid in sh("ip", "netns", "pids", name, check=False).split():
            sh("kill", "-9", pid, check=False)
        sh("ip", "netns", "del", name, check=False)


def host(name: str, own: Path, other: Path) -> list[str]:
    """The command that runs another one on that host: with /tmp and /dev/shm of its own, the other's out of sight."""
    for folder in (own / "tmp", own / "shm", other):
        folder.mkdir(parents=True, exist_ok=True)
    mounts = (
        f'mount --bind {own}/tmp /tmp && mount --bind {own}/shm /dev/shm && mount -t tmpfs none {other} && exec "$@"'
    )
    return ["ip", "netns", "exec", name, "unshare", "--mount", "--propagation", "private", "bash", "-c", mounts, name]


def drive(time_limit: float, address: str, site: Path) -> None:
    """On the first host: fit, and say what happened. Told to another process because Ray is joined only once."""
    sys.path.append(str(site))
    import ray
    from sklearn.datasets import load_breast_cancer

    from automl import AutoML

    tumours = load_breast_cancer(as_frame=True).frame
    ray.init(address, log_to_driver=False, configure_logging=False)
    before = alive(ray.nodes())  # type: ignore[no-untyped-call, unused-ignore]
    print("begun", flush=True)
    models = [PLUGIN, "lightgbm", "random-forest", "extra-trees"]
    model = AutoML(executor="ray", time_limit=time_limit, models=models, random_state=0, verbose=0)
    began = time.monotonic()
    model.fit(tumours[:450], target="target")
    seconds = time.monotonic() - began
    board = model.leaderboard()
    strangers = board[board["model"].str.startswith(PLUGIN)]
    figures = {
        "nodes at the beginning": before,
        "nodes at the end": alive(ray.nodes()),  # type: ignore[no-untyped-call, unused-ignore]
        "seconds, allowed": [round(seconds, 2), round(1.03 * time_limit + 1, 2)],
        "models ok": int((board["state"] == "ok").sum()),
        "states": board["state"].value_counts().to_dict(),
        "the plugin that only the driver's host has": strangers["state"].value_counts().to_dict(),
        "score on new rows": round(model.score(tumours[450:]), 4),
    }
    print("figures " + json.dumps(figures), flush=True)


def alive(nodes: list[dict[str, Any]]) -> list[str]:
    """Addresses of the nodes that Ray believes to live."""
    return sorted(node["NodeManagerAddress"] for node in nodes if node["Alive"])


def worked(name: str) -> float:
    """CPU seconds of Ray workers on a host."""
    ticks = 0
    for pid in sh("ip", "netns", "pids", name).split():
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::RemoteWorker"):
                ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def once(time_limit: float, cut: bool) -> dict[str, Any]:
    """A cluster of two hosts, a fit, and what came of it."""
    cable()
    cluster = ByHand(300.0, Path("/var/tmp"))
    try:
        first, second = cluster.folder / FIRST, cluster.folder / SECOND
        on = {FIRST: host(FIRST, first, second), SECOND: host(SECOND, second, first)}
        site = first / "site"
        install(site)
        cluster.head(1, FIRST_IP, on[FIRST])
        cluster.worker(2, SECOND_IP, on[SECOND])
        arguments = ["--drive", cluster.address, "--site", str(site), "--time-limit", str(time_limit)]
        command = [*on[FIRST], sys.executable, __file__, *arguments]
        driver = subprocess.Popen(command, env=cluster.environment, stdout=subprocess.PIPE, text=True)
        assert driver.stdout is not None
        driver.stdout.readline()
        time.sleep(time_limit / 3)
        seconds = worked(SECOND)
        if cut:
            sh("ip", "-n", FIRST, "link", "set", FIRST, "down")
        said = driver.stdout.read()
        figures = [
            json.loads(line.removeprefix("figures ")) for line in said.splitlines() if line.startswith("figures ")
        ]
        return {
            "exit code": driver.wait(),
            "CPU seconds of the second host": seconds,
            **(figures[0] if figures else {}),
        }
    finally:
        cluster.close()
        away()


def install(site: Path) -> None:
    """Put a plugin of a stranger where the first host finds it, and the second does not."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        sh("cp", "-r", str(STRANGER), str(source))
        sh(*command, "--target", str(site), str(source))


def main(time_limit: float) -> int:
    """Prints the figures; 0 when both runs complete in time."""
    codes = []
    for name, cut in (("undisturbed", False), ("cut off", True)):
        figures = once(time_limit, cut)
        print(json.dumps({name: figures}, indent=2), flush=True)
        took, allowed = figures.get("seconds, allowed", (1.0, 0.0))
        both = figures["CPU seconds of the second host"] > 0
        codes.append(figures["exit code"] == 0 and took <= allowed and both)
    return 0 if all(codes) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=60, help="seconds of each fit")
    parser.add_argument("--drive", help=argparse.SUPPRESS)
    parser.add_argument("--site", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.drive:
        drive(asked.time_limit, asked.drive, asked.site)
    else:
        raise SystemExit(main(asked.time_limit))
