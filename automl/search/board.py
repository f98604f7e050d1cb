"""All trials of a run: what runs, what is good, what to give up, and what each family has been given."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter

import numpy as np

from automl.contract import Facts
from automl.execution.job import Candidate
from automl.search.families import Family
from automl.search.settings import Settings
from automl.search.trial import Trial

_FORGIVEN_STARTS = 2


class Board:
    """The book of trials. Everything in it is decided by scores and declared costs unless the run is clocked.

    A trial that has ended stays ended: those that run, are complete or are of a family are kept in lists of their own,
    since they are asked for with every event of a run that may have thousands of trials.
    """

    def __init__(self, n_folds: int, facts: Facts, settings: Settings) -> None:
        self.n_folds, self.facts, self.settings = n_folds, facts, settings
        self.trials: list[Trial] = []
        self._keys: set[str] = set()
        self._listed = 0
        self._open: list[Trial] = []
        self._ok: list[Trial] = []
        self._of: dict[str, list[Trial]] = {}
        self._counts: Counter[tuple[str, float]] = Counter()

    def add(self, family: Family, candidate: Candidate, phase: str, asked: object = None) -> Trial | None:
        """A new trial, or None when the same candidate was tried before."""
        if candidate.key in self._keys:
            return None
        self._keys.add(candidate.key)
        share = candidate.fidelity
        count = self._counts[family.name, share]
        self._counts[family.name, share] += 1
        name = family.name if not count else f"{family.name}-{count + 1}"
        name += f"~{share:.2g}" if share < 1 else ""
        trial = Trial(len(self.trials), name, family, candidate, phase, asked=asked)
        self.trials.append(trial)
        return trial

    def narrow(self, folds: int) -> None:
        """Only the first so many folds count from now on; what trials have of the others is forgotten."""
        self.n_folds = folds
        for trial in self.trials:
            trial.results = {fold: result for fold, result in trial.results.items() if fold < folds}
            trial.submitted = {fold for fold in trial.submitted if fold < folds}
            trial.weighed, trial.added = (0, -1), 0.0

    def running(self) -> list[Trial]:
        """Trials that are neither done nor given up, oldest first."""
        self._settle()
        return list(self._open)

    def ok(self) -> list[Trial]:
        """Trials with a score on every fold, oldest first."""
        self._settle()
        return list(self._ok)

    def _settle(self) -> None:
        """List what is new, and what has ended since the last time."""
        for trial in self.trials[self._listed :]:
            self._open.append(trial)
            if not trial.scout:
                self._of.setdefault(trial.family.name, []).append(trial)
        self._listed = len(self.trials)
        ended = [trial for trial in self._open if not trial.running]
        if ended:
            self._open = [trial for trial in self._open if trial.running]
        for trial in ended:
            if trial.state == "ok" and not math.isnan(trial.score):
                insort(self._ok, trial, key=lambda one: one.number)

    def best(self, baseline: bool | None = None) -> Trial | None:
        """The best complete trial; of baselines or of the others only, when asked."""
        chosen = [t for t in self.ok() if baseline is None or t.baseline == baseline]
        return max(chosen, key=lambda trial: trial.score, default=None)

    def of(self, family: Family) -> list[Trial]:
        """A family's trials without its scouts, oldest first."""
        self._settle()
        return list(self._of.get(family.name, ()))

    def hopeless(self, trial: Trial) -> str:
        """Why a trial is not worth its next fold, or "": the forgiving rule.

        It goes on unless the mean of its folds is below the worst fold of the best complete contender by more than the
        standard error of that one's mean.
        """
        best = self.best(baseline=False)
        if best is None or trial.baseline or not trial.results or not self.settings.preset.racing:
            return ""
        worst = min(result.score for result in best.results.values())
        mean = trial.mean()
        spread = best.spread()
        if math.isnan(mean) or mean >= worst - (0.0 if math.isnan(spread) else spread):
            return ""
        return f"mean of {len(trial.results)} folds {mean:.5g} is below the worst fold {worst:.5g} of {best.name}"

    def fold_cost(self, family: Family, params: object = None) -> float:
        """Expected seconds of one fold: measured where the run is clocked and has a measurement, else declared."""
        if self.settings.clocked:
            walls = [r.wall for trial in self.of(family) for r in trial.results.values()]
            if walls:
                return float(np.mean(walls[-8:]))
            if scouts := self._scouted(family):
                return max(scouts)
        return self.settings.slowness * family.cost(
            self.facts, params if isinstance(params, dict) else family.points[0]
        )

    def _scouted(self, family: Family) -> list[float]:
        """Seconds that a fold on all rows would take, by the family's scouts on the most rows."""
        ended = [t for t in self.trials if t.family.name == family.name and t.scout and t.results]
        most = max((t.candidate.fidelity for t in ended), default=0.0)
        return [t.seconds() / most for t in ended if t.candidate.fidelity == most]

    def discouraged(self, family: Family) -> bool:
        """Has the family nothing complete after several starts, or failed each time?"""
        ended = [trial for trial in self.of(family) if not trial.running]
        failed = [trial for trial in ended if trial.state in ("failed", "pruned")]
        return len(failed) >= _FORGIVEN_STARTS and len(failed) == len(ended)

    def best_score(self, family: Family) -> float:
        """The family's best mean over finished folds; NaN when it has none."""
        scores = [trial.mean() for trial in self.of(family) if trial.results]
        known = [score for score in scores if not math.isnan(score)]
        return max(known, default=math.nan)

    def useful_seconds(self) -> float:
        """CPU seconds of the finished folds of complete and pruned trials."""
        useful = [trial for trial in self.trials if trial.state in ("ok", "pruned")]
        return sum(result.cpu for trial in useful for result in trial.results.values())

    def failures(self) -> int:
        """Trials whose state is failed."""
        return sum(trial.state == "failed" for trial in self.trials)
