"""What is committed to disk: the members that answer, how they combine, and what else `predict` needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from automl.contract import AnyArray, Metric, Predictions, Problem, Request, Truth
from automl.ensemble import Blend
from automl.search.trial import Trial

ENSEMBLE = "ensemble"
_WAS = "was"


@dataclass(frozen=True)
class Member:
    """A model that can answer: where its fitted parts lie.

    Attributes:
        name: on the leaderboard.
        key: of its folder.
        model: the plugin's name.
        folds: fold numbers whose models answer together; after a refit on all rows -1, and -2 … with other seeds.
        encoders: plugin names of its encoder chain.
        params: its settings.
        by_value: the plugin is not installed and must be given to `load` again.
        source: where the plugin came from.
    """

    name: str
    key: str
    model: str
    folds: tuple[int, ...]
    encoders: tuple[str, ...]
    params: Mapping[str, Any]
    by_value: bool = False
    source: str = ""


@dataclass(frozen=True)
class Deployment:
    """A whole model, as it is committed and as `Predictor` reads it.

    Attributes:
        members: all that can answer under a name: the ensemble's, the baselines and the best single model.
        chosen: names of the ensemble's members, in the combiner's order.
        weights: their shares.
        combiner: name of the fitted combiner; "" when one member answers alone.
        score: the honest score, higher is better; NaN before there is one.
    """

    members: tuple[Member, ...]
    chosen: tuple[str, ...]
    weights: tuple[float, ...]
    combiner: str
    score: float

    def content(self) -> dict[str, Any]:
        """As JSON values."""
        fields = asdict(self)
        fields["score"] = None if math.isnan(self.score) else self.score
        return fields

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Deployment:
        """The deployment that `content` came from."""
        members = tuple(
            Member(**{**m, "folds": tuple(m["folds"]), "encoders": tuple(m["encoders"])}) for m in content["members"]
        )
        score = math.nan if content["score"] is None else content["score"]
        return cls(members, tuple(content["chosen"]), tuple(content["weights"]), content["combiner"], score)

    def member(self, name: str) -> Member | None:
        """The member of this name, or None."""
        return next((member for member in self.members if member.name == name), None)


def member_of(trial: Trial, folds: Sequence[int]) -> Member:
    """A complete trial as a member that answers with the models of these folds."""
    family = trial.family
    return Member(
        trial.name,
        trial.candidate.key,
        family.name,
        tuple(folds),
        trial.candidate.encoders,
        dict(trial.candidate.params),
        bool(family.reference.payload),
        family.reference.target,
    )


def deployment(
    trials: Sequence[Trial], pool: Sequence[Trial], blend: Blend, folds: Callable[[Trial], Sequence[int]]
) -> Deployment:
    """What to commit.

    Args:
        trials: complete trials worth keeping beside the ensemble's.
        pool: the trials that `blend` was made from, in its order.
        folds: tells the folds whose models answer for a trial.
    """
    chosen = [pool[position] for position in blend.keep]
    everyone = {trial.name: trial for trial in [*chosen, *trials]}
    return Deployment(
        tuple(member_of(trial, folds(trial)) for trial in everyone.values()),
        tuple(trial.name for trial in chosen),
        blend.weights,
        blend.combiner.name if blend.combiner is not None else "",
        blend.score,
    )


def refitted(plan: Deployment, models: Mapping[str, Sequence[int]]) -> Deployment:
    """The same deployment with these members, by name, answering by models fitted on all rows: -1, -2, …"""
    members = tuple(
        replace(m, key=refit_key(m.key), folds=tuple(models[m.name])) if m.name in models and m.folds[0] >= 0 else m
        for m in plan.members
    )
    return replace(plan, members=members)


def refit_key(key: str) -> str:
    """Folder key of a member fitted on all rows."""
    return f"{key}-all"


def problem_state(problem: Problem) -> dict[str, Any]:
    """A problem as values that `write_state` takes."""
    state = dict(vars(problem))
    state["findings"] = [vars(finding) for finding in problem.findings]
    state["roles"], state["facts"] = dict(problem.roles), dict(problem.facts)
    return state


def problem_from(state: Mapping[str, Any]) -> Problem:
    """The problem that `problem_state` came from."""
    from automl.contract import Finding

    return Problem(**{**state, "findings": tuple(Finding(**f) for f in state["findings"])})


def refit_params(trial: Trial, first: bool = False) -> dict[str, Any]:
    """The candidate's settings, with what its folds found out for a fit on all rows: the median over folds.

    first: of the first fold alone.
    """
    found = [result.info.refit for fold, result in trial.results.items() if fold == 0 or not first]
    params = dict(trial.candidate.params)
    for name in {name for refit in found for name in refit}:
        values = [refit[name] for refit in found if name in refit]
        if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            params[name] = round(float(np.median(values)))
        elif all(isinstance(value, float) for value in values):
            params[name] = float(np.median(values))
        else:
            params[name] = values[0]
    return params


@dataclass(frozen=True)
class Honest:
    """The ensemble's cross-fitted predictions and what they are scored on, for intervals of its score.

    Attributes:
        predictions, truths, requests: per fold of the first repeat.
        optimism: how much too good the score may be because of choices made with the same units.
        n_rows: training rows.
        groups: per fold, numbers of the groups that the units belong to; None where there are none.
    """

    predictions: tuple[Predictions, ...]
    truths: tuple[Truth | None, ...]
    requests: tuple[Request, ...]
    optimism: float
    n_rows: int
    groups: tuple[AnyArray, ...] | None = None

    def state(self) -> dict[str, Any]:
        """As values that `write_state` takes."""
        return {
            "predictions": [_lean(p.state(), exact=False) for p in self.predictions],
            "truths": [None if t is None else _lean(t.state()) for t in self.truths],
            "requests": [_lean({"units": r.units, "extra": dict(r.extra)}) for r in self.requests],
            "optimism": self.optimism,
            "n_rows": self.n_rows,
            "groups": None if self.groups is None else [_lean({"of": codes}) for codes in self.groups],
        }

    @classmethod
    def of(cls, state: Mapping[str, Any], container: type[Predictions], truth_type: type[Truth]) -> Honest:
        """What `state` came from. `container` and `truth_type` are the task's."""
        return cls(
            tuple(container.from_state(_full(p)) for p in state["predictions"]),
            tuple(None if t is None else truth_type.from_state(_full(t)) for t in state["truths"]),
            tuple(Request(r["units"], None, r["extra"]) for r in map(_full, state["requests"])),
            state["optimism"],
            state["n_rows"],
            None if state.get("groups") is None else tuple(_full(codes)["of"] for codes in state["groups"]),
        )

    def interval(self, metric: Metric, n: int, level: float) -> tuple[float, float]:
        """Prediction interval of the score on n new units."""
        from automl.ensemble import score_interval

        told = (self.predictions, self.truths, self.requests, metric, n, level)
        return score_interval(*told, optimism=self.optimism, groups=self.groups)


def _lean(value: Any, exact: bool = True) -> Any:
    """A state with its wide arrays in a type half as wide or less; numbers lose digits only where not `exact`."""
    if isinstance(value, Mapping):
        return {name: _lean(inner, exact) for name, inner in value.items()}
    if not isinstance(value, np.ndarray) or value.dtype not in (np.float64, np.int64):
        return value
    narrow: Any = np.float32
    if value.dtype == np.int64:
        low, high = int(value.min(initial=0)), int(value.max(initial=0))
        narrow = np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high))
    with np.errstate(over="ignore"):
        small = value.astype(narrow)
    kept = np.isfinite(small).all() if not exact else np.array_equal(small.astype(value.dtype), value)
    return {_WAS: str(value.dtype), "values": small} if kept else value


def _full(value: Any) -> Any:
    """The state that `_lean` made smaller."""
    if not isinstance(value, Mapping):
        return value
    if _WAS in value:
        return value["values"].astype(value[_WAS])
    return {name: _full(inner) for name, inner in value.items()}
