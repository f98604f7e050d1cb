"""Data sets that anybody has: scikit-learn's, generated ones, those of packages; and your own (`own.py`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from generated import defaults, machines, million, rents
from own import FOLDER, described
from packaged import econometric, flagged, islp, survey
from sklearn import datasets

GROWTH = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}
GROWTH_TEST = 50_000


@dataclass(frozen=True)
class Data:
    """A data set: where it comes from, its target, task and metric, and how many rows are held back for the test.

    Attributes:
        load: gives the whole table in its own order.
        test: share of the rows, or a number of last rows, which are then the same for every seed.
    """

    load: Callable[[], pd.DataFrame]
    target: str
    task: str
    metric: str
    test: float = 0.3

    def split(self, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Training and test part. A fixed test part is the end of the table, whatever the seed."""
        frame = self.load()
        if self.test >= 1:
            return frame[: -int(self.test)], frame[-int(self.test) :].reset_index(drop=True)
        frame = frame.sample(frac=1, random_state=seed, ignore_index=True)
        cut = round((1 - self.test) * len(frame))
        return frame[:cut], frame[cut:].reset_index(drop=True)


def _bundled(load: Callable[..., Any]) -> pd.DataFrame:
    frame: pd.DataFrame = load(as_frame=True).frame
    return frame


def _made(make: Callable[..., Any], **options: Any) -> pd.DataFrame:
    """A table of one of scikit-learn's generators, its columns named."""
    X, y = make(**options)
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])]).assign(target=y)


def _grown(n: int) -> pd.DataFrame:
    """`n` rows and, after them, the same test rows for every `n`."""
    return pd.concat([million(n), million(GROWTH_TEST, first=1_000)], ignore_index=True)


BINARY, MULTI, NUMBER = ("binary", "roc_auc"), ("multiclass", "log_loss"), ("regression", "rmse")


def _generated(kind: tuple[str, str], make: Callable[..., Any], n: int, **options: Any) -> Data:
    """A data set of `n` rows of one of scikit-learn's generators."""
    return Data(partial(_made, make, n_samples=n, **{"random_state": 0, **options}), "target", *kind)


def _clusters(kind: tuple[str, str], n: int, d: int, informative: int, **options: Any) -> Data:
    """Clusters of classes, one label in twenty wrong."""
    options = {"n_features": d, "n_informative": informative, "flip_y": 0.05, **options}
    return _generated(kind, datasets.make_classification, n, **options)


def _packaged(
    kind: tuple[str, str], load: Callable[..., pd.DataFrame], name: str, target: str, drop: str = "", flag: bool = False
) -> Data:
    """A table of a package; `flag`: its target is whether a number is more than 0."""
    own = partial(load, name, target, drop)
    return Data((lambda: flagged(own(), target)) if flag else own, target, *kind)


