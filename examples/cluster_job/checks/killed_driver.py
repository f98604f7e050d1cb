"""A driver killed at random and resumed, many times: every acknowledged fold counts once, and no process is left.

Each round fits in a process of its own, kills it with SIGKILL at a seeded moment (in every fifth round at any moment
from its start, else after the first fold was acknowledged), waits for its workers to be gone, kills a resumed process
once more in every third round, and lets the last one end. What the journal says is acknowledged; it must not be handed
to a worker again. Afterwards what folds gave is read back, and the model is loaded and asked.

    python killed_driver.py --kills 100                       # local workers
    python killed_driver.py --kills 20 --executor ray
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MARK = "AUTOML_CHECK"
GONE_SECONDS = {"local": 5.0, "ray": 30.0}
SECONDS = {"local": 4.0, "ray": 10.0}
LAST_SECONDS = 20.0  # of the process that is let live: a busy machine takes long to start workers
MODELS = ["lightgbm", "k-nearest", "extra-trees", "xgboost"]
Fold = tuple[int, int]


@dataclass
class Found:
    """What went wrong in a round; all empty when nothing did."""

    kills: int = 0
    lost: list[Fold] = field(default_factory=list)
    twice: list[Fold] = field(default_factory=list)
    again: list[Fold] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    failed: str = ""
    acknowledged: int = 0

    @property
    def good(self) -> bool:
        """Is there nothing to complain of?"""
        return not (self.lost or self.twice or self.again or self.orphans or self.failed)


def fit(path: str, executor: str, seed: int, seconds: float = 120.0, overwrite: bool = False) -> None:
    """A run that would take much longer than it is let live."""
    from sklearn.datasets import load_breast_cancer

    from automl import AutoML

    frame = load_breast_cancer(as_frame=True).frame
    options: dict[str, Any] = {
        "executor": executor,
        "n_jobs": 2,
        "models": MODELS,
        "random_state": seed,
        "path": path,
        "verbose": 0,
    }
    AutoML(time_limit=seconds, overwrite=overwrite, **options).fit(frame, "target")


def resume(path: str, executor: str, seed: int, seconds: float, jobs: str) -> None:
    """Go on with it, for some seconds, or begin anew if nothing had begun; `jobs` is told what is handed to workers."""
    from automl import AutoML
    from automl.contract import ArtifactError
    from automl.search.scheduler import Scheduler

    submit = Scheduler._submit

    def told(self: Scheduler, trial: Any, fold: int, *rest: Any) -> None:
        with open(jobs, "a", encoding="utf-8") as file:
            file.write(f"{trial.number} {fold}\n")
        submit(self, trial, fold, *rest)

    changed: Any = Scheduler
    changed._submit = told
    try:
        AutoML.resume(path, time_limit=seconds, verbose=0)
    except ArtifactError:
        if acknowledged(Path(path)):
            raise
        fit(path, executor, seed, max(seconds, 30.0), overwrite=True)


def acknowledged(path: Path) -> list[Fold]:
    """(trial, fold) of every fold that the journal tells of, in order."""
    from automl.store import Journal

    if not (path / "journal.jsonl").is_file():
        return []
    records = Journal.read(path / "journal.jsonl")
    return [(record["trial"], record["fold"]) for record in records if record["type"] == "fold"]


def marked(mark: str) -> dict[int, str]:
    """Processes, but zombies, that were started by those who carry the mark in their environment: pid -> command."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if command:  # a zombie has none
                    found[int(entry.name)] = command[:120]
        except OSError:
            continue
    return found


def started(arguments: list[str], mark: str, log: Path) -> subprocess.Popen[bytes]:
    """This script again, in a session of its own."""
    command = [sys.executable, __file__, *arguments]
    with log.open("ab") as out:
        return subprocess.Popen(command, env={**os.environ, MARK: mark}, stdout=out, stderr=out, start_new_session=True)


def wait_for_folds(path: Path, process: subprocess.Popen[bytes], more_than: int) -> bool:
    """Wait until the journal tells of more folds than that; False when the process ends before."""
    while process.poll() is None:
        if (path / "journal.jsonl").is_file() and len(acknowledged(path)) > more_than:
            return True
        time.sleep(0.05)
    return False


