"""Small fully connected networks as arrays: their first weights, and prediction in numpy.

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

from automl.contract import AnyArray, FloatArray, IntArray

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
_CELLS = 1 << 20


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


class Network:
    """A trained network that predicts.

    All is float64: a row's outputs are the same alone and in a batch.

    Args:
        weights: trained arrays, without `front`.
        cut, slope, shift: of the pieces, as `Inputs` has them.
    """

    def __init__(
        self,
        weights: Mapping[str, AnyArray],
        activation: str,
        cut: IntArray,
        slope: FloatArray,
        shift: FloatArray,
    ) -> None:
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}
        self.activation, self.cut, self.slope, self.shift = activation, cut, slope, shift
        self.hidden = [(self.weights[f"hidden{i}"], self.weights[f"level{i}"]) for i in range(1, _layers(weights))]
        self.members, self.width = weights["head"].shape[:2]

    def __call__(self, X: FloatArray) -> FloatArray:
        """(k, u, S) outputs of each member for (u, d) inputs."""
        block = max(1, _CELLS // (self.members * self.width))
        if len(X) <= block:
            return self._outputs(X)
        return np.concatenate([self._outputs(X[i : i + block]) for i in range(0, len(X), block)], axis=1)

    def _outputs(self, X: FloatArray) -> FloatArray:
        weights = self.weights
        first = X @ weights["input"]
        first += weights["start"]
        if len(self.cut):
            filled = X[:, self.cut, None] * self.slope
            filled += self.shift
            np.clip(filled, 0.0, 1.0, out=filled)
            first += filled.reshape(len(X), -1) @ weights["pieces"]
        if self.members > 1:
            first = first * weights["sign"][:, None, :] + weights["shift"][:, None, :]
        hidden = activated(first.reshape(-1, self.width), self.activation)
        for W, level in self.hidden:
            hidden = hidden @ W
            hidden += level
            hidden = activated(hidden, self.activation)
        out = hidden.reshape(self.members, len(X), self.width) @ weights["head"]
        return np.asarray(out + weights["offset"][:, None, :])


def _layers(weights: Mapping[str, AnyArray]) -> int:
    return 1 + sum(name.startswith("hidden") for name in weights)


def activated(x: FloatArray, activation: str) -> FloatArray:
    """`selu`, `silu` or `relu` of each value; x may be overwritten."""
    if activation == "relu":
        return np.maximum(x, 0.0, out=x)
    if activation == "silu":
        return np.asarray(x / (1.0 + np.exp(-np.maximum(x, -500.0))))
    below = np.expm1(np.minimum(x, 0.0))
    below *= _SELU_ALPHA
    np.maximum(x, 0.0, out=x)
    x += below
    x *= _SELU_SCALE
    return x
