"""Small fully connected networks as arrays: their first weights, and activations in numpy.

symbol    meaning
d         inputs
p, B      numbers that are cut into pieces, and pieces of each
w         width of the layers
k         members: networks that share all but signs, shifts and heads; 1 for a plain network
S         outputs
u         rows

array     shape            what it is
front     (d,)             factor of each input; part of `input` once trained
input     (d, w)           the first layer
pieces    (p B, w)         the first layer, of pieces
start     (w,)             its constants
sign      (k, w)           what each member multiplies its outputs by, and
shift     (k, w)           adds; only with several members
hidden1   (w, w)           the second layer, and level1 (w,) its constants; hidden2 …
head      (k, w, S)        the last layer, and offset (k, S) its constants
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from automl.contract import AnyArray, FloatArray

_LARGE, _MOST_HALF, _STEP = 4096, 6e4, " step"
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@dataclass(frozen=True)
class Shape:
    """Sizes of a network: d, p, B, w, hidden layers, k and S."""

    inputs: int
    cut: int
    pieces: int
    width: int
    layers: int
    members: int
    outputs: int

    def first_weights(self, prior: FloatArray, rng: np.random.Generator) -> dict[str, AnyArray]:
        """Where training starts, float32: normal weights of deviation 1 over the root of a layer's inputs.

        One network starts at the `prior`, (S,), several at different places about it.
        """
        fan, w, k = self.inputs + self.cut * self.pieces, self.width, self.members
        draw = rng.standard_normal
        weights = {"front": np.ones(self.inputs), "input": draw((self.inputs, w)) / np.sqrt(fan)}
        if self.cut:
            weights["pieces"] = draw((self.cut * self.pieces, w)) / np.sqrt(fan)
        weights["start"] = 0.5 * draw(w)
        if k > 1:
            weights["sign"] = rng.choice([-1.0, 1.0], (k, w))
            weights["shift"] = 0.5 * draw((k, w))
        for layer in range(1, self.layers):
            weights[f"hidden{layer}"] = draw((w, w)) / np.sqrt(w)
            weights[f"level{layer}"] = 0.5 * draw(w)
        weights["head"] = (k > 1) * draw((k, w, self.outputs)) / np.sqrt(w)
        weights["offset"] = np.tile(prior, (k, 1))
        return {name: value.astype(np.float32) for name, value in weights.items()}


def activated(x: FloatArray, activation: str) -> FloatArray:
    """`selu`, `silu` or `relu` of each value; x may be overwritten."""
    if activation == "relu":
        return np.maximum(x, 0.0, out=x)
    if activation == "silu":
        return np.asarray(x / (1.0 + np.exp(-np.maximum(x, -500.0))))
    below = np.minimum(x, 0.0)
    np.exp(below, out=below)
    below -= 1.0
    below *= _SELU_ALPHA
    np.maximum(x, 0.0, out=x)
    x += below
    x *= _SELU_SCALE
    return x


def shortened(weights: Mapping[str, AnyArray], in_bytes: bool) -> dict[str, AnyArray]:
    """Weights with their large arrays in less space: in float16, or in bytes with a step for each column.

    Bytes leave about a hundredth of a weight open: for probabilities nothing, for numbers that are told to a hundredth
    of their spread too much.
    """
    out: dict[str, AnyArray] = {}
    for name, array in weights.items():
        largest = np.abs(array).max(axis=-2, keepdims=True) if array.ndim > 1 else np.full(1, np.inf)
        if array.size < _LARGE or not np.isfinite(largest).all():
            out[name] = array
        elif in_bytes:
            step = np.where(largest > 0, largest / 127, 1).astype(np.float32)
            out[name], out[name + _STEP] = np.rint(array / step).astype(np.int8), step
        else:
            out[name] = array.astype(np.float16) if largest.max() < _MOST_HALF else array
    return out


def lengthened(kept: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The weights that `shortened` was given, but for what it cost."""
    return {
        name: array * kept[name + _STEP] if name + _STEP in kept else array
        for name, array in kept.items()
        if not name.endswith(_STEP)
    }