def kill(process: subprocess.Popen[bytes], mark: str, patience: float) -> list[str]:
    """End the driver without a word; what is still there after a while."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return left_after(mark, patience)


def left_after(mark: str, patience: float) -> list[str]:
    """Commands of the marked processes that are still there after a while; they are ended."""
    until = time.monotonic() + patience
    while (left := marked(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return list(left.values())


def one_round(number: int, executor: str, folder: Path) -> Found:
    """One run, killed once or twice, and resumed until it ends."""
    rng, found, mark = random.Random(number), Found(), uuid.uuid4().hex
    path, log, jobs = folder / f"run-{number}", folder / f"log-{number}.txt", folder / f"jobs-{number}.txt"
    common = ["--executor", executor, "--seed", str(number), "--jobs", str(jobs)]
    before: list[Fold] = []
    process = started(["--fit", str(path), *common], mark, log)
    for _ in range(2 if number % 3 == 0 else 1):
        if number % 5 and not wait_for_folds(path, process, len(before)):
            found.failed = f"the driver ended by itself: {log.read_text(errors='replace')[-400:]}"
            return found
        time.sleep(rng.uniform(0.0, SECONDS[executor]))
        found.kills += 1
        left = kill(process, mark, GONE_SECONDS[executor])
        found.orphans += [f"{one} after kill {found.kills}" for one in left]
        found.again += handed(jobs, before)
        before = acknowledged(path)
        seconds = 100.0 if found.kills == 1 and number % 3 == 0 else LAST_SECONDS
        process = started(["--resume", str(path), "--seconds", str(seconds), *common], mark, log)
    if process.wait() != 0:
        found.failed = f"resume failed: {log.read_text(errors='replace')[-400:]}"
    counts = Counter(acknowledged(path))
    found.acknowledged = len(before)
    found.again += handed(jobs, before)
    found.lost = [one for one in before if one not in counts] + unreadable(path)
    found.twice = [one for one, times in counts.items() if times > 1]
    found.orphans += [f"{one} after its end" for one in left_after(mark, GONE_SECONDS[executor])]
    return check_model(path, found)


def handed(jobs: Path, before: list[Fold]) -> list[Fold]:
    """What a resumed process gave to workers though it had been acknowledged; the list is cleared."""
    if not jobs.is_file():
        return []
    folds = [tuple(map(int, line.split())) for line in jobs.read_text().splitlines()]
    jobs.unlink()
    return [one for one in folds if one in before]


def unreadable(path: Path) -> list[Fold]:
    """Acknowledged folds whose predictions are not where the journal says."""
    from automl.store import Journal
    from automl.store.results import Results

    results = Results(path / "results.bin")
    folds = [record for record in Journal.read(path / "journal.jsonl") if record["type"] == "fold"]
    return [(record["trial"], record["fold"]) for record in folds if not results.whole(record["place"])]


def check_model(path: Path, found: Found) -> Found:
    """The run's model can be loaded and asked."""
    from sklearn.datasets import load_breast_cancer

    from automl import AutoML

    try:
        answers = AutoML.load(path).predict(load_breast_cancer(as_frame=True).frame.head(20))
        if len(answers) != 20:
            found.failed = found.failed or f"the model gave {len(answers)} answers for 20 rows"
    except Exception as error:
        found.failed = found.failed or f"the model cannot be used: {error!r}"
    return found


def main() -> int:
    """Run the rounds and say what was found; the exit code is 0 when nothing went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="at least so many")
    parser.add_argument("--executor", choices=["local", "ray"], default="local")
    parser.add_argument("--seed", type=int, default=0, help="number of the first round")
    parser.add_argument("--beside", type=int, default=2, help="rounds at a time")
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    parser.add_argument("--resume", help=argparse.SUPPRESS)
    parser.add_argument("--jobs", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.fit:
        fit(told.fit, told.executor, told.seed)
        return 0
    if told.resume:
        resume(told.resume, told.executor, told.seed, told.seconds, told.jobs)
        return 0
    done: list[Found] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(told.beside) as pool:
        while sum(one.kills for one in done) < told.kills:
            numbers = range(told.seed + len(done), told.seed + len(done) + told.beside)
            rounds = list(pool.map(lambda n: one_round(n, told.executor, Path(folder)), numbers))
            for number, one in zip(numbers, rounds, strict=True):
                print(f"round {number}: {one if not one.good else f'{one.acknowledged} folds kept'}", flush=True)
            done += rounds
    twice = sum(len(one.twice) + len(one.again) for one in done)
    kills, kept = sum(one.kills for one in done), sum(one.acknowledged for one in done)
    print(
        f"{kills} kills in {len(done)} rounds; {kept} folds were acknowledged; lost {sum(len(o.lost) for o in done)}, "
        f"done twice {twice}, processes left {sum(len(o.orphans) for o in done)}, "
        f"rounds that failed {sum(bool(o.failed) for o in done)}"
    )
    return 0 if all(one.good for one in done) else 1


if __name__ == "__main__":
    sys.exit(main())
