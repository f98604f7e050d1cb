"""A readable model says what it does, and what it says, worked out by hand, is what it predicts."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl import AutoML, Preset
from automl.contract import OptionError

ANSWER = ("factor", "shift", "low", "high")
READABLE = ("additive-trees", "linear-baseline", "tree-baseline", "prior-baseline")
PARTS = {
    "year": lambda x: x.dt.year,
    "month": lambda x: x.dt.month,
    "day": lambda x: x.dt.day,
    "weekday (0 = Monday)": lambda x: x.dt.day_of_week,
    "hour (UTC)": lambda x: x.dt.hour,
    "days since 1970": lambda x: (x - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1),
}


def house(n: int = 240, seed: int = 3) -> pd.DataFrame:
    """Numbers, categories few and many, a truth value, a date, and gaps in most of them; `price` depends on all."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "floor area": rng.lognormal(4.5, 0.4, n).round(1),
            "rooms": rng.integers(1, 8, n),
            "district": rng.choice(["north", "old town", "harbour", "hills"], n),
            "street": rng.choice([f"street {i}" for i in range(40)], n),
            "garden": rng.random(n) < 0.4,
            "sold": pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 1200, n), unit="D"),
        }
    )
    extra = 40.0 * (frame["district"] == "harbour") + 0.03 * (frame["sold"] - frame["sold"].min()).dt.days
    frame["price"] = 100 + frame["floor area"] + 5 * frame["rooms"] + 20 * frame["garden"] + extra
    frame["price"] += rng.normal(scale=8, size=n)
    for column in ("floor area", "district", "street", "sold"):
        frame.loc[rng.random(n) < 0.1, column] = None
    return frame


def readable(**options: Any) -> AutoML:
    """One trial beside the baselines, in this process, without a sound."""
    return AutoML(**{"n_trials": 1, "executor": "inline", "random_state": 0, "verbose": 0, **options})


def banded(frame: pd.DataFrame) -> pd.DataFrame:
    """The same houses by class of price."""
    bands = pd.cut(frame["price"], [-np.inf, 220, 260, np.inf], labels=["low", "middle", "high"]).astype(str)
    return frame.drop(columns="price").assign(band=bands)


def value(frame: pd.DataFrame, column: Any, part: Any) -> Any:
    return frame[column] if pd.isna(part) else PARTS[part](frame[column])


def effect(pieces: pd.DataFrame, x: pd.Series[Any]) -> Any:
    """(n,) what one term adds."""
    of = dict(iter(pieces.groupby("piece", sort=False)))
    out = np.zeros(len(x))
    if "line" in of:
        slope, center, bend = of["line"][["slope", "center", "bend"]].iloc[0]
        d = x.astype(float) - center
        out += (slope * d / np.sqrt(1 + (d / bend) ** 2)).fillna(0.0).to_numpy()
    elif "step" in of:
        for _, step in of["step"].iterrows():
            out[((x > step["above"]) & (x <= step["up_to"])).to_numpy()] = step["effect"]
    elif "other" in of:
        out[:] = of["other"]["effect"].iloc[0]
        for _, level in of.get("level", pieces[:0]).iterrows():
            out[(x == level["level"]).to_numpy()] = level["effect"]
    out[x.isna().to_numpy()] = of["missing"]["effect"].iloc[0]
    return out


def summed(parts: pd.DataFrame, frame: pd.DataFrame) -> Any:
    """(n,) base and effects of a formula for one score."""
    parts = parts.reindex(columns=[*parts.columns, *({"part", "level", "bend"} - set(parts.columns))])
    total = np.full(len(frame), float(parts.loc[parts["piece"] == "base", "effect"].iloc[0]))
    for (column, part), pieces in parts[parts["column"].notna()].groupby(["column", "part"], dropna=False, sort=False):
        total += effect(pieces, value(frame, column, part))
    return total


def follows(rule: str, frame: pd.DataFrame) -> Any:
    """(n,) rows that a rule of a tree speaks of."""
    held = np.ones(len(frame), dtype=bool)
    for condition in [] if rule == "always" else rule.split(" and "):
        known, missing = condition.removesuffix(" or missing"), condition.endswith(" or missing")
        if condition.endswith((" is known", " is missing")):
            held &= value(
                frame, known.removesuffix(" is known").removesuffix(" is missing"), None
            ).isna().to_numpy() == condition.endswith("missing")
            continue
        match = re.fullmatch(r"(?:(.+) of )?(.+?) (<=|>|in) (.+)", known)
        assert match, condition
        part, column, sign, bound = match.groups()
        x = value(frame, column, part)
        if sign == "in":
            inside = x.isin(ast.literal_eval(bound.removesuffix(")") + ",)")).to_numpy()
        else:
            inside = ((x <= float(bound)) if sign == "<=" else (x > float(bound))).to_numpy()
        held &= inside | (x.isna().to_numpy() & missing)
    return held


