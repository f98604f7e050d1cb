"""Members fitted again on all rows, where the models of the folds do not answer by their mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from automl.contract import ExecutionError
from automl.execution.job import Job
from automl.execution.protocol import Executor
from automl.search.clock import Clock
from automl.search.deploy import Deployment, refit_key, refit_params, refitted
from automl.search.keeper import Keeper
from automl.search.settings import Settings
from automl.search.trial import Trial

_WAIT_SECONDS, _ATTEMPTS = 0.5, 3
_SHARE, _MARGIN = 0.2, 1.5
_FROM_SECONDS, _MOST_FOLDS = 180.0, 5
_LOSSES = ("node_lost", "crashed")


def worth_refitting(settings: Settings, folds: int) -> bool:
    """Are members that could answer by the mean of their folds' models better fitted on all rows?

    Where few folds learn from a fifth of the rows less, and there are minutes: within one, what it costs the search
    weighs more. On open sets, errors changed by -13, -3, -2 and -.6 % at 300 s, and by -3, +1 and +3 % at 60 s.
    """
    asked = settings.preset.refit
    return asked is None and settings.clocked and settings.seconds >= _FROM_SECONDS and folds <= _MOST_FOLDS


def seconds_to_refit(trials: Sequence[Trial], settings: Settings) -> float:
    """What to keep for fitting these on all rows, at most a fifth of the time.

    None are there while a resumed run fits its committed members again.
    """
    walls = [max(result.wall for result in trial.results.values()) for trial in trials]
    rounds = math.ceil(len(walls) / settings.slots)
    return min(_SHARE * settings.seconds, _MARGIN * rounds * max(walls, default=0.0))


class Refitting:
    """Fits members on all rows, as long as there is time.

    Args:
        stopped: True ends it.
        first: the settings are those that the first fold has found, as the others learnt from far fewer rows.
    """

    def __init__(
        self,
        executor: Executor,
        clock: Clock,
        settings: Settings,
        keeper: Keeper,
        stopped: Callable[[], bool],
        first: bool = False,
    ) -> None:
        self.executor, self.clock, self.settings = executor, clock, settings
        self.keeper, self.stopped, self.first = keeper, stopped, first

    def of(self, plan: Deployment, trials: Mapping[str, Trial]) -> Deployment:
        """The plan with the ensemble's members fitted on all rows.

        Those that cannot be run, fail, are lost three times or run out of time stay as they are.

        trials: by name.
        """
        waiting: dict[int, tuple[Trial, int]] = {}
        for number, name in enumerate(plan.chosen):
            self._send(-1 - number, trials[name], 1, waiting)
        done = []
        while waiting and self.clock.work_left() > 0 and not self.stopped():
            for event in self.executor.wait(min(_WAIT_SECONDS, max(0.0, self.clock.work_left()))):
                if event.kind == "progress" or event.job not in waiting:
                    continue
                trial, attempt = waiting.pop(event.job)
                if event.outcome and self.keeper.put(refit_key(trial.candidate.key), event.outcome.files):
                    done.append(trial.name)
                elif event.kind in _LOSSES and attempt < _ATTEMPTS:
                    self._send(event.job - len(plan.chosen), trial, attempt + 1, waiting)
        return refitted(plan, done)

    def _send(self, number: int, trial: Trial, attempt: int, waiting: dict[int, tuple[Trial, int]]) -> None:
        """Submit it, if there is still what it needs: a cluster may be lost, or the machine that was large enough."""
        with suppress(ExecutionError):
            self.executor.submit(self._job(number, trial))
            waiting[number] = trial, attempt

    def _job(self, number: int, trial: Trial) -> Job:
        soft = max(0.1, self.clock.work_left()) if self.settings.clocked else math.inf
        family, candidate = trial.family, replace(trial.candidate, params=refit_params(trial, self.first))
        references = family.references(candidate.encoders)
        limits = (soft, soft, self.settings.memory)
        return Job(number, candidate, -1, family.reference, references, family.resources, *limits)
