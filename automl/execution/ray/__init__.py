"""The only folder that imports Ray: how it is reached, its actors, and the executor on top of them.

What a worker needs lies in modules of its own, and this file imports nothing before it is asked to: a worker sets its
thread counts before it loads numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.execution.ray.executor import RayExecutor
    from automl.execution.ray.worker import how_it_ended

__all__ = ["RayExecutor", "how_it_ended"]


def __getattr__(name: str) -> Any:
    if name == "RayExecutor":
        from automl.execution.ray.executor import RayExecutor

        return RayExecutor
    if name == "how_it_ended":
        from automl.execution.ray.worker import how_it_ended

        return how_it_ended
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
