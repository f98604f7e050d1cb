"""Members fitted again on all rows, where the models of the folds do not answer by their mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from automl.contract import ExecutionError
from automl.execution.job import Event, Job
from automl.execution.protocol import Executor
from automl.search.clock import Clock
from automl.search.deploy import Deployment, refit_key, refit_params, refitted
from automl.search.keeper import Keeper
from automl.search.settings import Settings
from automl.search.trial import Trial

_WAIT_SECONDS, _ATTEMPTS = 0.5, 3
_SHARE, _MARGIN = 0.25, 1.3
_FROM_SECONDS, _MOST_FOLDS = 180.0, 5
_COPIES, _MORE_ROWS, _TOLERANCE = 5, 1.3, 1.1
_LEAST_UNSEEN = 0.1
_LOSSES = ("node_lost", "crashed")


def worth_refitting(settings: Settings, folds: int, unseen: float) -> bool:
    """Are members that could answer by the mean of their folds' models better fitted on all rows?

    Where few folds learn from a fifth of the rows less, and there are minutes: within one, what it costs the search
    weighs more. On open sets, errors changed by -13, -3, -2 and -.6 % at 300 s, and by -3, +1 and +3 % at 60 s. A fold
    that leaves next to nothing out, as the part held out of very many rows, is no reason.

    unseen: share of the rows that a fold's model does not learn from.
    """
    wanted = settings.preset.refit is None and folds <= _MOST_FOLDS and unseen >= _LEAST_UNSEEN
    return wanted and settings.clocked and settings.seconds >= _FROM_SECONDS


def seconds_to_refit(trials: Sequence[Trial], settings: Settings, optional: bool = False) -> float:
    """What to keep for fitting these on all rows: at most a quarter of the time.

    Where it is optional, twice as much as each takes once, for further seeds; and nothing for what would not fit.
    None are there while a resumed run fits its committed members again.
    """
    most = _SHARE * settings.seconds
    walls = [max(result.wall for result in trial.results.values()) for trial in trials]
    if optional:
        walls = [2.0 * wall for wall in walls if _expected(wall) <= most]
    together = max(max(walls, default=0.0), sum(walls) / settings.slots)
    return min(most, _MARGIN * together)


def _expected(wall: float) -> float:
    """Seconds to allow for a fit on all rows of what took so long on a fold."""
    return _TOLERANCE * _MORE_ROWS * wall


@dataclass(frozen=True)
class Wanted:
    """A model to be fitted: the so many-th of its trial, each with a seed of its own."""

    trial: Trial
    copy: int
    attempt: int = 1


class Refitting:
    """Fits members on all rows, weighty ones first; then again with other seeds, as long as there is time.

    Args:
        stopped: True ends it.
        done: names and numbers of models that were fitted before; those that are fitted here are added.
        first: the settings are those that the first fold has found, as the others learnt from far fewer rows.
        optional: the folds' models answer by their mean where there is no time: one cut short would answer worse.
    """

    def __init__(
        self,
        executor: Executor,
        clock: Clock,
        settings: Settings,
        keeper: Keeper,
        stopped: Callable[[], bool],
        done: dict[str, list[int]],
        first: bool = False,
        optional: bool = False,
    ) -> None:
        self.executor, self.clock, self.settings = executor, clock, settings
        self.keeper, self.stopped, self.first, self.optional = keeper, stopped, first, optional
        self._done = done
        self._walls: dict[str, float] = {}
        self._waiting: dict[int, Wanted] = {}

    def of(self, plan: Deployment, trials: Mapping[str, Trial]) -> Deployment:
        """The plan with the ensemble's members fitted on all rows.

        Those that cannot be run, fail, are lost three times or run out of time stay as they are. A member is fitted no
        more often than it had models before, so that it takes no longer to answer.

        trials: by name.
        """
        queue = [Wanted(trials[name], copy) for name, copy in self._order(plan, trials)]
        number = 0
        while self.clock.work_left() > 0 and not self.stopped():
            while len(self._waiting) < max(1, self.settings.slots) and (wanted := self._next(queue)) is not None:
                number -= 1
                self._send(number, wanted)
            if not self._waiting:
                break
            for event in self.executor.wait(min(_WAIT_SECONDS, max(0.0, self.clock.work_left()))):
                if event.kind != "progress" and event.job in self._waiting:
                    self._take(event, self._waiting.pop(event.job), queue)
        for job in self._waiting:
            self.executor.kill(job)
        most = {name: self._most(plan, trials[name]) for name in plan.chosen if name in self._done}
        return refitted(plan, {name: sorted(self._done[name], reverse=True)[:count] for name, count in most.items()})

    def _order(self, plan: Deployment, trials: Mapping[str, Trial]) -> list[tuple[str, int]]:
        """(name, copy) of all that could be fitted, the first of each member before any second."""
        weights = dict(zip(plan.chosen, plan.weights, strict=True)) if plan.weights else {}
        names = sorted(plan.chosen, key=lambda name: -weights.get(name, 0.0))
        most = {name: self._most(plan, trials[name]) for name in names}
        every = [(name, copy) for copy in range(_COPIES) for name in names if copy < most[name]]
        return [(name, copy) for name, copy in every if -1 - copy not in self._done.get(name, ())]

    def _most(self, plan: Deployment, trial: Trial) -> int:
        """How many models of a trial may answer: with a limit on time, as many as did, where a seed changes them."""
        member = plan.member(trial.name)
        several = self.settings.clocked and trial.family.model.seeded and member is not None
        return len(member.folds) if several and member is not None else 1

    def _next(self, queue: list[Wanted]) -> Wanted | None:
        """Takes the first out of the queue, but for further models of a member that has none yet."""
        known = {wanted.trial.name for wanted in (*self._waiting.values(), *queue) if not wanted.copy}
        ready = [w for w in queue if not w.copy or w.trial.name in self._done or w.trial.name not in known]
        if ready:
            queue.remove(ready[0])
        return ready[0] if ready else None

    def _send(self, number: int, wanted: Wanted) -> None:
        """Submit it, if there is time and still what it needs: a cluster may be lost, or the machine large enough."""
        if not self._fits(wanted):
            return
        with suppress(ExecutionError):
            self.executor.submit(self._job(number, wanted))
            self._waiting[number] = wanted

    def _fits(self, wanted: Wanted) -> bool:
        """Is there time for it, by what fitting it took before? One that must answer is tried whatever the time."""
        if not self.settings.clocked or not (self.optional or wanted.copy):
            return True
        if wanted.copy and wanted.trial.name not in self._done:
            return False
        known, folds = self._walls.get(wanted.trial.name), wanted.trial.results.values()
        wall = _expected(max(result.wall for result in folds)) if known is None else _TOLERANCE * known
        return wall <= self.clock.work_left()

    def _take(self, event: Event, wanted: Wanted, queue: list[Wanted]) -> None:
        """Keep what came back; what was lost with its worker is tried again."""
        name, outcome = wanted.trial.name, event.outcome
        if outcome is None:
            if event.kind in _LOSSES and wanted.attempt < _ATTEMPTS:
                queue.insert(0, replace(wanted, attempt=wanted.attempt + 1))
            return
        if outcome.info.notes.get("truncated") and (self.optional or wanted.copy):
            return
        if self.keeper.put(refit_key(wanted.trial.candidate.key), -1 - wanted.copy, outcome.files):
            self._walls[name] = outcome.wall
            self._done.setdefault(name, []).append(-1 - wanted.copy)

    def _job(self, number: int, wanted: Wanted) -> Job:
        soft = max(0.1, self.clock.work_left()) if self.settings.clocked else math.inf
        trial = wanted.trial
        seed = trial.candidate.seed + wanted.copy
        candidate = replace(trial.candidate, params=refit_params(trial, self.first), seed=seed)
        references = trial.family.references(candidate.encoders)
        limits, until = (soft, soft, self.settings.memory), self.clock.works_until()  # one cut short comes back in time
        return Job(
            number, candidate, -1, trial.family.reference, references, trial.family.resources, *limits, until=until
        )
