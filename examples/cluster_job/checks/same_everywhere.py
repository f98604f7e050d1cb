"""The same counted search inline, in local processes and on Ray: one slot gives the same trials and scores everywhere.

With many slots what is tried later depends on what ends first; the portfolio phase does not: baselines, then the first
start point of every family.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sklearn.datasets import load_wine

from automl import AutoML

Tried = dict[tuple[str, str], float]


def search(executor: str, slots: int, trials: int) -> tuple[Tried, AutoML]:
    """(model, its settings) -> score of all that was tried."""
    options: dict[str, Any] = {"n_jobs": slots} if executor != "inline" else {}
    table = load_wine(as_frame=True).frame
    model = AutoML(
        executor=executor,
        n_trials=trials,
        random_state=0,
        models=["prior-baseline", "linear-baseline", "lightgbm", "k-nearest"],
        verbose=0,
        **options,
    )
    model.fit(table, target="target")
    board = model.leaderboard()
    tried = {(row["model"], str(row.get("params"))): float(row["score"]) for row in board.to_dict("records")}
    return tried, model


def differing(one: Tried, other: Tried) -> list[str]:
    """Trials that are not in both with the same score, bit by bit."""
    return sorted(str(key) for key in one.keys() | other.keys() if not _same(one.get(key), other.get(key)))


def _same(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and (one == other or (one != one and other != other))


def starts(model: AutoML) -> list[Any]:
    """The portfolio phase: each family's first trial, in order."""
    firsts: dict[str, Any] = {}
    for trial in model._run.board.trials:
        firsts.setdefault(trial.family.name, dict(trial.candidate.params))
    return list(firsts.items())


def main() -> int:
    """Run the searches, print what differs, and say with the exit code whether anything does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--slots", type=int, default=4, help="of the searches with many")
    given = parser.parse_args()
    inline, reference = search("inline", 1, given.trials)
    wrong = 0
    for executor in ("local", "ray"):
        found, _ = search(executor, 1, given.trials)
        unlike = differing(inline, found)
        wrong += len(unlike)
        print(f"{executor}, one slot: {len(found)} trials, {len(unlike)} unlike inline {unlike or ''}")
    for executor in ("local", "ray"):
        _, model = search(executor, given.slots, given.trials)
        same = starts(model) == starts(reference)
        wrong += not same
        print(f"{executor}, {given.slots} slots: portfolio {'identical' if same else 'differs'}")
    return 0 if not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
