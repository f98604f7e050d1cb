"""A run's trials as Optuna studies, for optuna-dashboard and everything else that reads them."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from automl.contract import Choice, Float, Knob, OptionError, SearchSpace
from automl.search.past import PastRun, PastTrial

_MARK = "cairn_run"
Spaces = Mapping[str, SearchSpace]


def write_studies(run: PastRun, spaces: Spaces, storage: Any, name: str) -> list[str]:
    """Write what has ended so far; called again later, it adds what has ended since.

    The study `name` holds every trial with its model as the only parameter; ``name/model`` holds the trials of one
    model with the knobs of its space. Values are scores, to be maximized; intermediate values are the folds' scores;
    user attributes are the leaderboard's columns and all settings.

    Args:
        spaces: model -> what is tuned of it; a model that is not there gets parameters as wide as what was tried.
        storage: URL of a database such as ``sqlite:///runs.db``, or an Optuna storage.

    Returns the names of the studies. Raises OptionError when the storage cannot be used, or holds a study of such a
    name that is of something else.
    """
    opened = _opened(storage)
    try:
        return _written(run, spaces, opened, name)
    finally:
        if opened is not storage:
            opened.remove_session()


def _written(run: PastRun, spaces: Spaces, opened: Any, name: str) -> list[str]:
    """The overview, and a study of each model."""
    models = list(dict.fromkeys(trial.model for trial in run.trials))
    overview = Choice(tuple(sorted({*spaces, *models})))
    _write(run, run.trials, {"model": overview}, [{"model": trial.model} for trial in run.trials], opened, name)
    written = [name]
    for model in models:
        trials = [trial for trial in run.trials if trial.model == model]
        knobs, params = _parameters(spaces.get(model), trials)
        if knobs:
            written.append(f"{name}/{model}")
            _write(run, trials, knobs, params, opened, written[-1])
    return written


def _parameters(
    space: SearchSpace | None, trials: Sequence[PastTrial]
) -> tuple[dict[str, Knob | None], list[dict[str, Any]]]:
    """The knobs, None where nothing is known of one, and each trial's settings of those that exist for it."""
    if space is None:
        names: dict[str, Knob | None] = dict.fromkeys(name for trial in trials for name in trial.params)
        return names, [dict(trial.params) for trial in trials]
    knobs = {name: knob for name, knob in space.knobs.items() if any(name in trial.params for trial in trials)}
    tuned = [{n: v for n, v in t.params.items() if n in knobs and space.active(n, t.params)} for t in trials]
    return dict(knobs), tuned


def _write(
    run: PastRun,
    trials: Sequence[PastTrial],
    knobs: Mapping[str, Knob | None],
    params: Sequence[Mapping[str, Any]],
    storage: Any,
    name: str,
) -> None:
    tried = {knob: [setting[knob] for setting in params if knob in setting] for knob in knobs}
    scales = {knob: _scale(knobs[knob], values) for knob, values in tried.items() if values}
    with _told():
        study = _study(run, {knob: scale for knob, (scale, _) in scales.items()}, storage, name)
        known = {trial.user_attrs.get("trial") for trial in study.get_trials(deepcopy=False)}
        for trial, setting in zip(trials, params, strict=True):
            if trial.number not in known:
                study.add_trial(_frozen(run, trial, setting, scales))


def _study(run: PastRun, distributions: Mapping[str, Any], storage: Any, name: str) -> Any:
    """The study to add to.

    One of this run is made anew when its parameters or lifts are no longer right: Optuna's ended trials do not change.
    """
    import optuna

    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    trials = study.get_trials(deepcopy=False)
    mark = study.user_attrs.get(_MARK)
    if mark is None and not trials and not study.user_attrs:
        facts = {"task": run.task, "metric": run.metric, "best_baseline": run.best_baseline}
        for key, value in {_MARK: run.mark, **facts}.items():
            study.set_user_attr(key, value)
        return study
    if mark != run.mark:
        raise OptionError(f"the storage has a study {name!r} of something else; choose another name or delete it")
    lifted = study.user_attrs.get("best_baseline") == run.best_baseline
    if lifted and all(_compatible(trial.distributions, distributions) for trial in trials):
        return study
    optuna.delete_study(study_name=name, storage=storage)
    return _study(run, distributions, storage, name)


