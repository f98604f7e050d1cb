"""Out-of-fold predictions of every start point on common folds, kept so that any ensemble can be made up of them."""

from __future__ import annotations

import json
import math
import time
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from data import DATA, Data

from automl import AutoML, Preset
from automl.contract import SearchSpace, Start
from automl.discovery import Registry, space_of

SPACES = Path(__file__).parents[2] / "search_spaces" / "tabular"
CANDIDATES = Path(__file__).parent / "candidates.toml"
FOLDS, MOST_ROWS, ROUNDS = 3, 2_000, 20
DEFAULT = "{}"
Candidate = tuple[str, str]
"""A model's name, and the settings that differ from its default as JSON."""


@cache
def pool_of(model: str) -> list[dict[str, Any]]:
    """What `candidates.toml` holds for a model: ``id``, ``params``, ``source``, and perhaps ``regime`` and ``slow``."""
    return list(tomllib.loads(CANDIDATES.read_text(encoding="utf-8")).get(model, []))


def points_of(model: str) -> list[dict[str, Any]]:
    """A model's default (``{}``) and the candidates there are: settings that differ from the default.

    Raises SystemExit for a model without a space file.
    """
    if not (SPACES / f"{model}.toml").is_file():
        raise SystemExit(
            f"{model!r} has no space file; there are {sorted(path.stem for path in SPACES.glob('*.toml'))}"
        )
    return [{}, *(candidate["params"] for candidate in pool_of(model))]


def inline(values: Mapping[str, Any]) -> str:
    """A TOML inline table; plain values of JSON read the same in TOML."""
    told = {name: inline(value) if isinstance(value, Mapping) else json.dumps(value) for name, value in values.items()}
    return "{ " + ", ".join(f"{name} = {value}" for name, value in told.items()) + " }"


def fill(folder: Path, models: Sequence[str], names: Sequence[str]) -> None:
    """Fit every point on every data set; what is in the folder already is left alone.

    All are loaded before the first fit, so that a package that is missing is told of at once.
    """
    for name in names:
        training_part(name)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for model in models:
            file = folder / f"{name}--{model}.npz"
            if not file.is_file():
                points = points_of(model)
                predictions, seconds = out_of_fold(model, points, name)
                told = np.array(json.dumps(points))
                np.savez_compressed(file, points=told, predictions=predictions.astype(np.float32), seconds=seconds)
                print(f"{name} {model}: {len(points)} points, {FOLDS * seconds.sum():.0f} s", flush=True)


def out_of_fold(model: str, points: Sequence[Mapping[str, Any]], name: str) -> tuple[Any, Any]:
    """(points, n, K) predictions, NaN where a point failed, and (points,) CPU seconds of one fit."""
    about = DATA[name]
    train, fold = training_part(name), fold_of(name)
    labels = labels_of(name)
    out = np.full((len(points), len(train), len(labels)), np.nan)
    seconds = np.zeros(len(points))
    offered, places = offer(model, points, about.task)
    for k in range(FOLDS):
        held = train[fold == k].drop(columns=[about.target])
        answers = _asked(offered, max(places) + 1, train[fold != k], held, about)
        for position, place in enumerate(places):
            answer, took = answers[place]
            seconds[position] += took / FOLDS
            if answer is not None:
                out[position, fold == k] = _aligned(answer, labels)
    return out, seconds


@cache
def training_part(name: str) -> Any:
    """The rows of a data set that candidates are fitted and compared on; its test part is not touched."""
    return DATA[name].split(0)[0].reset_index(drop=True)


def fold_of(name: str) -> Any:
    """(n,) fold numbers of the training rows of a data set."""
    return np.random.default_rng(0).permutation(len(training_part(name))) % FOLDS


def labels_of(name: str) -> list[str]:
    """The classes of a data set in the order of their text; its target for numbers."""
    about = DATA[name]
    return [about.target] if about.task == "regression" else sorted(set(training_part(name)[about.target].astype(str)))


def offer(model: str, points: Sequence[Mapping[str, Any]], task: str) -> tuple[type[Any], list[int]]:
    """The installed model's class with these as its start points whatever their regime, and the place of each.

    Those that come to the same for this task have one place.
    """
    base = Registry.installed().models.load(model)
    space = space_of(base, "tabular")
    knobs = {name: replace(knob, regime={}) for name, knob in space.knobs.items()}
    starts = tuple(Start(f"point-{i}", dict(params)) for i, params in enumerate(points))
    space = SearchSpace(knobs, space.default, space.default_for, starts)
    order = space.portfolio(task, 0)
    offered = type("Offered", (base,), {"name": f"{model}-offered", "space": space, "baseline": False})
    return offered, [order.index(space.point(task, dict(params))) for params in points]


def _asked(model: type[Any], count: int, train: Any, held: Any, about: Data) -> list[tuple[Any, float]]:
    """For each of so many start points: predictions for the held rows, None when the fit failed, and CPU seconds.

    Fits are made in this process, one after the other, and stop early by 15 % of the training rows.
    """
    preset = Preset(folds=1, ensemble=False, racing=False, blocks=False, starts=count)
    given: dict[str, Any] = {"n_trials": count, "preset": preset, "models": [model.name], "extra_plugins": [model]}
    automl = AutoML(metric=about.metric, executor="inline", random_state=0, verbose=0, **given)
    start = time.process_time()
    automl.fit(train, about.target)
    seconds = time.process_time() - start
    board = automl.leaderboard().set_index("model")
    fits = board.loc[board["family"] != "ensemble", "fit_s"]
    ask = automl.predict if about.task == "regression" else automl.predict_proba
    found = []
    for place in range(count):
        name = model.name if place == 0 else f"{model.name}-{place + 1}"
        good = name in board.index and board.loc[name, "state"] == "ok"
        found.append((ask(held, model=name), seconds * float(fits[name] / fits.sum())) if good else (None, 0.0))
    return found


