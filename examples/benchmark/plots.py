"""Accuracy over time and accuracy over latency, as SVG files that are the same every time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from rows import OURS, Results, Row, log_ratio


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write ``time.svg`` and ``latency.svg``. Raises SystemExit when matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError as error:
        raise SystemExit("plots need matplotlib: pip install 'cairn-automl[plots]'") from error
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "cairn", "font.size": 10, "axes.spines.top": False})
    matplotlib.rcParams["axes.spines.right"] = False
    folder.mkdir(parents=True, exist_ok=True)
    points = standings(rows)
    return [_time(points, folder / "time.svg"), _latency(points, folder / "latency.svg")]


def standings(rows: Sequence[Row]) -> dict[str, list[tuple[float, float, float]]]:
    """System -> (limit, ratio, row ms) at each of its limits.

    The ratio is the geometric mean, over the data sets that all of these runs share, of the error over the least error
    any of them reached on that set; 1 is the best there is.
    """
    keys = sorted({(row["system"], float(row["limit"])) for row in rows if ":" not in row["system"]})
    found = [Results.of(rows, system, limit) for system, limit in keys]
    most = max((len(results.errors) for results in found), default=0)
    found = [results for results in found if len(results.errors) >= 0.7 * most]
    shared = sorted(set.intersection(*(set(results.errors) for results in found))) if found else []
    points: dict[str, list[tuple[float, float, float]]] = {}
    for results in found:
        logs = []
        for name in shared:
            least = min(other.errors[name] for other in found)
            logs.append(log_ratio(results.errors[name], least))
        ratio = math.exp(statistics.fmean(logs)) if logs else math.nan
        points.setdefault(results.system, []).append((results.limit, ratio, results.median("row_ms")))
    return points


def _time(points: dict[str, list[tuple[float, float, float]]], file: Path) -> Path:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.0))
    for system, places in points.items():
        limits, ratios, _ = zip(*sorted(places), strict=True)
        axes.plot(limits, ratios, marker="o", label=system, linewidth=2 if system == OURS else 1)
    axes.set(xscale="log", xlabel="time limit, s", ylabel="error / least error (geometric mean)")
    return _saved(figure, axes, file)


def _latency(points: dict[str, list[tuple[float, float, float]]], file: Path) -> Path:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.0))
    for system, places in points.items():
        limits, ratios, latencies = zip(*sorted(places), strict=True)
        axes.plot(latencies, ratios, marker="o", label=system, linewidth=0.7)
        for limit, ratio, latency in zip(limits, ratios, latencies, strict=True):
            axes.annotate(f" {limit:g} s", (latency, ratio), fontsize=8)
    axes.set(xscale="log", xlabel="one row, ms (median)", ylabel="error / least error (geometric mean)")
    return _saved(figure, axes, file)


def _saved(figure: object, axes: object, file: Path) -> Path:
    from matplotlib import pyplot

    axes.legend(frameon=False)  # type: ignore[attr-defined]
    figure.tight_layout()  # type: ignore[attr-defined]
    figure.savefig(file, metadata={"Date": None})  # type: ignore[attr-defined]
    pyplot.close(figure)  # type: ignore[arg-type]
    return file
