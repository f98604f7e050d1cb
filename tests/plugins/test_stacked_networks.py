"""Networks that answer together answer as each alone, and as the plain formula of a network."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from automl.contract import FloatArray, Table

CHANGES: tuple[dict[str, Any], ...] = ({}, {"width": 32}, {"activation": "silu"}, {})

SHAPES = {"input": (100, 128), "start": (128,), "head": (8, 64, 26)}


def _plain(model: Any, X: Table) -> FloatArray:
    """One product of all inputs after another."""
    inputs, w = model._inputs, {name: value.astype(np.float64) for name, value in model._full.items()}
    module = sys.modules[type(inputs).__module__]
    x = inputs.exactly(*module.read(X))
    first = x @ w["input"] + w["start"]
    if len(inputs.cut):
        filled = np.clip(x[:, inputs.cut, None] * inputs.slope + inputs.shift, 0.0, 1.0)
        first += filled.reshape(len(x), -1) @ w["pieces"]
    activated = sys.modules[type(inputs).__module__.replace("inputs", "network")].activated
    outs = []
    for k in range(len(w["head"])):
        hidden = first * w["sign"][k] + w["shift"][k] if "sign" in w else first.copy()
        hidden = activated(hidden, model.params["activation"])
        for layer in range(1, model.params["layers"]):
            hidden = activated(hidden @ w[f"hidden{layer}"] + w[f"level{layer}"], model.params["activation"])
        out = hidden @ w["head"][k] + w["offset"][k]
        if model.classifies:
            powers = np.exp(out - out.max(axis=1, keepdims=True))
            outs.append(powers / powers.sum(axis=1, keepdims=True))
        else:
            outs.append(np.clip(out[:, 0], model.low, model.high))
    return np.asarray(np.mean(outs, axis=0))


def _rows(table: Table, n: int) -> Table:
    """Rows anew, with gaps in every column, levels never seen, and numbers far out or all but on an edge."""
    rng = np.random.default_rng(5)
    columns = []
    for column in table.take(rng.integers(0, len(table), n)):
        values = column.values.copy()
        spoiled = rng.random(n) < 0.1
        if column.kind == "category":
            values[spoiled] = rng.integers(-1, len(column.levels) + 3, int(spoiled.sum()))
        else:
            values = np.where(rng.random(n) < 0.5, values * rng.normal(1, 0.5, n), values)
            values[spoiled] = rng.choice([np.nan, 1e300, -1e9], int(spoiled.sum()))
        columns.append(replace(column, values=values))
    return Table(tuple(columns), n)


@pytest.mark.parametrize("problem", ["two", "three", "real"])
@pytest.mark.parametrize("members", [False, True])
def test_models_asked_together_answer_as_each_alone(bench: Any, problems: Any, problem: str, members: bool) -> None:
    data, fitted, name = problems[problem], [], "tab-m" if members else "real-mlp"
    for seed, change in enumerate(({"members": 4},) * 2 if members else CHANGES):
        rows = np.sort(np.random.default_rng(seed).choice(len(data.table), 180, replace=False))
        fitted.append(bench.fit(name, data.rows(rows), params={"epochs": 4, "width": 16, "pieces": 9 + seed, **change}))
    models = [one.model for one in fitted]
    X = _rows(fitted[0].view.transform(data.table), 2500)
    alone = [model.raw(X) for model in models]
    for model, found in zip(models, alone, strict=True):
        np.testing.assert_allclose(found, _plain(model, X), rtol=0, atol=1e-9)
    ask = type(models[0]).raws(models, 2)
    for n in (2500, 300, 3, 1, 0):
        for found, expected in zip(ask(X.take(np.arange(n))), alone, strict=True):
            np.testing.assert_allclose(found, expected[:n], rtol=0, atol=1e-11)


@pytest.mark.parametrize("in_bytes", [False, True])
def test_weights_are_kept_in_a_half_or_a_quarter_of_their_space(bench: Any, in_bytes: bool) -> None:
    network = sys.modules[bench.model("real-mlp").__module__.replace("neural", "network")]
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    weights["input"][:, 0] = 0.0
    kept = network.shortened(weights, in_bytes)
    back = network.lengthened(kept)
    assert back.keys() == weights.keys()
    large = ("input", "head")
    assert sum(a.nbytes for a in kept.values()) < (0.3 if in_bytes else 0.55) * sum(a.nbytes for a in weights.values())
    assert np.array_equal(back["start"], weights["start"])
    for name in large:
        steps = np.abs(weights[name]).max(axis=-2, keepdims=True) / 127
        assert (np.abs(back[name] - weights[name]) <= (0.51 * steps if in_bytes else 1e-3 * 127 * steps)).all()


def test_weights_that_a_short_type_cannot_hold_are_kept_as_they_are(bench: Any) -> None:
    network = sys.modules[bench.model("real-mlp").__module__.replace("neural", "network")]
    weights = {"input": np.full((64, 64), 1e9, dtype=np.float32), "hidden1": np.full((64, 64), np.nan, np.float32)}
    assert network.shortened(weights, in_bytes=False)["input"].dtype == np.float32
    assert network.shortened(weights, in_bytes=True)["hidden1"].dtype == np.float32
