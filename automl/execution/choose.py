"""From a name to an executor."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Collection, Mapping, Sequence

from automl.contract import OptionError
from automl.execution.limits import slots_for
from automl.execution.protocol import Executor

NAMES = ("auto", "inline", "local", "ray")


def make_executor(
    name: str = "auto",
    *,
    slots: int | None = None,
    address: str | None = None,
    memory: int = 0,
    preload: Sequence[str] = (),
    plugins: Mapping[str, Collection[str]] | None = None,
    patience: float = math.inf,
) -> Executor:
    """The executor of that name. Nothing is started yet.

    Args:
        name: ``"inline"``, ``"local"``, ``"ray"``, or ``"auto"``: Ray when there is an address or a Ray that this
            program has initialised, else local.
        slots: jobs at once; None takes all cores of the machine or cluster, negative counts back from all as in joblib.
        address: of a Ray cluster; for ``"auto"`` and ``"ray"`` only.
        memory: bytes that local workers may hold together; 0 for no cap.
        preload: modules that workers import while they wait for the first job.
        plugins: distributions that bring plugins -> their top-level modules, for nodes of a cluster that lack them.
        patience: seconds that a cluster may take to be there.

    Raises:
        OptionError: for an unknown name, or an address where it means nothing.
    """
    if name not in NAMES:
        raise OptionError(f"there is no executor {name!r}; choose one of {', '.join(NAMES)}")
    if name in ("inline", "local") and address:
        raise OptionError(f'executor {name!r} takes no address ({address!r}); use "ray" or "auto"')
    if name == "auto":
        name = "ray" if address or os.environ.get("RAY_ADDRESS") or _ray_runs_here() else "local"
    if name == "inline":
        from automl.execution.inline import InlineExecutor

        return InlineExecutor()
    if name == "local":
        from automl.execution.local import LocalExecutor

        return LocalExecutor(slots_for(slots), memory, preload=preload)
    from automl.execution.ray import RayExecutor

    slots_for(slots)  # raises for what is no number of jobs
    return RayExecutor(slots, address, preload=preload, plugins=plugins, patience=patience)


def _ray_runs_here() -> bool:
    ray = sys.modules.get("ray")
    return bool(ray is not None and getattr(ray, "is_initialized", bool)())
