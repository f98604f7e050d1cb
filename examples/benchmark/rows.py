"""Raw rows of fits, and what they say: errors per data set, wins, ratios, costs."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OURS = "ours"
CLIP = (0.8, 1.25)
TINY = 1e-9
ROOM_SHARE, ROOM_SECONDS = 1.02, 0.3

Row = Mapping[str, Any]
Key = tuple[str, str, float, int]


def key_of(row: Row) -> Key:
    """System, data set, limit and seed: what makes two rows the same run."""
    return (row["system"], row["dataset"], float(row["limit"]), int(row["seed"]))


def failed(row: Row) -> bool:
    """Did the run not end in a finite error?"""
    return "failed" in row or not math.isfinite(row.get("error", math.inf))


def read(files: Iterable[Path]) -> list[Row]:
    """One row a run: of several attempts the last one that did not fail, else the last. Order of first appearance."""
    found: dict[Key, Row] = {}
    for file in sorted(files):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.strip():
                row = json.loads(line)
                if not failed(row) or key_of(row) not in found or failed(found[key_of(row)]):
                    found[key_of(row)] = row
    return list(found.values())


@dataclass(frozen=True)
class Results:
    """The rows of one system at one limit.

    Attributes:
        errors: data set -> mean error over the seeds; infinite when a run of ours failed.
        rows: those that did not fail.
        failures: data sets with a failed run.
    """

    system: str
    limit: float
    errors: Mapping[str, float]
    rows: Sequence[Row]
    failures: Sequence[str] = field(default_factory=tuple)

    @classmethod
    def of(cls, rows: Iterable[Row], system: str, limit: float) -> Results:
        """Those of all rows that belong here."""
        own = [row for row in rows if row["system"] == system and float(row["limit"]) == limit]
        errors: dict[str, list[float]] = {}
        for row in own:
            if not failed(row):
                errors.setdefault(row["dataset"], []).append(row["error"])
            elif system.startswith(OURS):
                errors.setdefault(row["dataset"], []).append(math.inf)
        lost = sorted({row["dataset"] for row in own if failed(row)})
        means = {name: statistics.fmean(values) for name, values in sorted(errors.items())}
        return cls(system, limit, means, [row for row in own if not failed(row)], lost)

    @property
    def tried(self) -> set[str]:
        """Data sets with a run, failed or not."""
        return {*self.errors, *self.failures}

    @property
    def finished(self) -> set[str]:
        """Data sets without a failed run."""
        return {name for name in self.errors if name not in self.failures}

    def on(self, names: Iterable[str]) -> Results:
        """The same on some data sets."""
        wanted = set(names)
        errors = {name: error for name, error in self.errors.items() if name in wanted}
        rows = [row for row in self.rows if row["dataset"] in wanted]
        return Results(self.system, self.limit, errors, rows, [name for name in self.failures if name in wanted])

    def median(self, field: str) -> float:
        """Median over all rows of a field; NaN where none has it."""
        values = [row[field] for row in self.rows if math.isfinite(row.get(field, math.nan))]
        return statistics.median(values) if values else math.nan

    def per_set(self, field: str) -> dict[str, float]:
        """Data set -> median over the seeds of a field."""
        values: dict[str, list[float]] = {}
        for row in self.rows:
            if math.isfinite(row.get(field, math.nan)):
                values.setdefault(row["dataset"], []).append(row[field])
        return {name: statistics.median(found) for name, found in values.items()}

    def late(self) -> int:
        """Runs that took more than 1.02 times the limit and 0.3 s."""
        return sum(row["fit_s"] > ROOM_SHARE * self.limit + ROOM_SECONDS for row in self.rows)


@dataclass(frozen=True)
class Pair:
    """One system against another on the data sets that both finished; those that both lost are left out.

    Attributes:
        sets: how many.
        wins: sets on which the first has the smaller error.
        ratio: geometric mean of the error ratios, first over second, each clipped to 0.8 to 1.25 so that no one set
            decides; below 1 the first is better.
        p: two-sided, of Wilcoxon's signed ranks of the logarithms of the clipped ratios; NaN below six sets.
    """

    sets: int
    wins: int
    ratio: float
    p: float

    @classmethod
    def of(cls, first: Results, second: Results) -> Pair:
        """The comparison; NaN where they share no set."""
        lost = {name for name in first.errors if math.isinf(first.errors[name])}
        shared = [n for n in first.errors if n in second.errors and not (n in lost and math.isinf(second.errors[n]))]
        logs = [log_ratio(first.errors[name], second.errors[name]) for name in shared]
        wins = sum(first.errors[name] < second.errors[name] - 1e-12 for name in shared)
        ratio = math.exp(statistics.fmean(logs)) if logs else math.nan
        return cls(len(shared), wins, ratio, signed_rank_p(logs))


def log_ratio(first: float, second: float) -> float:
    """Logarithm of the clipped ratio of two errors; the worst there is for an infinite first."""
    if math.isinf(first) or math.isinf(second):
        return math.log(CLIP[1] if math.isinf(first) else CLIP[0])
    return math.log(min(CLIP[1], max(CLIP[0], (first + TINY) / (second + TINY))))


def signed_rank_p(differences: Sequence[float]) -> float:
    """Wilcoxon's two-sided p of paired differences; NaN for fewer than six that are not 0."""
    known = [value for value in differences if value != 0.0]
    if len(known) < 6:
        return math.nan
    from scipy.stats import wilcoxon

    return float(wilcoxon(known).pvalue)


def cost_ratio(first: Results, second: Results, field: str) -> float:
    """Median over the shared sets of first's cost over second's; NaN where they share none."""
    mine, theirs = first.per_set(field), second.per_set(field)
    ratios = [mine[name] / theirs[name] for name in mine if theirs.get(name, 0.0) > 0]
    return statistics.median(ratios) if ratios else math.nan
