"""The local executor keeps what it owes."""

from automl.execution.local import LocalExecutor
from automl.execution.protocol import Executor
from automl.testing.executors import ExecutorChecks


class TestLocal(ExecutorChecks):
    memory = 300_000_000

    def build(self, slots: int, runner: str) -> Executor:
        return LocalExecutor(slots, runner=runner)