def _compatible(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    from optuna.distributions import check_distribution_compatibility

    try:
        for name in set(there) & set(wanted):
            check_distribution_compatibility(there[name], wanted[name])
    except ValueError:
        return False
    return True


def _frozen(run: PastRun, trial: PastTrial, setting: Mapping[str, Any], scales: Mapping[str, Any]) -> Any:
    """The trial in Optuna's terms."""
    from optuna.trial import TrialState, create_trial

    states = {"ok": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    facts = {name: value for name, value in trial.facts.items() if value is not None}
    made = create_trial(
        state=states.get(trial.state, TrialState.FAIL),
        value=trial.score,
        params={name: scales[name][1](value) for name, value in setting.items()},
        distributions={name: scales[name][0] for name in setting},
        user_attrs={"trial": trial.number, "name": trial.name, **facts, "params": json.loads(json.dumps(trial.params))},
        intermediate_values=dict(trial.fold_scores),
    )
    if not math.isnan(run.started + trial.began + trial.ended):
        made.datetime_start = datetime.fromtimestamp(run.started + trial.began)
        made.datetime_complete = datetime.fromtimestamp(run.started + trial.ended)
    return made


def _scale(knob: Knob | None, values: Sequence[Any]) -> tuple[Any, Any]:
    """A distribution that holds all values, at least as wide as the knob, and what makes a parameter of a value."""
    from optuna.distributions import FloatDistribution, IntDistribution

    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if isinstance(knob, Choice) or not numbers:
        return _categories(knob.options if isinstance(knob, Choice) else (), values)
    known = knob is not None and all(knob.holds(value) for value in values)
    bounds = [*values, knob.low, knob.high] if knob is not None else [*values]
    low, high = min(bounds), max(bounds)
    log = knob is not None and knob.log and low > 0
    step = knob.step if knob is not None and known else None
    whole = all(isinstance(value, int) for value in values)
    if whole and not isinstance(knob, Float):
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1)), int
    step = step if isinstance(knob, Float) else None
    return FloatDistribution(float(low), float(high), log=log, step=step), float


def _categories(options: Sequence[Any], values: Sequence[Any]) -> tuple[Any, Any]:
    """Plain options as they are; others, and those that Python takes for equal, as JSON."""
    from optuna.distributions import CategoricalDistribution

    texts = list(dict.fromkeys(json.dumps(option, sort_keys=True) for option in (*options, *values)))
    plain = [json.loads(text) for text in texts]
    simple = all(option is None or isinstance(option, str | int | float) for option in plain)
    if simple and len(set(plain)) == len(plain):
        return CategoricalDistribution(tuple(plain)), lambda value: value
    return CategoricalDistribution(tuple(texts)), lambda value: json.dumps(value, sort_keys=True)


def _opened(storage: Any) -> Any:
    """The storage behind a URL. Raises OptionError."""
    import optuna

    if isinstance(storage, str) and "://" not in storage:
        raise OptionError(f"storage={storage!r} is no URL of a database; for a file write sqlite:///{storage}")
    with _told():
        return optuna.storages.get_storage(storage)


@contextmanager
def _told() -> Iterator[None]:
    """Optuna without its notes; a database that fails is the user's to know."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (SQLAlchemyError, ImportError, optuna.exceptions.StorageInternalError) as error:
        raise OptionError(f"the storage cannot be used: {error}; give one such as sqlite:///runs.db") from error
    finally:
        optuna.logging.set_verbosity(before)
