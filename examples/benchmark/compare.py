"""What the ensemble buys over the best baseline on scikit-learn's bundled data, on rows neither has seen."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from automl import AutoML

DATA: dict[str, Callable[..., Any]] = {
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
    "wine": load_wine,
}


def compare(load: Callable[..., Any], time_limit: float, seed: int) -> dict[str, Any]:
    """One line of the table: held-out scores (higher is better) of the best baseline and of the ensemble."""
    frame = load(as_frame=True).frame.sample(frac=1, random_state=seed, ignore_index=True)
    cut = int(0.7 * len(frame))
    train, new = frame[:cut], frame[cut:]
    start = time.monotonic()
    model = AutoML(time_limit=time_limit, random_state=seed, verbose=0).fit(train, target="target")
    seconds = time.monotonic() - start

    board = model.leaderboard(new)
    fitted = board[board["state"] == "ok"]
    best = fitted[fitted["baseline"]].nlargest(1, "score").iloc[0]
    low, high = model.score_interval(len(new), level=0.9)
    score = model.score(new)
    return {
        "rows": len(train),
        "best baseline": best["model"],
        "its score": round(best["score_test"], 4),
        "ensemble": round(score, 4),
        "lift": round(score - best["score_test"], 4),
        "promised (90 %)": f"{low:.3f} to {high:.3f}",
        "kept": "yes" if low <= score <= high else "above" if score > high else "no",
        "trials": int((board["state"] != "skipped").sum()) - 1,
        "seconds": round(seconds, 1),
    }


def main(names: list[str], time_limit: float, seed: int) -> None:
    """Run the named data sets one after the other and print the table."""
    lines = {name: compare(DATA[name], time_limit, seed) for name in names}
    print(pd.DataFrame.from_dict(lines, orient="index").to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"data sets: {', '.join(DATA)}; all by default")
    parser.add_argument("--time-limit", type=float, default=20, help="seconds for each data set")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of the search")
    arguments = parser.parse_args()
    main(arguments.names or list(DATA), arguments.time_limit, arguments.seed)
