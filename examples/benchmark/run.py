"""A series of fits, one at a time: systems x data sets x limits x seeds; rows that are there are skipped."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SPARE_SECONDS, PATIENCE = 300.0, 4.0


@dataclass(frozen=True)
class Fit:
    """One fit to be made.

    Attributes:
        python: interpreter of the system's home.
        options: for ours, further arguments of `AutoML`.
        endings: for ours, other ways to end the same run, rows of their own: name -> arguments of `AutoML.resume`.
    """

    system: str
    dataset: str
    limit: float
    seed: int
    python: str = sys.executable
    options: dict[str, Any] = field(default_factory=dict)
    endings: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def keys(self) -> set[tuple[Any, ...]]:
        """What makes two rows the same run, of all that this fit gives."""
        return {(system, self.dataset, float(self.limit), self.seed) for system in (self.system, *self.endings)}


def read_rows(file: Path) -> list[dict[str, Any]]:
    """All rows of a JSON lines file; none when it is not there."""
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def done(file: Path) -> set[tuple[Any, ...]]:
    """Keys of the rows that did not fail."""
    rows = [row for row in read_rows(file) if "failed" not in row]
    return {(row["system"], row["dataset"], float(row["limit"]), row["seed"]) for row in rows}


def series(fits: Iterable[Fit], file: Path) -> None:
    """Make every fit that `file` has no row of, and append its row."""
    for fit in fits:
        if fit.keys <= done(file):
            continue
        for row in made(fit):
            with file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
            print(f"{fit.dataset} {row['system']} {fit.limit:g} s, seed {fit.seed}: {told(row)}", flush=True)


def told(row: dict[str, Any]) -> str:
    """A row in a few words."""
    if "failed" in row:
        return f"failed: {row['failed']}"
    return f"error {row['error']:.5f} in {row['fit_s']:.1f} s, {row['row_ms']:.2f} ms a row, {row['disk_mb']:.1f} MB"


def made(fit: Fit) -> list[dict[str, Any]]:
    """The rows of one fit in a process, and session, of its own."""
    command = [fit.python, str(HERE / "one.py"), fit.system, fit.dataset, str(fit.limit), str(fit.seed)]
    command += ["--options", json.dumps(fit.options)] if fit.options else []
    command += ["--endings", json.dumps(fit.endings)] if fit.endings else []
    environment = dict(os.environ)
    if fit.system.startswith("autogluon"):
        environment["RAY_ADDRESS"] = "local"  # a Ray of its own for its folds
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    try:
        out, errors = process.communicate(timeout=PATIENCE * fit.limit + SPARE_SECONDS)
        rows = [dict(json.loads(line)) for line in out.strip().splitlines()[-len(fit.keys) :]]
        if rows:
            return rows
        failed = f"exit {process.returncode}: {errors.strip()[-200:]}"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        failed = f"not back after {PATIENCE:g} x its limit and {SPARE_SECONDS:g} s"
    except (TypeError, ValueError):
        failed = f"exit {process.returncode}: {errors.strip()[-200:]}"
    plain = {"system": fit.system, "dataset": fit.dataset, "limit": fit.limit, "seed": fit.seed}
    return [{**plain, "failed": failed}]


def planned(
    systems: Sequence[str], names: Sequence[str], limits: Sequence[float], seeds: Sequence[int], peers: dict[str, str]
) -> list[Fit]:
    """All systems of a data set one after the other, so that they meet the same machine."""
    return [
        Fit(system, name, limit, seed, peers.get(system.partition("_")[0], sys.executable))
        for name, limit, seed, system in product(names, limits, seeds, systems)
    ]


def _peer(text: str) -> tuple[str, str]:
    name, _, python = text.partition("=")
    if not Path(python).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=PYTHON, with the path of an interpreter that exists")
    return name, python


def main() -> None:
    """Read the command line and run the series."""
    from data import named

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "sets", nargs="*", default=["bundled", "made"], help="data sets or groups: bundled, made, sized, large"
    )
    parser.add_argument(
        "--systems", nargs="+", default=["ours"], help="ours, ours_PRESET, autogluon_PRESET, flaml, mljar"
    )
    parser.add_argument(
        "--peer", type=_peer, action="append", default=[], metavar="NAME=PYTHON", help="flaml=/path/python"
    )
    parser.add_argument("--limits", nargs="+", type=float, default=[60.0], help="seconds")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=HERE / "results" / "public.jsonl", help="rows are appended here")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    series(planned(given.systems, named(given.sets), given.limits, given.seeds, dict(given.peer)), given.out)


if __name__ == "__main__":
    main()