def _aligned(answer: Any, labels: Sequence[str]) -> Any:
    """(n, K) values: classes in the order of `labels`, 0 for one that the fit did not see."""
    values = np.asarray(answer, dtype=float)
    if values.ndim == 1:
        return values[:, None]
    names = [str(name) for name in answer.columns]
    columns = [values[:, names.index(label)] if label in names else np.zeros(len(values)) for label in labels]
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Bank:
    """What is kept of one data set, of at most `MOST_ROWS` rows.

    Attributes:
        n_rows: that it has.
        candidates: those that did not fail.
        predictions: (candidates, n, K) out of fold.
        seconds: (candidates,) CPU of one fit.
        truth: (n, K) ones and zeros of classes, or (n, 1) numbers.
        fold: (n,) fold numbers.
        refused: candidates whose regime leaves it out.
    """

    name: str
    n_rows: int
    candidates: tuple[Candidate, ...]
    predictions: Any
    seconds: Any
    truth: Any
    fold: Any
    refused: frozenset[Candidate] = frozenset()

    @classmethod
    def read(cls, name: str, files: Sequence[Path]) -> Bank:
        """A data set's files, one per model; what is no candidate any more is left out."""
        candidates: list[Candidate] = []
        predictions, seconds = [], []
        for file in sorted(files):
            with np.load(file) as kept:
                points, values = json.loads(str(kept["points"])), kept["predictions"].astype(float)
                model = file.stem.partition("--")[2]
                known = points_of(model)
                wanted = [point in known for point in points]
                good = np.flatnonzero(np.isfinite(values).all(axis=(1, 2)) & wanted)
                candidates += [(model, json.dumps(points[p], sort_keys=True)) for p in good]
                predictions.append(values[good])
                seconds.append(kept["seconds"][good])
        about = DATA[name]
        target = training_part(name)[about.target].to_numpy()
        truth = np.asarray(target, dtype=float)[:, None] if about.task == "regression" else None
        if truth is None:
            truth = (target.astype(str)[:, None] == np.array(labels_of(name))).astype(float)
        refused = _refused({model for model, _ in candidates}, about, truth)
        rows = np.random.default_rng(0).permutation(len(truth))[:MOST_ROWS]
        predicted, fold = np.concatenate(predictions)[:, rows], fold_of(name)[rows]
        spent = np.concatenate(seconds)
        return cls(name, len(truth), tuple(candidates), predicted, spent, truth[rows], fold, refused)

    @property
    def classifies(self) -> bool:
        """Are there classes?"""
        return bool(self.truth.shape[1] > 1)

    def takes(self, candidate: Candidate) -> bool:
        """Is the data set in the candidate's regime?"""
        return candidate not in self.refused

    def cost(self, candidate: Candidate) -> float:
        """CPU seconds of one fit."""
        return float(self.seconds[self.candidates.index(candidate)])

    def losses(self, answer: Any) -> Any:
        """(FOLDS,) squared error or log loss of an (n, K) answer on each fold."""
        if not self.classifies:
            lost = np.square(answer - self.truth)[:, 0]
        else:
            lost = -np.log(np.clip((answer * self.truth).sum(axis=1), 1e-6, 1.0))
        return np.array([lost[self.fold == k].mean() for k in range(FOLDS)])

    def blended(self, members: Sequence[int]) -> Any:
        """(n, K) answer of greedy selection with replacement; each fold is answered by weights chosen on the others."""
        table = self.predictions[list(members)]
        answer = np.zeros_like(table[0])
        for k in range(FOLDS):
            total, best, kept = np.zeros_like(answer), math.inf, table[0]
            for count in range(1, ROUNDS + 1):
                losses = [np.delete(self.losses((total + own) / count), k).mean() for own in table]
                total = total + table[int(np.argmin(losses))]
                if min(losses) < best:
                    best, kept = min(losses), total / count
            answer[self.fold == k] = kept[self.fold == k]
        return answer

    @cached_property
    def least(self) -> float:
        """Mean loss of the ensemble of all candidates."""
        return float(self.losses(self.blended(range(len(self.candidates)))).mean())


def _refused(models: Collection[str], about: Data, truth: Any) -> frozenset[Candidate]:
    """The candidates whose regime leaves a data set out."""
    facts = {}
    if about.task == "regression":
        around = truth - truth.mean()
        facts = {"low": float(truth.min()), "target_skew": float(np.mean((around / around.std()) ** 3))}
    refused = set()
    for model in models:
        for found in pool_of(model):
            start = Start(found["id"], found["params"], found.get("regime", {}))
            if not start.applies(len(truth), about.task, facts):
                refused.add((model, json.dumps(found["params"], sort_keys=True)))
    return frozenset(refused)


def read_all(folder: Path) -> list[Bank]:
    """Every data set in a folder that `fill` filled."""
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*--*.npz")):
        files.setdefault(file.stem.partition("--")[0], []).append(file)
    return [Bank.read(name, found) for name, found in files.items()]