BUNDLED = {
    "breast_cancer": Data(partial(_bundled, datasets.load_breast_cancer), "target", *BINARY),
    "diabetes": Data(partial(_bundled, datasets.load_diabetes), "target", *NUMBER),
    "digits": Data(partial(_bundled, datasets.load_digits), "target", *MULTI),
    "iris": Data(partial(_bundled, datasets.load_iris), "target", *MULTI),
    "wine": Data(partial(_bundled, datasets.load_wine), "target", *MULTI),
}
MADE = {
    "friedman_1": _generated(NUMBER, datasets.make_friedman1, 1500, n_features=12, noise=1.5),
    "friedman_2": _generated(NUMBER, datasets.make_friedman2, 1000, noise=80),
    "friedman_3": _generated(NUMBER, datasets.make_friedman3, 800, noise=0.1),
    "sparse_line": _generated(NUMBER, datasets.make_sparse_uncorrelated, 600, n_features=30),
    "hastie": _generated(BINARY, datasets.make_hastie_10_2, 4000),
    "two_moons": _generated(BINARY, datasets.make_moons, 1000, noise=0.35),
    "quantiles": _generated(MULTI, datasets.make_gaussian_quantiles, 2000, n_features=6, n_classes=4),
    "clusters": _clusters(BINARY, 3000, 25, 8, n_redundant=6),
    "many_clusters": _clusters(MULTI, 5000, 30, 12, n_classes=12, n_clusters_per_class=1),
    "wide": _clusters(BINARY, 400, 500, 15, n_redundant=40),
    "rents": Data(rents, "rent", *NUMBER),
    "defaults": Data(defaults, "paid", *BINARY),
    "machines": Data(machines, "state", *MULTI),
}
SIZED = {
    "friedman_1_small": _generated(NUMBER, datasets.make_friedman1, 400, n_features=8, noise=2.0, random_state=1),
    "friedman_1_large": _generated(NUMBER, datasets.make_friedman1, 12_000, n_features=20, noise=1.0, random_state=2),
    "quantiles_large": _generated(MULTI, datasets.make_gaussian_quantiles, 9_000, n_features=8, n_classes=6),
    "clusters_small": _clusters(BINARY, 600, 15, 6, random_state=1),
    "clusters_large": _clusters(BINARY, 20_000, 40, 12, n_redundant=10, random_state=2),
    "many_clusters_large": _clusters(MULTI, 15_000, 25, 10, n_classes=8, random_state=3),
    "rents_small": Data(partial(rents, 500, 1), "rent", *NUMBER),
    "rents_large": Data(partial(rents, 15_000, 2), "rent", *NUMBER),
    "defaults_small": Data(partial(defaults, 900, 1), "paid", *BINARY),
    "defaults_large": Data(partial(defaults, 25_000, 2), "paid", *BINARY),
    "machines_small": Data(partial(machines, 700, 1), "state", *MULTI),
    "machines_large": Data(partial(machines, 12_000, 2), "state", *MULTI),
    "million_small": Data(partial(million, 5_000, 1), "target", *BINARY),
    "million_large": Data(partial(million, 30_000, 2), "target", *BINARY),
}
PACKAGED = {
    "bikes": _packaged(NUMBER, islp, "Bikeshare", "bikers", "casual registered"),
    "car_seats": _packaged(NUMBER, islp, "Carseats", "Sales"),
    "colleges": _packaged(NUMBER, islp, "College", "Outstate"),
    "credit_cards": _packaged(NUMBER, islp, "Credit", "Balance", "ID"),
    "hitters": _packaged(NUMBER, islp, "Hitters", "Salary"),
    "wages": _packaged(NUMBER, islp, "Wage", "wage", "logwage"),
    "airfares": _packaged(NUMBER, econometric, "airfare", "fare", "lfare lpassen ldist ldistsq"),
    "birth_weights": _packaged(NUMBER, econometric, "bwght2", "bwght", "lbwght lbw vlbw magesq npvissq"),
    "counties": _packaged(NUMBER, econometric, "crime4", "crmrte", "lcrmrte clcrmrte"),
    "earners": _packaged(NUMBER, econometric, "card", "wage", "lwage id expersq"),
    "grades": _packaged(NUMBER, econometric, "gpa2", "colgpa", "hsizesq"),
    "houses": _packaged(NUMBER, econometric, "kielmc", "price", "lprice rprice lrprice"),
    "injuries": _packaged(NUMBER, econometric, "injury", "ldurat", "durat"),
    "schools": _packaged(NUMBER, econometric, "mathpnl", "math4", "math4_1 cmath4 math4_92"),
    "sleepers": _packaged(NUMBER, econometric, "sleep75", "sleep", "slpnaps leis1 leis2 leis3"),
    "affairs": _packaged(BINARY, survey, "fair", "affairs", flag=True),
    "arrests": _packaged(BINARY, econometric, "crime1", "narr86", "nfarr86 nparr86", flag=True),
    "caravans": _packaged(BINARY, islp, "Caravan", "Purchase"),
    "donors": _packaged(BINARY, econometric, "charity", "respond", "gift"),
    "drinkers": _packaged(BINARY, econometric, "alcohol", "abuse", "agesq beertaxsq cigtaxsq ethanolsq educsq"),
    "graduates": _packaged(BINARY, econometric, "catholic", "hsgrad", "id"),
    "juices": _packaged(BINARY, islp, "OJ", "Purchase"),
    "mortgages": _packaged(BINARY, econometric, "loanapp", "approve", "action reject"),
    "pensions": _packaged(BINARY, econometric, "401ksubs", "e401k", "p401k incsq agesq"),
    "relapses": _packaged(BINARY, econometric, "recid", "cens", "durat ldurat"),
    "workers": _packaged(BINARY, econometric, "mroz", "inlf", "hours wage repwage lwage"),
    "cars": _packaged(MULTI, islp, "Auto", "origin"),
    "education": _packaged(MULTI, islp, "Wage", "education", "logwage"),
    "happiness": _packaged(MULTI, econometric, "happiness", "happy", "vhappy"),
    "marriages": _packaged(MULTI, econometric, "affairs", "ratemarr", "id vryhap hapavg avgmarr unhap"),
    "parties": _packaged(MULTI, survey, "anes96", "PID"),
}
LARGE = {
    **{f"growth_{name}": Data(partial(_grown, n), "target", *BINARY, test=GROWTH_TEST) for name, n in GROWTH.items()},
}
GROUPS = {"bundled": BUNDLED, "made": MADE, "sized": SIZED, "packaged": PACKAGED, "large": LARGE}
if FOLDER in os.environ:
    GROUPS["own"] = {about.pop("name"): Data(**about) for about in described(Path(os.environ[FOLDER]))}
DATA = {name: data for group in GROUPS.values() for name, data in group.items()}


def named(names: list[str]) -> list[str]:
    """Names of data sets, groups spelt out. Raises SystemExit for an unknown one."""
    found: list[str] = []
    for name in names:
        if name not in GROUPS and name not in DATA:
            raise SystemExit(f"no data set or group is called {name!r}; there are {[*GROUPS, *DATA]}")
        found += list(GROUPS.get(name, {name: None}))
    return list(np.unique(found)) if len(set(found)) < len(found) else found
