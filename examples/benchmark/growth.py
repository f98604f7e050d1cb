"""What more rows and more time buy: 10,000, 100,000 and 1,000,000 rows of one table, 6, 60 and 600 s, one test part.

``--big`` instead fits the table of a million rows and 50 columns and says whether all processes kept within 8 GiB.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from data import GROWTH
from rows import Results, Row, read
from run import HERE, planned, series
from tables import figure, table

LIMITS = (6.0, 60.0, 600.0)
BIG, BIG_MIB = "growth_1M", 8 * 1024


def growth_table(rows: Sequence[Row]) -> str:
    """A line per system and size: error, and peak memory, at each limit."""
    rows = [row for row in rows if row["dataset"].removeprefix("growth_") in GROWTH]
    limits = sorted({float(row["limit"]) for row in rows})
    lines = []
    for system in sorted({row["system"] for row in rows}):
        found = [Results.of(rows, system, limit) for limit in limits]
        for size in GROWTH:
            name = f"growth_{size}"
            errors = [figure(results.errors.get(name, float("nan")), 4) for results in found]
            peaks = [results.per_set("peak_mb").get(name, 0.0) / 1024 for results in found]
            if any(error != "–" for error in errors):
                lines.append([system, size, *errors, figure(max(peaks) or float("nan"), 3)])
    return table(["system", "rows", *(f"error, {limit:g} s" for limit in limits), "peak memory, GiB"], lines)


def main() -> None:
    """Read the command line, run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--systems", nargs="+", default=["ours"])
    parser.add_argument("--sizes", nargs="+", default=list(GROWTH), choices=list(GROWTH))
    parser.add_argument("--limits", nargs="+", type=float, default=list(LIMITS), help="seconds")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--big", action="store_true", help="a million rows only, and whether they fit 8 GiB")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "growth.jsonl", help="rows are appended here")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    names = [BIG] if given.big else [f"growth_{size}" for size in given.sizes]
    series(planned(given.systems, names, given.limits, given.seeds, {}), given.out)
    rows = read([given.out])
    print(growth_table(rows))
    if given.big:
        peaks = [row["peak_mb"] for row in rows if row["dataset"] == BIG and "peak_mb" in row]
        print(f"largest: {max(peaks, default=float('nan')):.0f} MiB of {BIG_MIB}")


if __name__ == "__main__":
    main()
