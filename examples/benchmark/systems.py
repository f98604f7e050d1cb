"""The systems that are compared: how each is fitted, asked and deployed; run with the Python of its own home."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from measure import Predict

OURS = "ours"
SKLEARN_METRICS = {"rmse": "root_mean_squared_error"}
MLJAR_METRICS = {"rmse": "rmse", "roc_auc": "auc", "log_loss": "logloss"}


@dataclass(frozen=True)
class Question:
    """What is asked of a system: a table, its target column, task and metric, a limit in seconds, a seed.

    `options`: for ours, further arguments of `AutoML`.
    """

    train: pd.DataFrame
    target: str
    task: str
    metric: str
    limit: float
    seed: int
    options: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A fitted system.

    Attributes:
        predict: probabilities of classes, or values.
        classes: order of the probabilities' columns where they come without names.
        deploy: writes what one would deploy; gives its path and the `predict` of what was read back.
        model: the fitted object.
    """

    predict: Predict
    classes: list[Any]
    deploy: Callable[[], tuple[Path, Predict]]
    model: Any


def fit(system: str, question: Question, folder: Path) -> Answer:
    """Fit a system: ``ours``, ``ours_PRESET``, ``autogluon_PRESET``, ``flaml`` or ``mljar``."""
    family, _, preset = system.partition("_")
    known = {"autogluon": _autogluon, "flaml": _flaml, "mljar": _mljar}
    if family in known:
        return known[family](question, folder, preset)
    return _ours(question, folder, preset)


def import_of(system: str) -> Any:
    """Import a system's main class, before the clock of its fit starts."""
    places = {"autogluon": "autogluon.tabular", "flaml": "flaml", "mljar": "supervised.automl"}
    family = system.partition("_")[0]
    module = importlib.import_module(places.get(family, "automl"))
    return getattr(module, "TabularPredictor" if family == "autogluon" else "AutoML")


def _ours(question: Question, folder: Path, preset: str) -> Answer:
    from automl import AutoML, Preset

    options = dict(question.options)
    if "preset" in options:
        options["preset"] = Preset(**options["preset"])
    elif preset:
        options["preset"] = preset
    model = AutoML(time_limit=question.limit, metric=question.metric, random_state=question.seed, **options)
    return _our_answer(model.fit(question.train, target=question.target), question, folder)


def ended_again(question: Question, run: Path, folder: Path) -> Answer:
    """A run of ours that has ended, ended once more with other options: nothing is tried, what there is is combined."""
    from automl import AutoML, Preset

    options = {**question.options, "preset": Preset(**question.options.get("preset", {}))}
    return _our_answer(AutoML.resume(run, n_trials=1, **options), question, folder)


def _our_answer(model: Any, question: Question, folder: Path) -> Answer:
    from automl import AutoML

    def asked(fitted: Any) -> Predict:
        return fitted.predict if question.task == "regression" else fitted.predict_proba  # type: ignore[no-any-return]

    def deploy() -> tuple[Path, Predict]:
        model.save(folder / "ours")
        return folder / "ours", asked(AutoML.load(folder / "ours"))

    return Answer(asked(model), list(getattr(model, "classes_", ())), deploy, model)


def _autogluon(question: Question, folder: Path, preset: str) -> Answer:
    from autogluon.tabular import TabularPredictor

    metric = SKLEARN_METRICS.get(question.metric, question.metric)
    made = TabularPredictor(
        label=question.target, path=str(folder / "ag"), verbosity=0, eval_metric=metric, problem_type=question.task
    )
    model = made.fit(question.train, time_limit=question.limit, presets=preset or "best_quality")

    def asked(fitted: Any) -> Predict:
        return fitted.predict if question.task == "regression" else fitted.predict_proba  # type: ignore[no-any-return]

    def deploy() -> tuple[Path, Predict]:
        path = folder / "ag_deploy"
        model.clone_for_deployment(str(path), return_clone=False)
        loaded = TabularPredictor.load(str(path))
        loaded.persist()
        return path, asked(loaded)

    return Answer(asked(model), [] if question.task == "regression" else list(model.class_labels), deploy, model)


def _flaml(question: Question, folder: Path, preset: str) -> Answer:
    from flaml import AutoML

    regression = question.task == "regression"
    model = AutoML()
    model.fit(
        dataframe=question.train,
        label=question.target,
        task="regression" if regression else "classification",
        metric=question.metric,
        time_budget=question.limit,
        verbose=0,
        seed=question.seed,
        ensemble=True,
    )

    def deploy() -> tuple[Path, Predict]:
        path = folder / "flaml.pkl"
        path.write_bytes(pickle.dumps(model, pickle.HIGHEST_PROTOCOL))
        loaded = pickle.loads(path.read_bytes())
        return path, loaded.predict if regression else loaded.predict_proba

    return Answer(
        model.predict if regression else model.predict_proba, [] if regression else list(model.classes_), deploy, model
    )


def _mljar(question: Question, folder: Path, preset: str) -> Answer:
    from supervised.automl import AutoML

    path = folder / "mljar"
    model = AutoML(
        results_path=str(path),
        total_time_limit=int(question.limit),
        mode=preset or "Compete",
        verbose=0,
        random_state=question.seed,
        eval_metric=MLJAR_METRICS[question.metric],
    )
    target = question.train[question.target]
    model.fit(question.train.drop(columns=[question.target]), target)
    regression = question.task == "regression"

    def deploy() -> tuple[Path, Predict]:
        loaded = AutoML(results_path=str(path))
        return path, loaded.predict if regression else loaded.predict_proba

    predict = model.predict if regression else model.predict_proba
    return Answer(predict, [] if regression else sorted(set(target.dropna())), deploy, model)
