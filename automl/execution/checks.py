"""What a model's predictions must be before the engine believes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.contract import ADDITIVE, ArrayPredictions, PluginError, Predictions

_SUM_TOLERANCE = 1e-3
_PROBABILITIES = ADDITIVE[0]


def checked(raw: Any, kind: str, n_units: int, n_outputs: int, name: str) -> Predictions:
    """`raw` as predictions of `kind` for `n_units` units.

    Raises PluginError naming the model and what is wrong: kind, shape, non-finite values, probabilities off.
    """
    if isinstance(raw, Predictions):
        if raw.kind != kind:
            raise PluginError(f"model {name!r} returned predictions of kind {raw.kind!r}, this task wants {kind!r}")
        if len(raw) != n_units:
            raise PluginError(f"model {name!r} returned {len(raw)} predictions for {n_units} units")
        return raw if kind not in ADDITIVE else _checked_array(raw.as_array(), kind, n_units, n_outputs, name)
    if kind not in ADDITIVE:
        raise PluginError(
            f"model {name!r} returned {type(raw).__name__}; predictions of kind {kind!r} need a container"
        )
    return _checked_array(raw, kind, n_units, n_outputs, name)


def _checked_array(raw: Any, kind: str, n_units: int, n_outputs: int, name: str) -> ArrayPredictions:
    if raw is None:
        raise PluginError(f"model {name!r} returned None; predict must return its predictions")
    try:
        values = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PluginError(f"model {name!r} returned {_what(raw, kind)}") from error
    if values.ndim == 1 and n_outputs == 1:
        values = values[:, None]
    if values.shape != (n_units, n_outputs):
        fewer = values.ndim > 0 and len(values) != n_units
        rows = f": {len(values)} predictions for {n_units} rows" if fewer else ""
        raise PluginError(f"model {name!r} returned shape {values.shape}, wanted {(n_units, n_outputs)}{rows}")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise PluginError(f"model {name!r} returned {bad} values that are not finite")
    if kind == _PROBABILITIES:
        values = _probabilities(values, name)
    return ArrayPredictions(kind, values)


def _what(raw: Any, kind: str) -> str:
    """What is no array of numbers, in words: of arrays the type of their values says more than that of the whole."""
    dtype = getattr(raw, "dtype", None)
    if dtype is None:
        return f"{type(raw).__name__}, which is no array of numbers"
    hint = "; return the probability of each class, in code order" if kind == _PROBABILITIES else ""
    return f"an array of dtype {dtype}, which holds no numbers{hint}"


def _probabilities(values: Any, name: str) -> Any:
    """Rows that sum to one exactly; small rounding is mended, more is an error."""
    sums = values.sum(axis=1, keepdims=True)
    off = float(np.max(np.abs(sums - 1.0), initial=0.0))
    if off > _SUM_TOLERANCE or float(values.min(initial=0.0)) < -1e-6:
        raise PluginError(
            f"model {name!r} returned probabilities that sum to 1 ± {off:.3g} and reach {values.min():.3g}; "
            "rows must sum to 1 and be at least 0"
        )
    values = np.clip(values, 0.0, None)
    return values / values.sum(axis=1, keepdims=True)
