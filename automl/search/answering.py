"""What a complete trial takes to answer one row, measured as the deployed model is asked: all fold models at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import ADDITIVE, Problem, Table, TaskPlugin
from automl.execution.fitted import FittedModel
from automl.execution.serving import Serving
from automl.search.trial import Trial

_ROWS = 8
_SHARE = 0.04


class AnswerTimes:
    """Seconds that trials take to answer one row; measured once each, while that takes little of the run's time.

    A worker times each fold model alone, beside other jobs. Asked together, fold models share what they read and
    compute: a network of eight folds answers in little more than the time of one, while eight views of texts take
    eight times that of one. What was not measured is reckoned from its worker's figure, by how that of other trials of
    the family (else of any) compares.

    Args:
        table: the training rows, some of which are asked.
        folder: gives the folder of a trial's model of a fold. It may raise for one that is gone.
        seconds: of the whole run; infinite where time does not matter.
    """

    def __init__(
        self, task: TaskPlugin, problem: Problem, table: Table, folder: Callable[[str, int], Path], seconds: float
    ) -> None:
        self._task, self._problem, self._folder = task, problem, folder
        self._table, self._rows = table, tuple[Table, ...]()
        self._left = _SHARE * seconds
        self._measured: dict[tuple[int, int], float] = {}
        self._ratios: dict[tuple[str, int], list[float]] = {}

    def measure(self, trials: Sequence[Trial], folds_of: Callable[[Trial], Sequence[int]]) -> None:
        """Measure those that are not yet, the first of each family first, until the time for that is used up."""
        if self._problem.kind not in ADDITIVE:
            return
        leaders = {trial.family.name: trial.number for trial in reversed(trials)}
        for trial in sorted(trials, key=lambda trial: leaders[trial.family.name] != trial.number):
            folds = folds_of(trial)
            if not folds or (trial.number, len(folds)) in self._measured or self._slow(trial, folds):
                continue
            start = time.monotonic()
            self._take(trial, folds)
            self._left -= time.monotonic() - start

    def _slow(self, trial: Trial, folds: Sequence[int]) -> bool:
        """Would asking it take more than there is, by its worker's figure? What is not known would not."""
        return self._left <= 0.0 or _ROWS * trial.row_seconds(list(folds)) > self._left

    def seconds(self, trial: Trial, folds: Sequence[int]) -> float:
        """Of one row by the models of these folds; NaN when nothing is known."""
        known = self._measured.get((trial.number, len(folds)), math.nan)
        if not math.isnan(known):
            return known
        others = list(self._ratios.items())  # the thread that blends may add to them
        alike = [r for (family, n), found in others if n == len(folds) and family == trial.family.name for r in found]
        ratios = alike or [r for (_, n), found in others if n == len(folds) for r in found]
        return trial.row_seconds(list(folds)) * (float(np.median(ratios)) if ratios else 1.0)

    def _take(self, trial: Trial, folds: Sequence[int]) -> None:
        """One trial; NaN when it cannot be asked, for whatever reason."""
        try:
            found = self._asked(trial, folds)
        except Exception:  # a model that went away meanwhile, or a stranger's model that answers no single row
            found = math.nan
        self._measured[trial.number, len(folds)] = found
        alone = trial.row_seconds(list(folds))
        if found > 0.0 and alone > 0.0:
            self._ratios.setdefault((trial.family.name, len(folds)), []).append(found / alone)

    def _asked(self, trial: Trial, folds: Sequence[int]) -> float:
        """The least time of some rows: whatever else the machine does should not count."""
        family = trial.family
        references = family.references(trial.candidate.encoders)
        encoders = {reference.name: reference.load() for reference in references}
        key, known = trial.candidate.key, dict[Any, Any]()
        models = [FittedModel.load(self._folder(key, fold), family.model, encoders, known) for fold in folds]
        serving = Serving([models], self._task, self._problem, threads=1)
        times, until = [], time.monotonic() + self._left
        for row in self._few():
            start = time.perf_counter()
            serving.answers(row)
            times.append(time.perf_counter() - start)
            if time.monotonic() > until:
                break
        return min(times[1:] or times)

    def _few(self) -> tuple[Table, ...]:
        """Some rows of the table, each as a table; the first warms up."""
        if not self._rows:
            chosen = np.linspace(0, len(self._table) - 1, _ROWS).astype(np.int64)
            self._rows = tuple(self._table.take(chosen[i : i + 1]) for i in range(_ROWS))
        return self._rows
