"""Optuna behind `learn` and `ask`: the only module that imports its samplers."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from automl.contract import Choice, Float, Int, Knob, Params, SearchSpace

_BEST, _LATEST = 32, 32
_GROWN = 2 * (_BEST + _LATEST)


class Proposer:
    """Suggests settings of one family. Not started until the first `ask`; earlier results are told to it then.

    A study that has grown to 128 results gives way to one of the best 32 and the latest 32, so that a suggestion takes
    no longer after 10,000 trials than after 120. Whole numbers are suggested as numbers and rounded, which takes
    a third of the time.

    Args:
        space: what may be suggested.
        task: name of the task, for its default point.
        seed: the same seed, results in the same order, and turn give the same suggestion, in whatever process.
    """

    def __init__(self, space: SearchSpace, task: str, seed: int) -> None:
        self.space, self.task, self.seed = space, task, seed
        self._known: list[tuple[Params, float]] = []
        self._turn = 0
        self._study: Any = None
        self._storage: Any = None

    @cached_property
    def _distributions(self) -> dict[str, Any]:
        """The knobs in Optuna's terms."""
        return {name: _distribution(knob) for name, knob in self.space.knobs.items()}

    @property
    def exhausted(self) -> bool:
        """Is there nothing to search?"""
        return not self.space.knobs

    def learn(self, params: Mapping[str, Any], score: float) -> None:
        """Take in a result, higher is better. In the order in which they come, as a later process reads them."""
        if not self._inside(params) or score != score:  # it may be tried, but nothing is learnt from it
            return
        self._known.append((dict(params), score))
        if len(self._known) >= _GROWN:
            self._known, self._study = worth_knowing(self._known), None
        if self._study is not None:
            self._study.add_trial(self._past(params, score))

    def ask(self, turn: int | None = None) -> Params:
        """A point of the space.

        turn: which one to draw of those that the results allow; None takes the next.
        """
        if self._study is None:
            self._start()
        self._turn = self._turn + 1 if turn is None else turn
        return self._point(self._drawn())

    @cached_property
    def _random(self) -> random.Random:
        """For draws that no result changes."""
        return random.Random(self.seed)

    def anything(self) -> Params:
        """Some point, drawn without heed of any result in a small part of the time; another one each time."""
        return self._point({name: _any_of(kind, self._random) for name, kind in self._distributions.items()})

    def rest(self) -> None:
        """Nothing is asked for some time: results are kept without a study, which takes long to take them in."""
        self._study = None

    def _point(self, drawn: Mapping[str, Any]) -> Params:
        """What was drawn in Optuna's terms, as a whole point of the space."""
        chosen = {name: self._plain(name, value) for name, value in drawn.items()}
        point, usual = self.space.point(self.task, chosen), self.space.point(self.task)
        for name in self.space.knobs:
            if not self.space.active(name, point):
                point[name] = usual[name]
        return point

    def _drawn(self) -> dict[str, Any]:
        """A point in Optuna's terms.

        The sampler is asked itself: a study's own `ask` takes as long again to find out which settings all its trials
        have, and keeps every point that it gave. It is given a study of its own, since one that was asked before goes
        on to show what it showed then.
        """
        import optuna

        free = {name: kind for name, kind in self._distributions.items() if not kind.single()}
        with _quiet():
            sampler = _sampler(self.seed, self._turn)
            trial = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
            study = optuna.load_study(study_name=self._study.study_name, storage=self._storage, sampler=sampler)
            drawn = sampler.sample_relative(study, trial, free)
            for name, kind in self._distributions.items():
                if name not in drawn:  # too few results to learn from yet, or nothing to choose
                    drawn[name] = sampler.sample_independent(study, trial, name, kind)
        return {name: drawn[name] for name in self._distributions}

    def _start(self) -> None:
        """A study of what is known."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._storage = optuna.storages.InMemoryStorage()
        with _quiet():
            self._study = optuna.create_study(direction="maximize", storage=self._storage)
            self._study.add_trials([self._past(params, score) for params, score in self._known])

    def _inside(self, params: Mapping[str, Any]) -> bool:
        return all(name in params and knob.holds(params[name]) for name, knob in self.space.knobs.items())

    def _past(self, params: Mapping[str, Any], score: float) -> Any:
        import optuna

        known = {name: self._given(name, params[name]) for name in self._distributions}
        with _quiet():
            return optuna.trial.create_trial(params=known, distributions=self._distributions, value=score)

    def _given(self, name: str, value: Any) -> Any:
        """A setting in Optuna's terms."""
        knob = self.space.knobs[name]
        if isinstance(knob, Choice):
            return next(i for i, option in enumerate(knob.options) if type(option) is type(value) and option == value)
        return float(value) if isinstance(knob, Int) else value

    def _plain(self, name: str, value: Any) -> Any:
        """What Optuna suggested, as a setting."""
        knob = self.space.knobs[name]
        if isinstance(knob, Choice):
            return knob.options[value]
        if isinstance(knob, Int):
            step = knob.step or 1
            steps = (knob.high - knob.low) // step
            return int(knob.low + step * min(steps, max(0, round((value - knob.low) / step))))
        return value


def worth_knowing(results: Sequence[tuple[Params, float]]) -> list[tuple[Params, float]]:
    """The best and the latest of these results, in their order."""
    if len(results) <= _BEST + _LATEST:
        return list(results)
    older = range(len(results) - _LATEST)
    best = set(sorted(older, key=lambda n: (-results[n][1], n))[:_BEST])
    return [result for n, result in enumerate(results) if n in best or n not in older]


def _draws(seed: int, turn: int) -> int:
    """Seed of a turn's draws."""
    return (1_000_003 * turn + seed) % 2**32


def _sampler(seed: int, turn: int) -> Any:
    """One whose draws depend on nothing that another process could not know."""
    import optuna

    draws = _draws(seed, turn)
    return optuna.samplers.TPESampler(seed=draws, n_startup_trials=5, multivariate=True, constant_liar=False)


class _quiet(warnings.catch_warnings):
    """Silence Optuna's notes about features that it calls experimental."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.simplefilter("ignore")
        return entered


def _distribution(knob: Knob) -> Any:
    """The knob in Optuna's terms: options by position, since Optuna takes only plain values; whole numbers by what
    rounds to them."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(knob, Choice):
        return CategoricalDistribution(tuple(range(len(knob.options))))
    if isinstance(knob, Float):
        return FloatDistribution(knob.low, knob.high, log=knob.log, step=knob.step)
    half = 0.5 * (knob.step or 1)
    top = knob.low + (knob.high - knob.low) // (knob.step or 1) * (knob.step or 1)
    return FloatDistribution(max(knob.low - half, 0.5) if knob.log else knob.low - half, top + half, log=knob.log)


def _any_of(distribution: Any, source: random.Random) -> Any:
    """A draw from it; uniform, or uniform in the logarithm."""
    if hasattr(distribution, "choices"):
        return source.choice(distribution.choices)
    low, high, step = distribution.low, distribution.high, distribution.step
    if distribution.log:
        return min(high, max(low, math.exp(source.uniform(math.log(low), math.log(high)))))
    return source.uniform(low, high) if step is None else low + step * source.randint(0, round((high - low) / step))
