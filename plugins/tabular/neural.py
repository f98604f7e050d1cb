"""Neural networks for tables: learnt by a lean torch loop, kept as arrays, predicted in numpy.

What they take from RealMLP (Holzmüller, Grinsztajn, Steinwart, 2024): robust scaling with outliers bent in, a learnt
factor per input, rates that fit every width, a rate that falls in cycles. From TabM (Gorishniy, Kotelnikov, Babenko,
2025): numbers cut into pieces, and members that share almost all weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from automl.contract import (
    AnyArray,
    Batch,
    Estimate,
    Facts,
    FitContext,
    FitInfo,
    FloatArray,
    Resources,
    Table,
    write_state,
)

from .base import RowModel
from .inputs import Inputs, expected, read
from .network import Shape, lengthened, shortened
from .stacked_networks import Stack, shape_of
from .training import Rows, batch_size, most_epochs
from .training import train as trained_by

_MADE = ("_inputs", "_full", "_stack")
_LEAST_SHARE = 1e-4
_TORCH_BYTES = 250_000_000
_STEP_SECONDS, _PRODUCT_SECONDS, _WEIGHT_SECONDS = 6.6e-4, 2.45e-11, 3.2e-10
_USUAL_EPOCHS, _USUAL_SHARE = 62, 0.6


class NeuralModel(RowModel):
    """Base of the networks: inputs, training and prediction.

    Training stops by itself after one of few cycles, so that what validation rows choose among is little. Real values
    stay within those of training.

    encoded: the state of `Inputs`; weights: arrays of `network.py`, `shortened` before the first prediction, so that
    the model that is judged is the one that is kept.
    """

    view = "columns"
    requires = ("torch",)
    extra = "torch"
    handles_missing = True
    handles_weight = True
    truncatable = True

    encoded: dict[str, Any]
    weights: dict[str, AnyArray]
    low: float
    high: float

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Train in cycles until one no longer helps or time runs out, and keep the best cycle's end."""
        y = np.asarray(train.y)
        self.low, self.high = float(y.min()), float(y.max())
        outputs = len(self.seen) if self.classifies else 1
        inputs, X = Inputs.learn(train.X, y, outputs, self.params["pieces"], ctx)
        rows = Rows(X, y, train.weight)
        held = None if valid is None else Rows(inputs.encode(valid.X), np.asarray(valid.y), valid.weight)
        first = self._shape(X.shape[1], inputs, outputs, ctx.device).first_weights(
            self._prior(train), np.random.default_rng(ctx.seed)
        )
        trained = trained_by(first, inputs, self.params, self.classifies, rows, held, ctx)
        self.encoded = dict(vars(inputs))
        self.weights = shortened(trained.weights, in_bytes=self.classifies)
        for name in _MADE:
            vars(self).pop(name, None)
        stop = {"stop_epoch": trained.epochs}
        return FitInfo(None if held is None else trained.epochs, stop, {"truncated": trained.truncated})

    def raw(self, X: Table) -> AnyArray:
        """The mean of the members' answers."""
        return np.asarray(self._joined([self], self._stack(*read(X)))[0])

    @classmethod
    def raws(cls, models: Sequence[Self], threads: int) -> Callable[[Any], Sequence[AnyArray] | AnyArray]:
        """Those of equal shape are computed together."""
        groups: dict[Any, list[int]] = {}
        for position, model in enumerate(models):
            key = (model.params["activation"], shape_of(model._inputs, model._full))
            groups.setdefault(key, []).append(position)
        alike = [[models[position] for position in group] for group in groups.values()]
        stacks = [(members, cls._stacked(members)) for members in alike]
        order = np.argsort(np.concatenate([*groups.values()]))

        def found(X: Table) -> Sequence[AnyArray] | AnyArray:
            parts = [cls._joined(members, stack(*read(X), threads)) for members, stack in stacks]
            if len({part.shape[1:] for part in parts}) == 1:
                return np.concatenate(parts)[order] if len(parts) > 1 else parts[0]
            flat = [answer for part in parts for answer in part]
            return [flat[i] for i in order]

        return found

    def save(self, folder: Path) -> None:
        """The plain state, without what is made of it to predict."""
        write_state(folder, {name: value for name, value in vars(self).items() if name not in _MADE})

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(**self.encoded)

    @cached_property
    def _full(self) -> dict[str, AnyArray]:
        return lengthened(self.weights)

    @cached_property
    def _stack(self) -> Stack:
        return self._stacked([self])

    @staticmethod
    def _stacked(models: Sequence[NeuralModel]) -> Stack:
        return Stack([m._inputs for m in models], [m._full for m in models], models[0].params["activation"])

    @staticmethod
    def _joined(models: Sequence[NeuralModel], out: FloatArray) -> AnyArray:
        """(F, u, S) probabilities or (F, u) values: means over the members of (F, k, u, S) outputs."""
        if not models[0].classifies:
            low, high = (np.array([[[getattr(m, name)]] for m in models]) for name in ("low", "high"))
            return np.asarray(np.clip(out[..., 0], low, high).mean(axis=1))
        out -= out.max(axis=-1, keepdims=True)
        np.exp(out, out=out)
        out /= out.sum(axis=-1, keepdims=True)
        return np.asarray(out.mean(axis=1))

    def _shape(self, width: int, inputs: Inputs, outputs: int, device: str) -> Shape:
        """The network's sizes; a graphics card has room for twice the members."""
        members = self.params.get("members", 1)
        members *= 2 if members > 1 and device.startswith("cuda") else 1
        cut, pieces = inputs.slope.shape
        return Shape(width, cut, pieces, self.params["width"], self.params["layers"], members, outputs)

    def _prior(self, train: Batch) -> FloatArray:
        """(S,) outputs that say the same of every row: logarithms of the classes' shares, or 0, the mean."""
        if not self.classifies:
            return np.zeros(1)
        counts = np.bincount(np.asarray(train.y), weights=train.weight, minlength=len(self.seen))
        return np.asarray(np.log(np.maximum(counts / counts.sum(), _LEAST_SHARE)))

    @classmethod
    def resources(cls, facts: Facts, params: Mapping[str, Any]) -> Sequence[Resources]:
        """Half a graphics card when there is one, else a thread."""
        return (Resources(cpus=1, gpus=0.5), Resources())

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Steps x (products of the layers + cells of the inputs); cycles beyond the usual are seldom begun."""
        inputs, cells = expected(facts, params.get("pieces", 32))
        width, layers = params.get("width", 128), params.get("layers", 3)
        size = batch_size(facts.n_rows)
        epochs = most_epochs({"epochs": min(_USUAL_EPOCHS, params.get("epochs", _USUAL_EPOCHS))}, facts.n_rows)
        steps = epochs * max(1, facts.n_rows // size)
        share = params.get("share", 1)
        products = width * (3 * inputs + 2 * cells + share * 3 * (width * (layers - 1) + facts.n_outputs))
        weights = width * (inputs + cells + width * (layers - 1))
        step = _STEP_SECONDS + _PRODUCT_SECONDS * size * products + _WEIGHT_SECONDS * weights
        memory = _TORCH_BYTES + 12 * facts.n_rows * inputs + 16 * width * (inputs + cells)
        return Estimate(0.05 + _USUAL_SHARE * steps * step, memory)


class RealMLP(NeuralModel):
    """A plain network with a learnt factor per input."""

    name = "real-mlp"


class TabM(NeuralModel):
    """Networks that share all but signs, shifts and heads; each sees a part of the rows of a step."""

    name = "tab-m"
