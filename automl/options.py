"""The public options, checked and resolved; the estimator conventions that need no scikit-learn."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import numbers
import time
from collections.abc import Callable
from typing import Any, ParamSpec, Self

from automl.contract import OptionError
from automl.search.settings import DEFAULT_SECONDS, Settings, resolved

P = ParamSpec("P")


def told_names(construct: Callable[P, None]) -> Callable[P, None]:
    """A constructor that says which argument was meant by one that it does not know."""

    known = list(inspect.signature(construct).parameters)[1:]

    @functools.wraps(construct)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        for name in kwargs.keys() - set(known):
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise TypeError(f"{type(args[0]).__name__}() got an unexpected keyword argument {name!r}; {hint}")
        construct(*args, **kwargs)

    return checked


class Parameters:
    """`get_params` and `set_params` over the constructor's arguments, as scikit-learn does it."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name. `deep` is there for scikit-learn; nothing is nested."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Change constructor arguments. Raises OptionError for an unknown one."""
        known = self._parameter_names()
        for name, value in params.items():
            if name not in known:
                raise OptionError(f"Invalid parameter {name!r} for estimator {self!r}; valid parameters are {known}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        plain = {name: p.default for name, p in inspect.signature(type(self).__init__).parameters.items()}
        changed = {k: v for k, v in self.get_params().items() if not _same(v, plain.get(k))}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in changed.items())})"


def resolve(params: dict[str, Any], started: float, slots: int, memory: int, gpus: int) -> Settings:
    """The settings of a run. Raises OptionError naming the argument and what it may be.

    Args:
        params: the public arguments.
        started: monotonic second at which `fit` was entered.
        slots: jobs that can run at once.
        memory: bytes one trial may occupy.
        gpus: devices there are.
    """
    seconds, trials = params["time_limit"], params["n_trials"]
    if seconds is None:
        seconds = math.inf if trials is not None else DEFAULT_SECONDS
    _check_number("time_limit", seconds, above=0)
    if trials is not None:
        _check_number("n_trials", trials, above=0, whole=True)
    if params["executor"] == "inline":
        slots = 1
    wanted = params["gpus"]
    if wanted != "auto":
        _check_number("gpus", wanted, above=-1)
    for name in ("max_latency_ms", "max_size_mb"):
        if params[name] is not None:
            _check_number(name, params[name], above=0)
    if params["models"] is not None and not params["models"]:
        raise OptionError("models is empty; name at least one model, or leave it None for all")
    return Settings(
        deadline=started + seconds,
        seconds=float(seconds),
        n_trials=trials,
        slots=slots,
        gpus=float(gpus if wanted == "auto" else min(wanted, gpus)),
        memory=memory,
        seed=seed_of(params["random_state"]),
        preset=resolved(params["preset"]),
        models=params["models"],
        offline=bool(params["offline"]),
        allow_noncommercial=bool(params["allow_noncommercial"]),
        max_latency_ms=params["max_latency_ms"],
        max_size_mb=params["max_size_mb"],
    )


def seed_of(random_state: Any) -> int:
    """A seed from an int, a numpy RandomState or Generator, or None (another one each time). Raises OptionError."""
    if random_state is None:
        return time.time_ns() % (2**31)
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        return int(random_state) % (2**31)
    for draw in ("integers", "randint"):
        if hasattr(random_state, draw):
            return int(getattr(random_state, draw)(0, 2**31 - 1))
    raise OptionError(f"random_state={random_state!r} is no seed; give an int, a numpy generator or None")


def _check_number(name: str, value: Any, above: float, whole: bool = False) -> None:
    kind = numbers.Integral if whole else numbers.Real
    if not isinstance(value, kind) or isinstance(value, bool) or not float(value) > above:
        wanted = "a whole number" if whole else "a number"
        raise OptionError(f"{name}={value!r} must be {wanted} above {above:g}")


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))
