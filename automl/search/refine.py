"""What a task learns from the ensemble's honest predictions, such as a threshold, and what the score is with it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from automl.contract import AnyArray, Metric, Predictions, Problem, Request, TaskPlugin, Truth, size_of
from automl.ensemble.parts import Part, cut, cut_requests, cut_truths, make_parts


@dataclass(frozen=True)
class Refined:
    """The problem and metric after refining.

    Attributes:
        score: higher is better; of units that had no say in what was learnt.
        optimism: how much better the score looks on the units it was learnt from; never negative.
    """

    problem: Problem
    metric: Metric
    score: float
    optimism: float = 0.0


def refined(
    task: TaskPlugin,
    problem: Problem,
    wanted: Any,
    metric: Metric,
    predictions: Sequence[Predictions],
    truths: Sequence[Truth | None],
    requests: Sequence[Request],
    *,
    seed: int = 0,
    kin: Sequence[AnyArray] | None = None,
    seconds: float = math.inf,
) -> Refined:
    """Let the task refine the problem, and judge what it learnt by learning it again without the units judged.

    Args:
        wanted: the metric as the user named it.
        predictions: per fold, honest; truths and requests are aligned with them.
        kin: per fold, numbers of what its units belong to, see `make_parts`.
        seconds: the judging is left out when it would take longer; the score is then a bit too good.
    """

    def score(judge: Metric) -> float:
        try:
            values = [judge(t, p, r) for t, p, r in zip(truths, predictions, requests, strict=True)]
            return judge.signed(judge.aggregate(values, list(map(size_of, truths, requests))))
        except Exception:  # it has judged every member before: all that has been found is not lost for this
            return math.nan

    started = time.monotonic()
    try:
        learnt = task.refine(problem, predictions, truths, metric)
        after = task.metric(learnt, wanted)
    except Exception:  # a refinement is a bonus: without it the answer is the plain one
        learnt, after = problem, metric
    took = time.monotonic() - started
    apparent = score(after)
    parts = make_parts([len(request) for request in requests], seed, kin)
    if learnt is problem or not parts or took * len(parts) > seconds:
        return Refined(learnt, after, apparent)
    try:
        honest = _crossed(parts, task, problem, wanted, metric, predictions, truths, requests)
    except Exception:  # too few units of some kind without a part
        return Refined(learnt, after, apparent)
    if not math.isfinite(honest):
        return Refined(learnt, after, apparent)
    return Refined(learnt, after, honest, max(0.0, apparent - honest))


def _crossed(
    parts: Sequence[Part],
    task: TaskPlugin,
    problem: Problem,
    wanted: Any,
    metric: Metric,
    predictions: Sequence[Predictions],
    truths: Sequence[Truth | None],
    requests: Sequence[Request],
) -> float:
    """The score when each part is judged by what is learnt from the others."""
    values, sizes = [], []
    for part in parts:
        learnt = task.refine(problem, cut(predictions, part.rest), cut_truths(truths, part.rest), metric)
        judge = task.metric(learnt, wanted)
        held = cut(predictions, part.held), cut_truths(truths, part.held), cut_requests(requests, part.held)
        for predicted, truth, request in zip(*held, strict=True):
            values.append(judge(truth, predicted, request))
            sizes.append(size_of(truth, request))
    return metric.signed(metric.aggregate(values, sizes))
