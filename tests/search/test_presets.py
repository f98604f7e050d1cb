"""What a preset changes: each ingredient alone, and the named ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from automl.contract import Batch, Facts, FitContext, ModelPlugin, OptionError, Request
from automl.discovery import Registry
from automl.execution.job import Job
from automl.search.families import Field, gather
from automl.search.folding import fold_count
from automl.search.settings import PRESETS, Preset, Settings, resolved

FACTS = Facts("regression", "real", 60, 1, 0, 1)


class Mean(ModelPlugin):
    """A model that cannot be read, and takes part only when it is asked for."""

    name = "shy"
    produces = "real"
    view = "matrix"
    on_request = True

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        self.mean = float(np.mean(np.asarray(train.y)))

    def predict(self, request: Request) -> Any:
        return np.full(len(request), self.mean)


class Read(Mean):
    """One that can be read."""

    name = "shy-and-plain"
    readable = True


def field(slots: int = 1, models: list[str] | None = None, **preset: Any) -> Field:
    """Who takes part under a preset, of the installed models and two that are asked for."""
    registry = Registry.installed(None, [Mean, Read])
    task = registry.tasks.load("regression")()
    return gather(registry, task, FACTS, Settings(slots=slots, preset=Preset(**preset), models=models))


def names(found: Field) -> set[str]:
    return {family.name for family in found.families}


def test_models_on_request_take_part_only_when_named_or_when_readable_ones_are_wanted() -> None:
    assert not {"shy", "shy-and-plain"} & names(field())
    assert "shy" in names(field(models=["shy"]))
    assert "shy-and-plain" in names(field(readable=True))
    assert "shy" not in names(field(readable=True))


def test_a_preset_of_readable_models_has_no_others() -> None:
    found = field(readable=True)
    assert all(family.model.readable for family in found.families)
    assert {"linear-baseline", "tree-baseline", "prior-baseline"} < names(found)
    assert found.skipped == []


def test_fits_of_two_threads_ask_for_two() -> None:
    assert {family.resources.cpus for family in field(threads=2).families} == {2}


def test_the_number_of_folds_can_be_fixed() -> None:
    settings = Settings(deadline=10.0, seconds=10.0)
    fixed = replace(settings, preset=Preset(folds=7))
    assert fold_count(10_000, FACTS, [], fixed) == (7, 7)
    assert fold_count(6, FACTS, [], fixed) == (3, 3)
    assert fold_count(100_000, FACTS, [], settings) != (7, 7)


def worse_later(job: Job) -> float:
    """How wrong: the bad model's second candidate is hopeless."""
    return {"good": 0.1}.get(job.candidate.model, 0.5 if job.candidate.params.get("level") == 0.5 else 9.0)


@pytest.mark.parametrize(("racing", "folds"), [(True, 1), (False, 3)])
def test_without_racing_a_hopeless_candidate_is_fitted_on_every_fold(bench: Any, racing: bool, folds: int) -> None:
    families = [bench.family("good", knobs=False), bench.family("bad", starts=1)]
    found = bench.search(families, worse_later, n_trials=3, preset=Preset(racing=racing))
    assert len(found.trial("bad-2").results) == folds


def test_a_preset_is_given_by_name_or_as_a_value() -> None:
    assert resolved("fast") is PRESETS["fast"]
    assert resolved(Preset(folds=2)).folds == 2
    assert Preset() == PRESETS["balanced"]
    with pytest.raises(OptionError, match=r"quick.*'balanced', 'best', 'fast', 'interpretable'.*automl\.Preset"):
        resolved("quick")
