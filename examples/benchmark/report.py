"""Write the READMEs' comparison tables, and plots, from the raw rows in `results/`. One command, no arguments.

A table stands between ``<!-- NAME -->`` and ``<!-- /NAME -->`` and is replaced as a whole; the rest is left alone.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ablate import ablation_table
from growth import growth_table
from rows import OURS, Pair, Results, Row, cost_ratio, failed, read
from tables import figure, probability, table

HERE = Path(__file__).parent
PAGES = (HERE / "README.md", HERE.parents[1] / "README.md")
COSTS = ("row_ms", "batch_us", "disk_mb", "peak_mb")
PRESETS = {
    "ours_fast": ("fast", "at most 3 folds and few start points, to answer at once"),
    "ours": ("balanced", "the default"),
    "ours_best": ("best", "large ensembles, where latency does not matter"),
    "ours_interpretable": ("interpretable", "one readable model, fitted on all rows"),
}
NAMES = {"flaml": "FLAML, with its ensemble", "mljar": "mljar-supervised, Compete", "ours": "Cairn"}


def main(results: Sequence[Path], pages: Iterable[Path], plots: Path | None) -> list[Path]:
    """Rewrite the tables; returns the pages that changed."""
    rows = read(results)
    tables = {
        "comparison": comparison_table(rows),
        "costs": cost_table(rows),
        "promises": promise_table(rows),
        "presets": preset_table(rows),
        "ablation": ablation_table(rows),
        "growth": growth_table(rows),
    }
    changed = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        new = text
        for name, lines in tables.items():
            new = replaced(new, name, lines)
        if new != text:
            page.write_text(new, encoding="utf-8")
            changed.append(page)
    if plots is not None:
        from plots import draw

        draw(rows, plots)
    return changed


def replaced(text: str, name: str, table: str) -> str:
    """The text with what stands between the markers of this name exchanged."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


def comparison_table(rows: Sequence[Row]) -> str:
    """Ours against every peer, at every limit, on the data sets that were tried with that peer: a line each."""
    lines = []
    for limit in limits(rows):
        for peer in peers(rows, limit):
            other = Results.of(rows, peer, limit)
            ours = Results.of(rows, OURS, limit).on(other.tried)
            pair = Pair.of(ours, other)
            if not pair.sets:
                continue
            costs = [cost_ratio(other, ours, field) for field in COSTS]
            lines.append(
                [
                    f"{limit:g} s",
                    title(peer),
                    f"{pair.wins} of {pair.sets}",
                    figure(pair.ratio, 3),
                    probability(pair.p),
                    *(f"{figure(cost, 2)} x" if math.isfinite(cost) else "–" for cost in costs),
                    f"{ours.late()} of {len(ours.rows)}; {other.late()} of {len(other.rows)}",
                    f"{len(ours.failures)}; {len(other.failures)}",
                ]
            )
    heads = ["limit", "against", "better on", "error ratio", "p", "row", "batch", "size", "memory", "late", "failed"]
    return table(heads, lines)


def cost_table(rows: Sequence[Row]) -> str:
    """What every system costs: medians over its runs on the data sets that all finished."""
    lines = []
    for limit in limits(rows):
        found = [Results.of(rows, system, limit) for system in [OURS, *peers(rows, limit)]]
        found = [results for results in found if results.rows]
        shared = set.intersection(*(results.finished for results in found)) if len(found) > 1 else set()
        if not shared:
            continue
        for results in (each.on(shared) for each in found):
            fits = [row["fit_s"] / limit for row in results.rows]
            costs = [figure(results.median(field), 3) for field in COSTS]
            lines.append([f"{limit:g} s", title(results.system), str(len(shared)), figure(max(fits), 3), *costs])
    heads = ["limit", "system", "sets", "longest fit / limit", "row, ms", "batch, µs/row", "size, MB", "memory, MB"]
    return table(heads, lines)


def promise_table(rows: Sequence[Row]) -> str:
    """How often ours kept its interval, and beat its own best baseline, on the data sets that were compared."""
    lines = []
    for limit in limits(rows):
        tried = set().union(*(Results.of(rows, peer, limit).tried for peer in peers(rows, limit)))
        ours = [row for row in Results.of(rows, OURS, limit).on(tried).rows if "interval" in row]
        if not ours:
            continue
        kept = sum(row["interval"][0] <= row["score_test"] <= row["interval"][1] for row in ours)
        judged = [row for row in ours if "baseline_error" in row]
        better = sum(row["error"] < row["baseline_error"] for row in judged)
        lines.append([f"{limit:g} s", f"{kept} of {len(ours)}", f"{better} of {len(judged)}"])
    return table(["limit", "test score inside the promised 90 % interval", "better than its best baseline"], lines)


def preset_table(rows: Sequence[Row]) -> str:
    """Every preset, what it is, and how it did against the default one, on the data sets that all of them have."""
    lines = []
    for limit in limits(rows):
        found = [Results.of(rows, system, limit) for system in PRESETS]
        found = [results for results in found if results.rows]
        shared = set.intersection(*(set(results.errors) for results in found)) if len(found) > 1 else set()
        base = Results.of(rows, OURS, limit).on(shared)
        if base.errors:
            lines += [_preset_line(results.on(shared), base) for results in found]
    if not lines:
        return table(["preset", "what it is"], [[f"`{name}`", about] for name, about in PRESETS.values()])
    heads = ["preset", "what it is", "limit", "sets", "error ratio", "fit, s", "row, ms", "batch, µs/row", "size, MB"]
    return table(heads, lines)


def _preset_line(results: Results, base: Results) -> list[str]:
    name, about = PRESETS[results.system]
    pair = Pair.of(results, base)
    costs = [figure(results.median(field), 3) for field in ("fit_s", "row_ms", "batch_us", "disk_mb")]
    return [f"`{name}`", about, f"{results.limit:g} s", str(pair.sets), figure(pair.ratio, 3), *costs]


def limits(rows: Sequence[Row]) -> list[float]:
    """All limits, rising."""
    return sorted({float(row["limit"]) for row in rows})


def peers(rows: Sequence[Row], limit: float) -> list[str]:
    """Systems that are not ours and finished something at this limit."""
    found = {row["system"] for row in rows if float(row["limit"]) == limit and not failed(row)}
    return sorted(system for system in found if not system.startswith(OURS))


def title(system: str) -> str:
    """A system as people call it."""
    if system.startswith("autogluon_"):
        return f"AutoGluon, `{system.removeprefix('autogluon_')}`"
    return NAMES.get(system, system)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", nargs="*", type=Path, help="JSON lines files; all in results/ by default")
    parser.add_argument("--plots", type=Path, help="folder to draw to (needs matplotlib: the extra `plots`)")
    parser.add_argument("--page", type=Path, action="append", help="page to rewrite instead of the READMEs")
    given = parser.parse_args()
    for page in main(given.results or list((HERE / "results").glob("*.jsonl")), given.page or PAGES, given.plots):
        print(f"{page}: tables rewritten")
