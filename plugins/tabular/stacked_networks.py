"""Networks that answer together: those of equal shape are computed in one go, in float64.

The pieces of a number are filled one after another, so what they add to the first layer is linear between *knots*, the
ends of pieces: two rows of a table, weighted. A level of a category is one row.

symbol    meaning
F         networks; their inputs are of one table
u         rows
m, g, c   columns of numbers; of those, which any network marks gaps of; categories with few levels
P, C      numbers that any network cuts, and knots of each
R         rows of the table of a network
D         inputs that are no rows: numbers, gaps, target means
k, w, S   as in `network.py`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache, reduce
from typing import Any

import numpy as np

from automl.contract import AnyArray, FloatArray, IntArray

from ..encoders.scaling import bent
from .inputs import Inputs
from .network import activated

_FEW_ROWS, _MANY_ROWS = 64, 1000
_CELLS = 1 << 16
_NEAR = 1e-14


class Stack:
    """Trained networks of equal `shape_of` that predict. A row's outputs are the same alone and in a batch.

    Args:
        inputs, weights: of each network, as `Inputs` and `network.py` have them, without `front`.
        activation: of all.
    """

    def __init__(self, inputs: Sequence[Inputs], weights: Sequence[Mapping[str, AnyArray]], activation: str) -> None:
        self.activation = activation
        self.few, self.many = inputs[0].few, inputs[0].many
        self.gaps, self.cut = (reduce(np.union1d, [getattr(i, name) for i in inputs]) for name in ("gaps", "cut"))
        self.members, self.width = weights[0]["head"].shape[:2]
        self.layers = 1 + sum(name.startswith("hidden") for name in weights[0])
        parts = [self._part(i, w) for i, w in zip(inputs, weights, strict=True)]
        self.arrays = {name: _stacked([part[name] for part in parts], fill) for name, fill in _fills(parts[0]).items()}

    def __call__(self, values: FloatArray, codes: IntArray, threads: int = 1) -> FloatArray:
        """(F, k, u, S) outputs of each member for (u, numbers) and (u, categories)."""
        networks, u = len(self.arrays["center"]), len(values)
        if u <= _FEW_ROWS:
            return self._outputs(values, codes, slice(None))
        out = np.empty((networks, self.members, u, self.arrays["head"].shape[-1]))
        block = max(1, _CELLS // (self.members * self.width))

        def fill(at: tuple[int, int]) -> None:
            one, rows = slice(at[0], at[0] + 1), slice(at[1], at[1] + block)
            out[one, :, rows] = self._outputs(values[rows], codes[rows], one)

        tasks = [(network, start) for network in range(networks) for start in range(0, u, block)]
        with one_thread_each():
            if threads == 1 or u < _MANY_ROWS:
                for task in tasks:
                    fill(task)
            else:
                with ThreadPoolExecutor(threads) as pool:
                    list(pool.map(fill, tasks))
        return out

    def _outputs(self, values: FloatArray, codes: IntArray, networks: slice) -> FloatArray:
        a = {name: array[networks] for name, array in self.arrays.items()}
        first = self._first(values, codes, a)[:, None]
        if self.members > 1:
            first = first * a["sign"][:, :, None] + a["shift"][:, :, None]
        hidden = activated(first.reshape(len(first), self.members * len(values), self.width), self.activation)
        for layer in range(1, self.layers):
            hidden = hidden @ a[f"hidden{layer}"]
            hidden += a[f"level{layer}"][:, None]
            hidden = activated(hidden, self.activation)
        out = hidden.reshape(len(first), self.members, len(values), self.width) @ a["head"]
        return np.asarray(out + a["offset"][:, :, None])

    def _first(self, values: FloatArray, codes: IntArray, a: Mapping[str, AnyArray]) -> FloatArray:
        """(F, u, w) the first layer before signs and shifts."""
        networks, u = len(a["center"]), len(values)
        with np.errstate(over="ignore"):
            x = bent(np.tile(values, (1, networks)), a["center"].ravel(), a["scale"].ravel())
        x = x.reshape(u, networks, values.shape[1]).swapaxes(0, 1)
        dense = [x]
        if len(self.gaps):
            dense.append(np.broadcast_to(np.isnan(values[:, self.gaps]), (networks, u, len(self.gaps))))
        if len(self.many):
            chosen, counts = codes[:, self.many], a["counts"][:, None]
            at = np.where(chosen < counts, chosen + a["offsets"][:, None] + 1, a["unknown"][:, None])
            found = a["means"][np.arange(networks)[:, None, None], at]
            dense.append(found.reshape(networks, u, found.shape[2] * found.shape[3]))
        first = np.concatenate(dense, axis=2) @ a["dense"]
        first += a["start"][:, None]
        at, share = self._rows(x, codes, a)
        if at.shape[2]:
            from scipy.sparse import csr_array

            ends = np.arange(0, at.size + 1, at.shape[2])
            table = a["rows"].reshape(-1, self.width)
            chosen = csr_array((share.ravel(), at.ravel(), ends), shape=(networks * u, len(table)))
            first += (chosen @ table).reshape(first.shape)
        return np.asarray(first)

    def _rows(self, x: FloatArray, codes: IntArray, a: Mapping[str, AnyArray]) -> tuple[IntArray, FloatArray]:
        """(F, u, 2 P + c) rows of the tables, one below the other, and how much of each, for (F, u, m) bent numbers."""
        base = np.arange(len(x))[:, None, None] * a["rows"].shape[1]
        at, share = [], []
        if len(self.cut):
            within = np.clip(x[:, :, self.cut], a["low"][:, None], a["high"][:, None])
            left = (a["knots"][:, :, None] <= within[:, None]).sum(axis=1) + a["begins"][:, None] + base
            t = (within - a["left"].ravel()[left]) * a["slope"].ravel()[left]
            at, share = [left, left + 1], [1.0 - t, t]
        if len(self.few):
            levels = np.minimum(codes[:, self.few] + 1, a["last"][:, None])
            at.append(levels + a["levels"][:, None] + base)
            share.append(np.ones(at[-1].shape))
        if not at:
            return np.zeros((*x.shape[:2], 0), dtype=np.int64), np.zeros((*x.shape[:2], 0))
        return np.concatenate(at, axis=2), np.concatenate(share, axis=2)

    def _part(self, inputs: Inputs, weights: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """The arrays of one network, with all columns that any network uses."""
        first = weights["input"].astype(np.float64)
        m, g = len(inputs.center), len(inputs.gaps)
        marked = np.zeros((len(self.gaps), self.width))
        marked[np.searchsorted(self.gaps, inputs.gaps)] = first[m : m + g]
        names = [n for n in weights if n not in ("input", "pieces")]
        part: dict[str, AnyArray] = {name: weights[name].astype(np.float64) for name in names}
        part |= {"center": inputs.center, "scale": inputs.scale, "means": inputs.means}
        part |= {"counts": inputs.counts, "offsets": inputs.offsets}
        part["unknown"] = np.full(len(inputs.many), len(inputs.means) - 1)
        part["dense"] = np.concatenate([first[:m], marked, first[m + g + inputs.levels :]])
        part |= self._tables(
            inputs, weights, np.concatenate([first[m + g :][: inputs.levels], np.zeros((1, self.width))])
        )
        return part

    def _tables(self, inputs: Inputs, weights: Mapping[str, AnyArray], levels: FloatArray) -> dict[str, AnyArray]:
        """The rows of a network, and where to look for them; `levels` are those of levels, zeros last."""
        places = {int(column): place for place, column in enumerate(inputs.cut)}
        rows: list[AnyArray] = []
        knots: list[AnyArray] = []
        for column in self.cut.tolist():
            if column not in places:
                knots.append(np.zeros(2))
                rows.append(np.zeros((2, self.width)))
                continue
            slope, shift = inputs.slope[places[column]], inputs.shift[places[column]]
            pieces = weights["pieces"].reshape(*inputs.slope.shape, -1)[places[column]].astype(np.float64)
            knots.append(_knots(slope, shift))
            rows.append(np.clip(knots[-1][:, None] * slope + shift, 0.0, 1.0) @ pieces)
        apart = [np.diff(found, append=np.inf) for found in knots]
        begins = np.cumsum([0, *(len(found) for found in knots)])
        blank = np.zeros(len(inputs.slots))
        return {
            "rows": np.concatenate([*rows, levels[inputs.slots]]),
            "left": np.concatenate([*knots, blank]),
            "slope": np.concatenate([*(np.divide(1.0, a, out=np.zeros_like(a), where=a > 0) for a in apart), blank]),
            "knots": _stacked([found[1:-1] for found in knots], np.inf).T if knots else np.zeros((0, 0)),
            "low": np.array([found[0] for found in knots]),
            "high": np.array([found[-1] for found in knots]),
            "begins": begins[:-1],
            "levels": inputs.starts[:-1] + begins[-1],
            "last": np.diff(inputs.starts) - 1,
        }


def one_thread_each() -> AbstractContextManager[Any]:
    """Matrix products in the thread that asks for them: several threads for small ones cost up to ten times as much."""
    limit: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limit


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def shape_of(inputs: Inputs, weights: Mapping[str, AnyArray]) -> tuple[Any, ...]:
    """What networks must share to be stacked."""
    layers = sum(name.startswith("hidden") for name in weights)
    categories = (tuple(inputs.few.tolist()), tuple(inputs.many.tolist()), inputs.means.shape[1])
    return weights["head"].shape, layers, categories, len(inputs.center)


def _knots(slope: FloatArray, shift: FloatArray) -> FloatArray:
    """(C,) ends of the pieces of a number, ascending; pieces narrower than 1e-6 overlap the next."""
    used = slope > 0
    knots = np.unique(np.concatenate([-shift[used] / slope[used], (1.0 - shift[used]) / slope[used]]))
    return np.asarray(knots[np.diff(knots, prepend=-np.inf) > _NEAR])


def _fills(part: Mapping[str, AnyArray]) -> dict[str, float]:
    """What shorter arrays are filled up with: knots that no number reaches, else zeros."""
    return {name: np.inf if name == "knots" else 0.0 for name in part}


def _stacked(arrays: Sequence[AnyArray], fill: float) -> AnyArray:
    """(F, …) arrays side by side, each as large as the largest."""
    shape = np.max([array.shape for array in arrays], axis=0)
    out = np.full((len(arrays), *shape), fill, dtype=arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[tuple(map(slice, array.shape))] = array
    return out
