"""Members fitted again on all rows, where the models of the folds do not answer by their mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from automl.execution.job import Job
from automl.execution.protocol import Executor
from automl.search.clock import Clock
from automl.search.deploy import Deployment, refit_key, refit_params, refitted
from automl.search.keeper import Keeper
from automl.search.settings import Settings
from automl.search.trial import Trial


class Refitting:
    """Fits members on all rows, as long as there is time.

    Args:
        stopped: True ends it.
    """

    def __init__(
        self,
        executor: Executor,
        clock: Clock,
        settings: Settings,
        keeper: Keeper,
        stopped: Callable[[], bool],
    ) -> None:
        self.executor, self.clock, self.settings = executor, clock, settings
        self.keeper, self.stopped = keeper, stopped

    def of(self, plan: Deployment, trials: Mapping[str, Trial]) -> Deployment:
        """The plan with the ensemble's members fitted on all rows; those that fail or run out of time stay as is.

        trials: by name.
        """
        waiting: dict[int, Trial] = {}
        for number, name in enumerate(plan.chosen):
            job = self._job(-1 - number, trials[name])
            self.executor.submit(job)
            waiting[job.id] = trials[name]
        done = []
        while waiting and self.clock.work_left() > 0 and not self.stopped():
            for event in self.executor.wait(min(0.5, max(0.0, self.clock.work_left()))):
                if event.kind == "progress" or event.job not in waiting:
                    continue
                trial = waiting.pop(event.job)
                if event.outcome and self.keeper.put(refit_key(trial.candidate.key), event.outcome.files):
                    done.append(trial.name)
        return refitted(plan, done)

    def _job(self, number: int, trial: Trial) -> Job:
        soft = max(0.1, self.clock.work_left()) if self.settings.clocked else math.inf
        family, candidate = trial.family, replace(trial.candidate, params=refit_params(trial))
        references = family.references(candidate.encoders)
        limits = (soft, soft, self.settings.memory)
        return Job(number, candidate, -1, family.reference, references, family.resources, *limits)
