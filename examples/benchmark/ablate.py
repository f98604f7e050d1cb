"""What each ingredient is worth: the engine without it, or with another, against the engine as it is.

To add an ingredient, add a line to `SEARCHES` or `ENDINGS`. The table says how much larger the error becomes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from data import DATA, named
from rows import OURS, Pair, Results, Row, read
from run import HERE, Fit, series
from tables import figure, probability, table

LARGE = 2_000
SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "no neural nets": {"plugins": ["-real-mlp", "-tab-m"]},
    "no feature blocks": {"preset": {"blocks": False}},
    "default points only": {"preset": {"starts": 1}},
    "no fold racing": {"preset": {"racing": False}},
    "always 8 folds": {"preset": {"folds": 8}},
    "members refit on all rows": {"preset": {"refit": True}},
    "one fit at a time on two threads": {"preset": {"threads": 2}},
}
"""Name -> arguments of `AutoML` that differ; those of ``preset`` are arguments of `automl.Preset`."""
ENDINGS: Mapping[str, Mapping[str, Any]] = {
    "the best single model": {"preset": {"ensemble": False}},
    "greedy selection": {"preset": {"greedy": True}},
    "no second layer": {"preset": {"stack": False}},
    "no calibration": {"preset": {"calibrate": False}},
    "the mean of the folds' models": {"preset": {"refit": False}},
    "any latency": {"preset": {"row_ms": 1e9}},
    "as the preset best": {"preset": {"row_ms": 300.0, "members": 16}},
}
"""The same of what differs only when the search is over: the run as it is, ended again in the other way."""
CHANGES = {**SEARCHES, **ENDINGS}
AS_IT_IS = f"{OURS}:ended-again"
"""What the endings are compared with."""


def system_of(change: str) -> str:
    """What rows of a change are called."""
    return f"{OURS}:{change.replace(' ', '-')}"


def planned(changes: Sequence[str], names: Sequence[str], limits: Sequence[float], seeds: Sequence[int]) -> list[Fit]:
    """For every data set and seed the engine as it is with all its endings, and then with each change.

    Sets of 2,000 rows and more are fitted with the first seed only.
    """
    endings = {system_of(change): dict(ENDINGS[change]) for change in changes if change in ENDINGS}
    endings = {AS_IT_IS: {}, **endings} if endings else {}
    fits = []
    for name, limit in product(names, limits):
        for seed in seeds[:1] if len(DATA[name].load()) >= LARGE else seeds:
            fits.append(Fit(OURS, name, limit, seed, endings=endings))
            searches = [change for change in changes if change in SEARCHES]
            fits += [Fit(system_of(c), name, limit, seed, options=dict(SEARCHES[c])) for c in searches]
    return fits


def ablation_table(rows: Sequence[Row]) -> str:
    """A line per change and limit: on how many sets it does worse, how much, Wilcoxon's p, and what it costs."""
    lines = []
    for limit in sorted({float(row["limit"]) for row in rows}):
        for change in CHANGES:
            full = Results.of(rows, AS_IT_IS if change in ENDINGS else OURS, limit)
            other = Results.of(rows, system_of(change), limit)
            pair = Pair.of(other, full)
            if not pair.sets:
                continue
            ties = sum(abs(other.errors[n] - full.errors[n]) <= 1e-12 for n in other.errors if n in full.errors)
            costs = [figure(other.median(field), 3) for field in ("row_ms", "disk_mb")]
            worse = pair.sets - pair.wins - ties
            lines.append(
                [f"{limit:g} s", change, f"{worse} of {pair.sets}", figure(pair.ratio, 4), probability(pair.p), *costs]
            )
    return table(["limit", "change", "worse on", "error ratio", "p", "row, ms", "size, MB"], lines)


def main() -> None:
    """Read the command line, run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "sets", nargs="*", default=["bundled", "made"], help="data sets or groups: bundled, made, sized, large"
    )
    parser.add_argument("--changes", nargs="+", default=list(CHANGES), choices=list(CHANGES), metavar="NAME")
    parser.add_argument("--limits", nargs="+", type=float, default=[60.0], help="seconds")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=HERE / "results" / "ablation.jsonl", help="rows are appended here")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    series(planned(given.changes, named(given.sets), given.limits, given.seeds), given.out)
    print(ablation_table(read([given.out])))


if __name__ == "__main__":
    main()
