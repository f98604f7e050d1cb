"""The leaderboard's rows as JSON values: the ensemble, every trial, and every model that did not take part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from automl.search.deploy import ENSEMBLE, Deployment
from automl.search.families import Skipped
from automl.search.trial import Trial


def board_rows(
    trials: Sequence[Trial], skipped: Sequence[Skipped], plan: Deployment | None, weighted: bool = False
) -> list[dict[str, Any]]:
    """One mapping per row, with the fields of ``automl.report.leaderboard.Row``; unknown scores are None.

    `weighted`: there are sample weights, so that a model which does not use them says so.
    """
    weights = dict(zip(plan.chosen, plan.weights, strict=True)) if plan is not None else {}
    rows = [_trial_row(trial, weights.get(trial.name, 0.0), weighted) for trial in trials]
    for absent in skipped:
        rows.append(_row(absent.name, absent.name, state="skipped", reason=absent.reason))
    if plan is not None and plan.chosen:
        members = [row for row in rows if row["weight"] > 0]
        rows.append(
            _row(
                ENSEMBLE,
                ENSEMBLE,
                score=_finite(plan.score),
                fit_s=sum(row["fit_s"] for row in members),
                predict_s=sum(row["predict_s"] for row in members),
                weight=1.0,
                reason=f"{len(plan.chosen)} models" if len(plan.chosen) > 1 else f"is {plan.chosen[0]}",
            )
        )
    return rows


def _trial_row(trial: Trial, weight: float, weighted: bool) -> dict[str, Any]:
    score = trial.score if trial.state == "ok" else trial.mean() if trial.state == "pruned" else math.nan
    failed = trial.state == "failed"
    ignored = "fitted without the sample weights" if weighted and not trial.family.model.handles_weight else ""
    return _row(
        trial.name,
        trial.family.label,
        baseline=trial.baseline,
        score=_finite(score),
        fit_s=trial.seconds(),
        predict_s=sum(result.predict_s for result in trial.results.values()),
        weight=weight,
        state=trial.kind if failed else trial.state,
        reason=trial.reason.removeprefix(f"{trial.kind}: ") if failed else trial.reason or ignored,
    )


def _row(model: str, family: str, **fields: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "model": model,
        "family": family,
        "baseline": False,
        "score": None,
        "fit_s": 0.0,
        "predict_s": 0.0,
        "weight": 0.0,
        "state": "ok",
        "reason": "",
    }
    return {**plain, **fields}


def _finite(score: float) -> float | None:
    return float(score) if math.isfinite(score) else None
