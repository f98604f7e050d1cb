"""Feature blocks: added to a family's best candidate, and kept where a paired test on the same folds shows a gain.

symbol    meaning
d         score with the block minus score without it, one per fold, or per part of the only fold
gain      mean of d
error     its standard error
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from automl.execution.job import Candidate
from automl.search.families import Family
from automl.search.trial import Trial

_ENDED_BEFORE = 2


@dataclass(frozen=True)
class _Test:
    """`trial` is `base` with one block more; `early` where other families were not yet seen when it began."""

    family: str
    block: str
    base: Trial
    trial: Trial
    early: bool


def _better_at_first(trial: Trial, other: Trial) -> bool:
    """Is its score on the first fold higher?"""
    if 0 not in trial.results or 0 not in other.results:
        return False
    return trial.results[0].score > other.results[0].score


class Blocks:
    """Which block to test next in which family, and which encoders a family's new candidates get.

    A block is tested first by the family that asks first. Others try it only when it helped there, each with a test of
    its own.

    gains: how much higher the first trial scores than the second, in several comparisons.
    """

    def __init__(self, gains: Callable[[Trial, Trial], Sequence[float]]) -> None:
        self._gains = gains
        self._kept: dict[str, tuple[str, ...]] = {}
        self._tests: list[_Test] = []
        self._helped: list[bool] = []
        self._seen: dict[int, tuple[set[int], bool]] = {}

    @property
    def tested(self) -> bool:
        """Has a test begun?"""
        return bool(self._tests)

    def encoders(self, family: Family) -> tuple[str, ...]:
        """The chain of the family's new candidates: its own and the blocks that have helped it."""
        return (*family.encoders, *self._kept.get(family.name, ()))

    def propose(self, family: Family, trials: Sequence[Trial]) -> tuple[Candidate, str, Trial] | None:
        """The family's best complete candidate with one block more, that block, and the trial it is compared with.

        None when too few of its `trials` have ended, or no block is worth a test.
        """
        self.judge()
        blocks = [name for name in family.blocks if self._open(family, name)]
        if not blocks or sum(not t.running for t in trials) < _ENDED_BEFORE:
            return None
        chain = self.encoders(family)
        complete = [t for t in trials if t.state == "ok" and t.candidate.encoders == chain]
        if not complete:
            return None
        best = max(complete, key=lambda t: t.score)
        block = next((name for name in blocks if self._overtakes(best, name)), None)
        return None if block is None else (replace(best.candidate, encoders=(*chain, block)), block, best)

    def first(self, trials: Sequence[Trial]) -> tuple[Candidate, str, Trial] | None:
        """The same for the very first test, of a block in the best of these trials, which need but their first fold.

        trials: of families that have blocks.
        """
        able = [t for t in trials if 0 in t.results and not math.isnan(t.results[0].score)]
        if not able:
            return None
        base = max(able, key=lambda t: (t.results[0].score, -t.number))
        block = next(iter(base.family.blocks))
        return replace(base.candidate, encoders=(*base.candidate.encoders, block)), block, base

    def vain(self, trial: Trial) -> bool:
        """Does a trial under way that tests a block gain nothing by it on the folds that it has?"""
        test = next((test for test in reversed(self._tests) if test.trial is trial), None)
        if test is None or not trial.results:
            return False
        return not self._gained(test)

    def spreading(self, family: Family) -> bool:
        """Has a block that this family has not tried helped another one?"""
        self.judge()
        kept = {block for blocks in self._kept.values() for block in blocks}
        return any(block in kept and self._open(family, block) for block in family.blocks)

    def started(self, family: Family, block: str, base: Trial, trial: Trial) -> None:
        """This trial is what `propose` asked for."""
        self._tests.append(_Test(family.name, block, base, trial, base.running))

    def took_over(self, family: Family, trial: Trial, trials: Sequence[Trial]) -> None:
        """A test of an earlier process; `trials` are the family's. Without what it was compared with it is lost."""
        *chain, block = trial.candidate.encoders
        wanted = replace(trial.candidate, encoders=tuple(chain)).key
        base = next((other for other in trials if other.candidate.key == wanted), None)
        if base is not None:
            self.started(family, block, base, trial)

    def judge(self) -> None:
        """Look at the tests that have ended, in order; a block that helps joins its family's chain."""
        for test in self._tests[len(self._helped) :]:
            if test.trial.running:
                return
            self._helped.append(self._helps(test))
            if self._helped[-1]:
                self._kept[test.family] = (*self._kept.get(test.family, ()), test.block)

    def _open(self, family: Family, block: str) -> bool:
        """Not yet tried by this family, under test nowhere, and not found useless elsewhere.

        An early test was of the best that was known then: alone, it closes the block to none that is better.
        """
        if len(self._helped) < len(self._tests):
            return False
        same = self._of(block)
        if any(test.family == family.name for test, _ in same):
            return False
        return all(helped or (test.early and len(same) == 1) for test, helped in same)

    def _overtakes(self, best: Trial, block: str) -> bool:
        """Is it better than what this block gained nothing with?"""
        return all(helped or _better_at_first(best, test.base) for test, helped in self._of(block))

    def _of(self, block: str) -> list[tuple[_Test, bool]]:
        """The tests of a block that have ended, and whether it helped."""
        ended = self._tests[: len(self._helped)]
        return [(test, helped) for test, helped in zip(ended, self._helped, strict=True) if test.block == block]

    def _helps(self, test: _Test) -> bool:
        return test.trial.state == "ok" and self._gained(test)

    def _gained(self, test: _Test) -> bool:
        """Is the gain above its standard error? Worked out again only when there are more folds to compare."""
        if test.base.state == "failed":
            return False
        shared = test.trial.results.keys() & test.base.results.keys()
        folds, gained = self._seen.get(test.trial.number, (set[int](), False))
        if folds != shared:
            d = np.asarray(self._gains(test.trial, test.base))
            error = float(np.std(d, ddof=1)) / math.sqrt(len(d)) if len(d) > 1 else 0.0
            gained = bool(len(d)) and float(d.mean()) > error
            self._seen[test.trial.number] = shared, gained
        return gained
