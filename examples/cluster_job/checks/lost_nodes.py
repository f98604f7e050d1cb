"""A search on four nodes of which one is killed every ten seconds and replaced, against the same search left in peace.

Checked: it ends in time; no fold that the journal has acknowledged is lost or done twice; and over all runs, each pair
on its own data, the score is within one standard error of the undisturbed one's.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from little_cluster import LittleCluster, little_cluster

from automl import AutoML
from automl.store.journal import Journal

NODES = 4


@dataclass(frozen=True)
class Found:
    """One run.

    Attributes:
        late: seconds beyond the deadline rule, 1.03 x limit + 1 s; negative when it kept to it.
        score: on rows that it has not seen.
        folds: acknowledged folds.
        twice, lost: of these, how many were done twice, or belong to a complete trial that lacks one.
        kills: nodes killed meanwhile.
    """

    late: float
    score: float
    folds: int
    twice: int
    lost: int
    kills: int


def customers(seed: int, n: int = 3000) -> pd.DataFrame:
    """A table with numbers, a category and a target that is partly chance."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(draw.normal(size=(n, 6)), columns=[f"x{i}" for i in range(6)])
    frame["plan"] = draw.choice(["basic", "plus", "pro"], size=n)
    weight = frame["x0"] * frame["x1"] + np.sin(2 * frame["x2"]) + (frame["plan"] == "pro") * frame["x3"]
    frame["left"] = (weight + draw.normal(scale=0.7, size=n) > 0).astype(int)
    return frame


class Killer(threading.Thread):
    """Kills a node every so many seconds, and adds another one; or kills the head, once."""

    def __init__(self, cluster: LittleCluster, every: float, seed: int, head: bool) -> None:
        super().__init__(daemon=True)
        self.cluster, self.every, self.draw, self.head = cluster, every, random.Random(seed), head
        self.over, self.kills = threading.Event(), 0
        self._adding: list[threading.Thread] = []

    def run(self) -> None:
        """Until told to stop."""
        due = time.monotonic() + self.every
        while not self.over.wait(max(0.0, due - time.monotonic())):
            due += self.every
            self.kills += 1
            if self.head:
                self.cluster.kill_head()
                return
            if self.cluster.nodes:
                self.cluster.kill_one(self.draw)
            self._adding.append(threading.Thread(target=self.cluster.add, kwargs={"num_cpus": 1}, daemon=True))
            self._adding[-1].start()

    def stop(self) -> None:
        """No more."""
        self.over.set()
        for thread in (self, *self._adding):
            thread.join(120)


def search(seed: int, limit: float, every: float, head: bool = False) -> Found:
    """One run on a cluster of its own; `every` 0 leaves it in peace."""
    frame = customers(seed)
    train, new = frame[:2000], frame[2000:]
    with tempfile.TemporaryDirectory() as place, little_cluster(*[{"num_cpus": 1}] * NODES) as cluster:
        killer = Killer(cluster, every or limit * 10, seed, head)
        killer.start()
        model = AutoML(executor="ray", time_limit=limit, random_state=seed, path=f"{place}/run", verbose=0)
        began = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(train, target="left")
        late = time.monotonic() - began - (1.03 * limit + 1.0)
        killer.stop()
        folds, twice, lost = audited(Path(place) / "run")
        return Found(late, model.score(new), folds, twice, lost, killer.kills)


def audited(folder: Path) -> tuple[int, int, int]:
    """(acknowledged folds, folds done twice, folds that a complete trial lacks) by a run's journal."""
    records = Journal.read(folder / "journal.jsonl")
    folds = [(r["trial"], r["fold"]) for r in records if r["type"] == "fold"]
    wanted = next(r["folds"] for r in records if r["type"] == "run")
    complete = [r["trial"] for r in records if r["type"] == "trial" and r["state"] == "ok"]
    lost = sum((trial, fold) not in set(folds) for trial in complete for fold in range(wanted))
    return len(folds), len(folds) - len(set(folds)), lost


def main() -> int:
    """Run the pairs, print each, and say with the exit code whether all held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="pairs")
    parser.add_argument("--seconds", type=float, default=120.0, help="time limit of each run")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--head", action="store_true", help="kill the head, a third through each run; no pairs")
    given = parser.parse_args()
    gaps: list[float] = []
    bad = 0
    for seed in range(given.runs):
        if given.head:
            headless = search(seed, given.seconds, given.seconds / 3, head=True)
            bad += headless.late > 0 or headless.twice > 0 or headless.lost > 0
            print(f"run {seed + 1} without head {headless}", flush=True)
            continue
        calm = search(seed, given.seconds, 0.0)
        hit = search(seed, given.seconds, given.every)
        gaps.append(hit.score - calm.score)
        bad += sum(run.late > 0 or run.twice > 0 or run.lost > 0 for run in (calm, hit))
        for name, run in (("calm", calm), ("hit", hit)):
            print(f"pair {seed + 1} {name:<4} {run}", flush=True)
    error = float(np.std(gaps, ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else float("nan")
    mean = float(np.mean(gaps)) if gaps else float("nan")
    within = len(gaps) < 2 or mean >= -error
    print(f"score with losses minus without: {mean:+.4f}, standard error {error:.4f}; {bad} runs late or at a loss")
    return 0 if not bad and within else 1


if __name__ == "__main__":
    sys.exit(main())
