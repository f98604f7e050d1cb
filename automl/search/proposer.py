"""Optuna behind ask and tell: the only module that imports it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from automl.contract import Choice, Float, Knob, Params, SearchSpace


class Proposer:
    """Suggests settings of one family. Not started until the first `ask`; earlier results are told to it then.

    Args:
        space: what may be suggested.
        task: name of the task, for its default point.
        seed: the same seed, results in the same order, and turn give the same suggestion, in whatever process.
    """

    def __init__(self, space: SearchSpace, task: str, seed: int) -> None:
        self.space, self.task, self.seed = space, task, seed
        self._known: list[tuple[Params, float]] = []
        self._study: Any = None
        self._turn = 0
        self._distributions: dict[str, Any] = {}

    @property
    def exhausted(self) -> bool:
        """Is there nothing to search?"""
        return not self.space.knobs

    def learn(self, params: Mapping[str, Any], score: float) -> None:
        """Take in a result that was not asked for."""
        if self._study is None:
            self._known.append((dict(params), score))
        else:
            self._add(params, score)

    def ask(self, turn: int | None = None) -> tuple[Any, Params]:
        """A token for `tell`, and a point of the space.

        turn: which one to draw of those that the results allow; None takes the next.
        """
        if self._study is None:
            self._start()
        self._turn = self._turn + 1 if turn is None else turn
        with _quiet():
            self._study.sampler = _sampler(self.seed, self._turn)
            trial = self._study.ask(self._distributions)
        chosen = {name: self._plain(name, value) for name, value in trial.params.items()}
        point, usual = self.space.point(self.task, chosen), self.space.point(self.task)
        for name in self.space.knobs:
            if not self.space.active(name, point):
                point[name] = usual[name]
        return (trial, point), point

    def tell(self, token: Any, score: float | None) -> None:
        """The score of an asked point, higher is better; None when it failed."""
        import optuna

        trial, point = token
        with _quiet():
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        if score is not None:  # among the results in the order in which they came, as a later process reads them
            self._add(point, score)

    def _start(self) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with _quiet():
            self._study = optuna.create_study(direction="maximize", sampler=_sampler(self.seed, 0))
        self._distributions = {name: _distribution(knob) for name, knob in self.space.knobs.items()}
        for params, score in self._known:
            self._add(params, score)

    def _add(self, params: Mapping[str, Any], score: float) -> None:
        import optuna

        inside = all(name in params and self.space.knobs[name].holds(params[name]) for name in self._distributions)
        if score != score or not inside:  # a point outside the knobs may be tried, but nothing is learnt from it
            return
        known = {name: self._index(name, params[name]) for name in self._distributions}
        with _quiet():
            trial = optuna.trial.create_trial(params=known, distributions=self._distributions, value=score)
            self._study.add_trial(trial)

    def _index(self, name: str, value: Any) -> Any:
        knob = self.space.knobs[name]
        if not isinstance(knob, Choice):
            return value
        return next(i for i, option in enumerate(knob.options) if type(option) is type(value) and option == value)

    def _plain(self, name: str, value: Any) -> Any:
        knob = self.space.knobs[name]
        return knob.options[value] if isinstance(knob, Choice) else value


def _sampler(seed: int, turn: int) -> Any:
    """One whose draws depend on nothing that another process could not know."""
    import optuna

    return optuna.samplers.TPESampler(seed=(1_000_003 * turn + seed) % 2**32, n_startup_trials=5, multivariate=True)


class _quiet(warnings.catch_warnings):
    """Silence Optuna's notes about features that it calls experimental."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.simplefilter("ignore")
        return entered


def _distribution(knob: Knob) -> Any:
    """The knob in Optuna's terms; options are suggested by position, since Optuna takes only plain values."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(knob, Choice):
        return CategoricalDistribution(tuple(range(len(knob.options))))
    if isinstance(knob, Float):
        return FloatDistribution(knob.low, knob.high, log=knob.log, step=knob.step)
    return IntDistribution(knob.low, knob.high, log=knob.log, step=knob.step)
