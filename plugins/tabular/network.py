"""A small fully connected network as arrays: its layout, first weights, and prediction in numpy.

symbol    meaning
scale     (d,) factor of each input column
W, b      of each layer: x @ W / sqrt(inputs) + b, so that one learning rate fits every width
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from automl.contract import AnyArray, FloatArray

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def first_weights(n_inputs: int, hidden: Sequence[int], n_outputs: int, seed: int) -> list[AnyArray]:
    """Scale, then W and b of each layer; normal, but for a last layer of zeros, so that training starts at the mean."""
    rng = np.random.default_rng(seed)
    sizes = [n_inputs, *hidden, n_outputs]
    weights: list[AnyArray] = [np.ones(n_inputs, dtype=np.float32)]
    for position, (inputs, outputs) in enumerate(pairwise(sizes)):
        last = position == len(hidden)
        weights.append((rng.standard_normal((inputs, outputs)) * (not last)).astype(np.float32))
        weights.append((rng.standard_normal(outputs) * (0.0 if last else 0.5)).astype(np.float32))
    return weights


def forward(weights: Sequence[FloatArray], activation: str, X: AnyArray) -> FloatArray:
    """(u, S) outputs of the last layer. Float64 weights make a row's outputs the same alone and in a batch."""
    hidden = X * weights[0]
    last = len(weights) - 2
    for position in range(1, len(weights), 2):
        W = weights[position]
        hidden = hidden @ W
        hidden /= np.sqrt(W.shape[0])
        hidden += weights[position + 1]
        if position != last:
            hidden = _ACTIVATIONS[activation](hidden)
    return np.asarray(hidden)


def _selu(x: FloatArray) -> FloatArray:
    return np.asarray(_SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0.0))))


def _relu(x: FloatArray) -> FloatArray:
    return np.maximum(x, 0.0)


def _mish(x: FloatArray) -> FloatArray:
    """x tanh(log(1 + e^x)), written without overflow."""
    e = np.exp(-np.abs(x))
    top = np.where(x > 0, 1.0 + 2.0 * e, e * e + 2.0 * e)
    bottom = np.where(x > 0, 1.0 + 2.0 * e + 2.0 * e * e, e * e + 2.0 * e + 2.0)
    return np.asarray(x * top / bottom)


_ACTIVATIONS = {"selu": _selu, "relu": _relu, "mish": _mish}
