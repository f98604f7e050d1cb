"""Real targets as logarithms: what is added first, the way there, and the way back to means.

symbol    meaning
z         log(y + shift), which a model learns
smearing  mean of exp(z - its prediction): what turns the exponential of a mean of z into a mean of y
"""

from __future__ import annotations

import numpy as np

from automl.contract import AnyArray, FloatArray

_SHARE = 0.01
_FAR = 4.0


def fitted(y: AnyArray) -> dict[str, float] | None:
    """What `there` and `back` need to know of the training rows' targets; None when logarithms do not suit them.

    Where the smallest is far below the others, a hundredth of their median is added, so that it does not become an
    outlier.
    """
    low, high = float(y.min()), float(y.max())
    if low < 0 or high <= 0:
        return None
    least = _SHARE * float(np.median(y[y > 0]))
    return {"shift": 0.0 if low >= least else least, "low": low, "high": high, "smearing": 1.0}


def there(y: AnyArray, logs: dict[str, float]) -> FloatArray:
    """(n,) logarithms; values below those of training count as the lowest of them."""
    return np.asarray(np.log(np.maximum(y, logs["low"]) + logs["shift"]))


def back(z: FloatArray, logs: dict[str, float]) -> FloatArray:
    """Expected values, within those of training."""
    low, high = logs["low"], logs["high"]
    z = np.minimum(z, np.log(high + logs["shift"]) + 1.0)
    return np.clip(np.exp(z) * logs["smearing"] - logs["shift"], low, high)


def smearing(wrong: FloatArray, weight: FloatArray | None) -> float:
    """Mean of the exponentials of the errors about their mean, in which far outliers count as if they were near."""
    usable = weight if weight is not None and weight.sum() > 0 else None
    around = wrong - np.average(wrong, weights=usable)
    reach = _FAR * float(np.sqrt(np.average(around**2, weights=usable)))
    return float(np.average(np.exp(np.clip(around, -reach, reach)), weights=usable))
