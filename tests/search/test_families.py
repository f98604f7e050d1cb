"""Who takes part in a search, who is left out, and with what reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from automl.contract import Batch, EncoderPlugin, Estimate, Facts, FitContext, ModelPlugin, Request, Table
from automl.discovery import Registry
from automl.search.families import Field, gather
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
