"""All trials of a run: what runs, what is good, what to give up, and what each family has been given."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter

from automl.contract import Facts
from automl.execution.job import Candidate
from automl.search.account import Account
from automl.search.families import Family
from automl.search.settings import Settings
from automl.search.trial import Trial

_FORGIVEN_STARTS = 2


class Board:
    """The book of trials. Everything in it is decided by scores and declared costs unless the run is clocked.

    A trial that has ended stays ended. What is asked with every event of a run that may have thousands of trials is
    kept up to date rather than looked for among all: who runs, is complete or best, and what each family adds up to.
    """

    def __init__(self, n_folds: int, facts: Facts, settings: Settings) -> None:
        self.n_folds, self.facts, self.settings = n_folds, facts, settings
        self.trials: list[Trial] = []
        self.tried = 0
        self._keys: set[str] = set()
        self._open: dict[int, Trial] = {}
        self._startable: dict[int, Trial] = {}
        self._partial: dict[int, Trial] = {}
        self._ended: list[Trial] = []
        self._ok: list[Trial] = []
        self._pruned: list[Trial] = []
        self._accounts: dict[str, Account] = {}
        self._counts: Counter[tuple[str, float]] = Counter()
        self._best: dict[bool, Trial] = {}
        self._scouts: dict[str, list[Trial]] = {}

    def add(self, family: Family, candidate: Candidate, phase: str) -> Trial | None:
        """A new trial, or None when the same candidate was tried before."""
        if candidate.key in self._keys:
            return None
        self._keys.add(candidate.key)
        share = candidate.fidelity
        count = self._counts[family.name, share]
        self._counts[family.name, share] += 1
        name = family.name if not count else f"{family.name}-{count + 1}"
        name += f"~{share:.2g}" if share < 1 else ""
        trial = Trial(len(self.trials), name, family, candidate, phase)
        self.trials.append(trial)
        trial.watch = self._ended.append
        self._open[trial.number] = self._startable[trial.number] = trial
        if trial.scout:
            self._scouts.setdefault(family.name, []).append(trial)
        else:
            self._accounts.setdefault(family.name, Account()).add(trial)
        self.tried += not trial.baseline and not trial.scout
        return trial

    def narrow(self, folds: int) -> None:
        """Only the first so many folds count from now on; what trials have of the others is forgotten."""
        self.n_folds = folds
        for trial in self.trials:
            trial.results = {fold: result for fold, result in trial.results.items() if fold < folds}
            trial.submitted = {fold for fold in trial.submitted if fold < folds}
            trial.weighed, trial.added = (0, -1), 0.0
            if trial.running:
                self.again(trial)
        self.rescored()

    def rescored(self) -> None:
        """Results or scores of trials that had ended are others than before."""
        self._settle()
        self._best = {}
        for trial in self._ok:
            self._compare(trial)
        for account in self._accounts.values():
            account.again()

    def noted(self, trial: Trial, fold: int) -> None:
        """A fold of a trial has come back."""
        if trial.running:
            self._partial[trial.number] = trial
        if not trial.scout:
            self.account(trial.family).noted(trial, fold)

    def again(self, trial: Trial) -> None:
        """A fold of a trial that runs is to be started once more."""
        self._startable[trial.number] = trial

    def running(self) -> list[Trial]:
        """Trials that are neither done nor given up, oldest first."""
        self._settle()
        return list(self._open.values())

    def partial(self) -> list[Trial]:
        """Those of them that have a result."""
        self._settle()
        return list(self._partial.values())

    def startable(self) -> list[Trial]:
        """Those of them that have a fold to start."""
        self._settle()
        for trial in list(self._startable.values()):
            if len(trial.submitted) >= (1 if trial.scout else self.n_folds):
                del self._startable[trial.number]
        return list(self._startable.values())

    def ok(self) -> list[Trial]:
        """Trials with a score on every fold, oldest first."""
        self._settle()
        return list(self._ok)

    def n_ok(self) -> int:
        """How many those are."""
        self._settle()
        return len(self._ok)

    def just_pruned(self) -> list[Trial]:
        """Trials that were given up since this was last asked."""
        self._settle()
        pruned, self._pruned = self._pruned, []
        return pruned

    def _settle(self) -> None:
        """Take in what has ended since the last time."""
        if not self._ended:
            return
        ended = [trial for trial in self._ended if not trial.running]
        self._ended.clear()
        for trial in ended:
            if self._open.pop(trial.number, None) is None:
                continue
            self._startable.pop(trial.number, None)
            self._partial.pop(trial.number, None)
            if trial.state == "ok" and not math.isnan(trial.score):
                insort(self._ok, trial, key=lambda one: one.number)
                self._compare(trial)
            elif trial.state == "pruned":
                self._pruned.append(trial)
            if not trial.scout:
                self._accounts[trial.family.name].end(trial)

    def _compare(self, trial: Trial) -> None:
        """Is it the best of its kind? Of equals the older one is."""
        best = self._best.get(trial.baseline)
        if best is None or (trial.score, -trial.number) > (best.score, -best.number):
            self._best[trial.baseline] = trial

    def best(self, baseline: bool | None = None) -> Trial | None:
        """The best complete trial; of baselines or of the others only, when asked."""
        self._settle()
        chosen = [trial for kind, trial in self._best.items() if baseline is None or kind == baseline]
        return max(chosen, key=lambda trial: (trial.score, -trial.number), default=None)

    def account(self, family: Family) -> Account:
        """What a family's trials, without its scouts, add up to."""
        self._settle()
        return self._accounts.get(family.name) or self._accounts.setdefault(family.name, Account())

    def of(self, family: Family) -> list[Trial]:
        """A family's trials without its scouts, oldest first."""
        return list(self.account(family).trials)

    def hopeless(self, trial: Trial) -> str:
        """Why a trial is not worth its next fold, or "": the forgiving rule.

        It goes on unless the mean of its folds is below the worst fold of the best complete contender by more than the
        standard error of that one's mean.
        """
        best = self.best(baseline=False)
        if best is None or trial.baseline or not trial.results or not self.settings.preset.racing:
            return ""
        scores = [result.score for fold, result in best.results.items() if fold < self.n_folds]
        worst = min((score for score in scores if not math.isnan(score)), default=-math.inf)
        mean = trial.mean()
        spread = best.spread(self.n_folds)
        if math.isnan(mean) or mean >= worst - (0.0 if math.isnan(spread) else spread):
            return ""
        folds = f"mean of {len(trial.results)} folds" if len(trial.results) > 1 else "score on one fold"
        return f"{folds} {mean:.5g} is below the worst fold {worst:.5g} of {best.name}"

    def fold_cost(self, family: Family, params: object = None) -> float:
        """Expected seconds of one fold: measured where the run is clocked and has a measurement, else declared."""
        if self.settings.clocked:
            if walls := self.account(family).walls:
                return sum(walls) / len(walls)
            if scouts := self._scouted(family):
                return max(scouts)
        declared = family.cost(self.facts, params if isinstance(params, dict) else family.points[0])
        return self.settings.slowness * declared

    def _scouted(self, family: Family) -> list[float]:
        """Seconds that a fold on all rows would take, by the family's scouts on the most rows."""
        ended = [trial for trial in self._scouts.get(family.name, ()) if trial.results]
        most = max((t.candidate.fidelity for t in ended), default=0.0)
        return [t.seconds() / most for t in ended if t.candidate.fidelity == most]

    def discouraged(self, family: Family) -> bool:
        """Has the family nothing complete after several starts, or failed each time?"""
        account = self.account(family)
        return account.lost >= _FORGIVEN_STARTS and account.lost == account.ended

    def useful_seconds(self) -> float:
        """CPU seconds of the finished folds of complete and pruned trials."""
        useful = [trial for trial in self.trials if trial.state in ("ok", "pruned")]
        return sum(result.cpu for trial in useful for result in trial.results.values())

    def failures(self) -> int:
        """Trials whose state is failed."""
        return sum(trial.state == "failed" for trial in self.trials)
