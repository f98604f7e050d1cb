"""How the members that are kept become the answer, step by step, as it is saved and asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from automl.contract import ArtifactError, Combiner, Predictions, Request, Table
from automl.ensemble.calibration import Calibration
from automl.ensemble.greedy import GreedyMean
from automl.ensemble.mean import VariedMean, WeightedMean

ENGINES: tuple[type[Combiner], ...] = (VariedMean, WeightedMean, GreedyMean)


@dataclass(frozen=True)
class Recipe:
    """Combined, stacked once more, calibrated: each step only where it helps.

    Attributes:
        first: over the kept members; None when there is one, which answers alone.
        second: over the first answer and the members it is made of, or None.
        calibration: of the last answer, or None.
    """

    first: Combiner | None
    second: Combiner | None = None
    calibration: Calibration | None = None

    @property
    def name(self) -> str:
        """For the leaderboard: the steps that there are."""
        steps = [step.name for step in (self.first, self.second) if step is not None]
        return " + ".join([*steps, "calibrated"] if self.calibration is not None else steps)

    @property
    def needs_features(self) -> bool:
        """Must `apply` be given the table of the features?"""
        return any(step is not None and step.needs_features for step in (self.first, self.second))

    def apply(self, members: Sequence[Predictions], request: Request, features: Table | None = None) -> Predictions:
        """The answer, from the predictions of the kept members in their order."""
        shown = replace(request, X=features) if self.needs_features else request
        answer = members[0] if self.first is None else self.first.apply(members, shown)
        if self.second is not None:
            answer = self.second.apply(stacked(answer, members), shown)
        return answer if self.calibration is None else self.calibration.apply(answer)

    def state(self) -> dict[str, Any]:
        """What `restored` needs: JSON values, numpy arrays and what else a combiner's state may hold."""
        state: dict[str, Any] = {}
        for step, fitted in (("first", self.first), ("second", self.second)):
            state[step] = "" if fitted is None else fitted.name
            if fitted is not None:
                state |= {f"{step}.{key}": value for key, value in fitted.state().items()}
        return {**state, "calibration": None if self.calibration is None else dict(self.calibration.state())}


def restored(state: Mapping[str, Any], own: Sequence[type[Combiner]]) -> Recipe:
    """The recipe that `state` came from; `own` are the task's combiners. Raises ArtifactError when one is missing."""
    calibration = state["calibration"]
    return Recipe(
        _step("first", state, own),
        _step("second", state, own),
        None if calibration is None else Calibration.from_state(calibration),
    )


def stacked(answer: Predictions, members: Sequence[Predictions]) -> list[Predictions]:
    """What a second layer is given: the first answer, and the members it is made of when there are several."""
    return [answer, *members] if len(members) > 1 else [answer]


def _step(step: str, state: Mapping[str, Any], own: Sequence[type[Combiner]]) -> Combiner | None:
    name = state[step]
    if not name:
        return None
    match = next((c for c in (*own, *ENGINES) if c.name == name), None)
    if match is None:
        raise ArtifactError(f"the saved model needs the combiner {name!r}, which its task lacks")
    start = f"{step}."
    return match.from_state({key[len(start) :]: value for key, value in state.items() if key.startswith(start)})
