"""The inline executor keeps what it owes."""

from automl.execution.inline import InlineExecutor
from automl.execution.protocol import Executor
from automl.testing.executors import ExecutorChecks


class TestInline(ExecutorChecks):
    def build(self, slots: int, runner: str) -> Executor:
        return InlineExecutor(runner)
