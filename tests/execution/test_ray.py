"""The Ray executor keeps what it owes, on one Ray that all checks share."""

from collections.abc import Iterator

import pytest

from automl.execution.protocol import Executor
from automl.execution.ray import RayExecutor
from automl.testing.executors import ExecutorChecks
from automl.testing.scripted import RUNNER


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    pytest.importorskip("ray")
    first = RayExecutor(2, "local", runner=RUNNER)
    first.capacity()
    yield
    first.close()


class TestRay(ExecutorChecks):
    patience = 60.0
    memory = 600_000_000

    def build(self, slots: int, runner: str) -> Executor:
        return RayExecutor(slots, runner=runner)
