"""Who takes part in a search, who is left out, and with what reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from automl.contract import (
    Batch,
    Column,
    EncoderPlugin,
    Estimate,
    Facts,
    FitContext,
    Int,
    ModelPlugin,
    Request,
    SearchSpace,
    Start,
    Table,
)
from automl.discovery import Registry
from automl.search.families import Field, blocks_for, gather
from automl.search.settings import Settings

FACTS = Facts("regression", "real", 60, 1, 0, 1)


class Mean(ModelPlugin):
    """A model that a test makes strange."""

    name = "strange"
    produces = "real"

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        self.mean = float(np.mean(np.asarray(train.y)))

    def predict(self, request: Request) -> Any:
        return np.full(len(request), self.mean)


class Echo(EncoderPlugin):
    """An encoder that a test forbids."""

    name = "echo"
    kinds = ("numeric",)
    default_for = ("matrix",)
    priority = 99

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        return columns.matrix()

    def transform(self, columns: Table) -> Any:
        return columns.matrix()


def gathered(*plugins: type[Any], **options: Any) -> Field:
    registry = Registry.installed([], plugins)
    return gather(registry, registry.tasks.load("regression")(), FACTS, Settings(**options))


class Pairs(EncoderPlugin):
    """A feature block that needs two numbers."""

    name, kinds, adds_to, priority = "pairs", ("numeric",), ("matrix", "columns"), 1

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        return columns.matrix()

    def transform(self, columns: Table) -> Any:
        return columns.matrix()

    @classmethod
    def can_add(cls, columns: Sequence[Column], params: dict[str, Any]) -> bool:
        return sum(cls.accepts(column, params) for column in columns) >= 2


class Broken(Pairs):
    """Cannot tell."""

    name = "broken-block"

    @classmethod
    def can_add(cls, columns: Sequence[Column], params: dict[str, Any]) -> bool:
        raise KeyError("day")


def test_a_block_that_cannot_tell_costs_no_model(bench: Any) -> None:
    field = gathered(Mean, Broken, Pairs)
    assert "KeyError in can_add" in reason(field, "broken-block")
    assert all("broken-block" not in family.blocks for family in field.families)
    assert {family.name for family in field.families} == {family.name for family in gathered(Mean).families}


class Better(Pairs):
    name, priority = "better", 2


def numbers(count: int) -> tuple[Column, ...]:
    return tuple(Column(f"f{i}", i, "numeric", np.zeros(3)) for i in range(count))


def reason(field: Field, name: str = "strange") -> str:
    return next(skipped.reason for skipped in field.skipped if skipped.name == name)


@pytest.mark.parametrize(
    ("declared", "options", "said"),
    [
        ({"needs_network": True}, {"offline": True}, "offline=True"),
        ({"noncommercial": True, "license": "CC-BY-NC"}, {"allow_noncommercial": False}, "CC-BY-NC"),
        ({"requires": ("a_library_that_nobody_has",)}, {}, "a_library_that_nobody_has"),
    ],
)
def test_what_is_declared_of_models_and_encoders_is_enforced(
    declared: Mapping[str, Any], options: Mapping[str, Any], said: str
) -> None:
    assert said in reason(gathered(type("Strange", (Mean,), dict(declared)), **options))
    encoder = type("Forbidden", (Echo,), dict(declared))
    asking = type("Strange", (Mean,), {"encoders": ("echo",)})
    assert said in reason(gathered(asking, encoder, **options))
    plain = next(f for f in gathered(Mean, encoder, **options).families if f.name == "strange")
    assert "echo" not in plain.encoders


def test_an_allowed_encoder_is_in_the_default_chain() -> None:
    family = next(f for f in gathered(Mean, Echo).families if f.name == "strange")
    assert family.encoders[0] == "echo"


def test_a_model_whose_resources_cannot_be_told_is_left_out_with_its_reason() -> None:
    class Strange(Mean):
        @classmethod
        def resources(cls, facts: Facts, params: Mapping[str, Any]) -> Any:
            raise ZeroDivisionError("of its own")

    assert "ZeroDivisionError: of its own" in reason(gathered(Strange))


def test_a_model_whose_estimate_fails_is_guessed_at() -> None:
    class Strange(Mean):
        @classmethod
        def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
            raise ZeroDivisionError("of its own")

    family = next(f for f in gathered(Strange).families if f.name == "strange")
    assert family.cost(FACTS, {}) == Mean.estimate(FACTS, {}).seconds


def test_blocks_are_offered_best_first_where_the_columns_allow_and_in_no_chain() -> None:
    registry = Registry.installed([], (Mean, Pairs, Better))
    task, settings = registry.tasks.load("regression")(), Settings()
    for count, wanted in ((1, ()), (2, ("better", "pairs"))):
        field = gather(registry, task, FACTS, settings, numbers(count))
        family = next(f for f in field.families if f.name == "strange")
        assert tuple(name for name in family.blocks if name in ("better", "pairs")) == wanted
        assert not set(family.encoders) & {"better", "pairs"}


def test_readable_models_and_models_of_other_views_are_offered_no_block() -> None:
    kinds = {"readable": True}, {"view": "pixels"}
    for traits in kinds:
        assert blocks_for(type("Other", (Mean,), traits), [Pairs]) == ()
    assert blocks_for(Mean, [Pairs]) == ("pairs",)


def test_start_points_may_hang_on_what_the_task_learnt() -> None:
    class Strange(Mean):
        space = SearchSpace({"a": Int(0, 9)}, {"a": 0}, {}, (Start("x", {"a": 3}, {"facts": {"skew": [1, 9]}}),))

    registry = Registry.installed([], (Strange,))
    for skew, points in ((0.0, 1), (2.0, 2)):
        facts = replace(FACTS, learnt={"skew": skew})
        field = gather(registry, registry.tasks.load("regression")(), facts, Settings())
        assert len(next(f for f in field.families if f.name == "strange").points) == points


def test_a_model_that_needs_more_memory_than_a_trial_may_take_is_left_out_with_the_figures() -> None:
    class Hungry(Mean):
        @classmethod
        def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
            return Estimate(seconds=1.0, memory=3 << 30)

    for memory in (0, 3 << 30):
        assert "strange" in [family.name for family in gathered(Hungry, memory=memory).families]
    said = reason(gathered(Hungry, memory=2 << 30))
    assert "needs about 3 GiB of memory for 60 rows, a trial may take 2 GiB" in said
