"""Small generated data sets on which every row-wise model must work: categories, missing values, rare classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.contract import Example


def _features(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], Any]:
    """Mixed columns and a hidden score that depends on them."""
    size = rng.normal(size=n)
    age = rng.uniform(18, 80, size=n)
    plan = rng.choice(["basic", "plus", "gold"], size=n)
    city = rng.choice([f"city {i:02d}" for i in range(12)], size=n)
    score = 1.5 * size + 0.04 * (age - 45) + np.where(plan == "gold", 1.2, 0.0)
    holes = rng.random(n) < 0.1
    columns = {
        "size": np.where(holes, np.nan, size).tolist(),
        "age": age.tolist(),
        "plan": plan.tolist(),
        "city": [None if hole else name for hole, name in zip(rng.random(n) < 0.05, city.tolist(), strict=True)],
    }
    return columns, score


def two_class_examples() -> list[Example]:
    """A mixed table of 160 rows with words as labels; a numeric one of 60 rows with unbalanced 0/1."""
    rng = np.random.default_rng(11)
    mixed, score = _features(rng, 160)
    labels = np.where(score + rng.normal(scale=0.7, size=160) > 0, "yes", "no").tolist()
    x = rng.normal(size=(60, 3))
    rare = (x[:, 0] > 0.9).astype(int).tolist()
    plain = {f"x{i}": x[:, i].tolist() for i in range(3)}
    return [
        Example("mixed", {**mixed, "label": labels}, "label"),
        Example("unbalanced", {**plain, "label": rare}, "label", learnable=False),
    ]


def many_class_examples() -> list[Example]:
    """A mixed table of 180 rows with four classes, one of them rare."""
    rng = np.random.default_rng(12)
    mixed, score = _features(rng, 180)
    cuts = np.quantile(score, [0.3, 0.7, 0.96])
    names = np.array(["low", "middle", "high", "top"])
    return [Example("mixed", {**mixed, "label": names[np.searchsorted(cuts, score)].tolist()}, "label")]


def number_examples() -> list[Example]:
    """A mixed table of 160 rows with a noisy target far from zero."""
    rng = np.random.default_rng(13)
    mixed, score = _features(rng, 160)
    target = (200 + 30 * score + rng.normal(scale=10, size=160)).tolist()
    return [Example("mixed", {**mixed, "price": target}, "price")]