def by_hand(described: Any, frame: pd.DataFrame, labels: Any) -> Any:
    """(n, K) probabilities or (n, 1) values, from the table of the description alone."""
    parts = described.to_frame()
    if "rule" in parts:
        names = [described.target] if labels is None else list(labels)
        out = np.zeros((len(frame), len(names)))
        for _, leaf in parts.iterrows():
            out[follows(leaf["rule"], frame)] = leaf[names].to_numpy(dtype=float)
        return out
    if "class" in parts:
        scores = np.stack([summed(parts[parts["class"] == label], frame) for label in labels], axis=1)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)
    total = summed(parts, frame)
    if labels is None and "factor" in set(parts["piece"]):
        factor, shift, low, high = (parts.loc[parts["piece"] == p, "effect"].iloc[0] for p in ANSWER)
        total = np.clip(factor * np.exp(total) - shift, low, high)
    if labels is None:
        return total[:, None]
    positive = 1 / (1 + np.exp(-total))
    return np.stack([1 - positive, positive], axis=1)


@pytest.fixture(scope="module")
def cases(breast: pd.DataFrame, diabetes: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, str, pd.DataFrame]]:
    """Name -> what to learn from, its target, and other rows."""
    houses, others = house(), house(seed=4)
    two = {"band": {"middle": "low"}}
    return {
        "breast cancer": (breast, "target", breast),
        "diabetes": (diabetes, "target", diabetes),
        "mixed, a number": (houses, "price", others),
        "mixed, two classes": (banded(houses).replace(two), "band", others),
        "mixed, three classes": (banded(houses), "band", others),
    }


@pytest.mark.parametrize(
    "case", ["breast cancer", "diabetes", "mixed, a number", "mixed, two classes", "mixed, three classes"]
)
def test_what_is_described_is_what_is_predicted(case: str, cases: dict[str, Any]) -> None:
    frame, target, new = cases[case]
    preset = Preset(readable=True, ensemble=False, refit=True, folds=2, starts=1)
    model = readable(preset=preset).fit(frame, target)
    labels = getattr(model, "classes_", None)
    new = new.assign(**{target: 0})
    for name in READABLE:
        told = model.describe(name)
        predicted = model.predict(new, model=name) if labels is None else model.predict_proba(new, model=name)
        expected = np.asarray(predicted, dtype=float).reshape(len(new), -1)
        error = np.abs(by_hand(told, new, labels) - expected).max(axis=1)
        assert error.max() < 1e-5 * np.abs(expected).max(), (name, new[error > 1e-5], told)


@pytest.mark.parametrize("family", ["linear-baseline", "additive-trees"])
def test_effects_on_the_logarithm_of_a_skewed_target_are_described_as_such(family: str) -> None:
    frame = house(400).assign(price=lambda houses: np.exp(houses["price"] / 60))
    preset = Preset(readable=True, ensemble=False, refit=True, folds=2)
    model = readable(preset=preset, models=[family], n_trials=4).fit(frame, "price")
    board = model.leaderboard()
    names = board.loc[(board["family"] == family) & (board["state"] == "ok"), "model"]
    logged = [name for name in names if "factor" in set(model.describe(str(name)).to_frame()["piece"])]
    assert logged
    for name in logged:
        predicted = np.asarray(model.predict(frame, model=name))
        assert np.abs(by_hand(model.describe(name), frame, None)[:, 0] / predicted - 1).max() < 1e-5
        assert "x exp(sum)" in str(model.describe(name))


def test_the_interpretable_preset_answers_with_one_readable_model_fitted_on_all_rows(breast: pd.DataFrame) -> None:
    model = readable(preset="interpretable", models=["linear-baseline"]).fit(breast, "target")
    ((name, weight),) = model.ensemble_
    board = model.leaderboard()
    assert weight == 1.0
    assert set(board.loc[board["state"] == "ok", "family"]) <= {*READABLE, "ensemble"}
    member = model._predictor.plan.member(name)
    assert member is not None
    assert member.folds == (-1,)
    assert model.score_ == pytest.approx(float(board.loc[board["model"] == "ensemble", "score"].iloc[0]))
    told = model.describe()
    assert told.model == name
    assert told.note == ""
    assert str(told).startswith(name)


def test_a_saved_model_is_described_as_before(breast: pd.DataFrame, tmp_path: Path) -> None:
    model = readable(preset="interpretable", models=["tree-baseline"]).fit(breast, "target")
    model.save(tmp_path / "model")
    assert str(AutoML.load(tmp_path / "model").describe()) == str(model.describe())


def test_a_model_that_cannot_be_read_says_what_can(binary: AutoML) -> None:
    with pytest.raises(OptionError, match=r"no readable model.*linear-baseline.*interpretable"):
        binary.describe("lightgbm")


def test_a_model_of_several_folds_says_that_it_is_one_of_them(binary: AutoML) -> None:
    assert "one of the 5 models" in binary.describe("tree-baseline").note


def test_a_model_that_cannot_be_read_and_was_asked_for_is_listed_as_skipped(breast: pd.DataFrame) -> None:
    model = readable(preset="interpretable", models=["lightgbm", "tree-baseline"])
    board = model.fit(breast, "target").leaderboard().set_index("model")
    assert board.loc["lightgbm", "state"] == "skipped"
    assert "cannot be read" in str(board.loc["lightgbm", "reason"])


def test_an_unknown_preset_lists_those_there_are(breast: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match=r"balanced.*interpretable.*automl\.Preset"):
        AutoML(preset="quick").fit(breast, "target")
