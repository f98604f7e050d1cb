"""Tables made up for the benchmark: seeded, of any size, with what real ones have: categories, gaps, dates, noise.

Rows are drawn in blocks, each from a stream of its own, so a smaller table is the beginning of a larger one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Columns = dict[str, Any]
BLOCK = 10_000


def blocks(n: int, seed: int, make: Callable[[np.random.Generator, int], Columns], first: int = 0) -> pd.DataFrame:
    """`n` rows in blocks of a fixed size, numbered from `first`."""
    frames = []
    for number, start in enumerate(range(0, n, BLOCK)):
        frame = pd.DataFrame(make(np.random.default_rng([seed, first + number]), BLOCK))
        frames.append(frame[: n - start])
    return pd.concat(frames, ignore_index=True)


def million(n: int = 1_000_000, seed: int = 0, first: int = 0) -> pd.DataFrame:
    """35 numbers, 15 categories of 2 to 2000 levels, 5 % gaps in every third column; two classes, `target`.

    `first`: block to begin with; tables from other blocks have other rows of the same kind.
    """
    levels = [2, 2, 3, 4, 5, 6, 8, 12, 20, 30, 60, 100, 300, 800, 2000]
    rng = np.random.default_rng([seed, 77])
    slopes = rng.normal(size=20) * (rng.random(20) < 0.6)
    effects = [rng.normal(scale=0.7, size=size) for size in levels]

    def make(rng: np.random.Generator, n: int) -> Columns:
        numbers = rng.normal(size=(n, 35)).astype(np.float32)
        numbers[:, 5:10] = np.exp(numbers[:, 5:10])
        codes = [np.minimum(rng.geometric(min(0.5, 3 / size), n), size) - 1 for size in levels]
        score = numbers[:, :20] @ slopes.astype(np.float32)
        score += 0.8 * numbers[:, 0] * numbers[:, 1] - np.abs(numbers[:, 2]) + 1.2 * (numbers[:, 3] > 1)
        score += sum(effect[code] for effect, code in zip(effects, codes, strict=True))
        target = score + rng.logistic(scale=1.5, size=n) > 0.5
        numbers[:, ::3][rng.random((n, 12)) < 0.05] = np.nan
        columns: Columns = {f"x{i:02d}": numbers[:, i] for i in range(35)}
        for i, (size, code) in enumerate(zip(levels, codes, strict=True)):
            names = np.array([f"c{i}-{level}" for level in range(size)] + [None], dtype=object)
            columns[f"c{i:02d}"] = names[np.where(rng.random(n) < (0.05 if i % 3 == 0 else 0.0), size, code)]
        return {**columns, "target": np.where(target, "yes", "no")}

    return blocks(n, seed, make, first)


def rents(n: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Flats: skewed sizes, districts with streets in them, a date, gaps; a number, `rent`."""
    fixed = np.random.default_rng([seed, 78])
    street_level = fixed.normal(scale=0.12, size=240)
    district_level = fixed.normal(scale=0.2, size=12)

    def make(rng: np.random.Generator, n: int) -> Columns:
        area = rng.lognormal(4.2, 0.45, n).round(1)
        street = rng.integers(0, 240, n)
        year = rng.choice([1900, 1955, 1975, 1995, 2010], n) + rng.integers(0, 12, n)
        day = rng.integers(0, 2000, n)
        lift = (rng.random(n) < 0.4) & (year > 1950)
        floor = rng.poisson(2.4, n)
        level = street_level[street] + district_level[street % 12] + 0.04 * lift + 0.0001 * day
        level += np.where(year < 1920, 0.12, 0.004 * (year - 1960) / 10) - 0.02 * (floor > 3) * ~lift * (floor - 3)
        rent = np.exp(2.6 + level + 0.85 * np.log(area) + rng.normal(scale=0.13, size=n))
        return {
            "area": np.where(rng.random(n) < 0.03, np.nan, area),
            "floor": floor,
            "built": np.where(rng.random(n) < 0.2, np.nan, year),
            "lift": lift,
            "district": [f"district {code % 12}" for code in street],
            "street": [f"street {code:03d}" for code in street],
            "listed": pd.Timestamp("2019-01-01") + pd.to_timedelta(day, unit="D"),
            "rent": rent.round(0),
        }

    return blocks(n, seed, make)


def defaults(n: int = 4000, seed: int = 0) -> pd.DataFrame:
    """Loans, one in nine not paid back: incomes with heavy tails, histories of payments, categories; `paid`."""

    def make(rng: np.random.Generator, n: int) -> Columns:
        income = rng.lognormal(7.8, 0.6, n)
        amount = income * rng.gamma(2.0, 2.2, n)
        months = rng.choice([12, 24, 36, 48, 60, 72], n)
        late = rng.poisson(0.5 + 1.2 * (rng.random(n) < 0.2), size=(4, n))
        purpose = rng.choice(
            ["car", "kitchen", "debts", "travel", "study", "other"], n, p=[0.3, 0.15, 0.25, 0.1, 0.1, 0.1]
        )
        job = rng.choice(
            ["employed", "self-employed", "retired", "student", "none"], n, p=[0.6, 0.15, 0.12, 0.08, 0.05]
        )
        burden = amount / months / income
        risk = 6.0 * np.maximum(burden - 0.18, 0) + 0.5 * late[0] + 0.25 * late[1:].sum(axis=0) + 0.9 * (job == "none")
        risk += 0.5 * (purpose == "debts") * (late[0] > 0) + 0.6 * ((job == "self-employed") & (months > 36)) - 3.9
        bad = rng.random(n) < 1 / (1 + np.exp(-risk))
        return {
            "income": np.where(rng.random(n) < 0.08, np.nan, income.round(-1)),
            "amount": amount.round(-2),
            "months": months,
            **{f"late payments {year}": late[year] for year in range(4)},
            "purpose": purpose,
            "job": pd.Series(job).mask(rng.random(n) < 0.04),
            "postcode": [f"{code:03d}x" for code in rng.integers(0, 400, n)],
            "paid": np.where(bad, "no", "yes"),
        }

    return blocks(n, seed, make)


def machines(n: int = 2500, seed: int = 0) -> pd.DataFrame:
    """Sensor readings of machines in five states, two of them rare; near-copies among the columns; `state`."""
    centers = np.random.default_rng([seed, 79]).normal(scale=1.1, size=(5, 6))

    def make(rng: np.random.Generator, n: int) -> Columns:
        state = rng.choice(5, n, p=[0.55, 0.25, 0.12, 0.05, 0.03])
        hidden = centers[state] + rng.normal(size=(n, 6)) * (1 + 0.4 * (state == 1))[:, None]
        hidden[:, 5] += hidden[:, 0] * hidden[:, 1]
        wide = hidden @ np.random.default_rng([seed, 80]).normal(size=(6, 18)) + rng.normal(scale=0.7, size=(n, 18))
        columns: Columns = {f"sensor {i}": wide[:, i].astype(np.float32) for i in range(18)}
        for broken in (3, 11):
            columns[f"sensor {broken}"] = np.where(rng.random(n) < 0.15, np.nan, columns[f"sensor {broken}"])
        kind = rng.choice(["press", "lathe", "mill"], n)
        names = np.array(["good", "worn", "hot", "loose", "stopped"])
        return {**columns, "kind": kind, "hours": rng.gamma(2.0, 900, n).round(), "state": names[state]}

    return blocks(n, seed, make)
