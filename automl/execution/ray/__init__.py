"""The only folder that imports Ray: how it is reached, its actors, and the executor on top of them."""

from automl.execution.ray.executor import RayExecutor
from automl.execution.ray.worker import how_it_ended

__all__ = ["RayExecutor", "how_it_ended"]
