"""The local executor keeps what it owes."""

import time

from automl.execution.local import LocalExecutor
from automl.execution.protocol import Executor
from automl.testing.executors import ExecutorChecks
from automl.testing.scripted import script


class TestLocal(ExecutorChecks):
    memory = 300_000_000

    def build(self, slots: int, runner: str) -> Executor:
        return LocalExecutor(slots, runner=runner)

    def test_a_job_behind_one_whose_worker_dies_is_done_by_the_next_worker(self) -> None:
        with self.running() as executor:
            events = self.collect(executor, [script(1, "die"), script(2), script(3)])
        assert {event.job: event.kind for event in events} == {1: "crashed", 2: "done", 3: "done"}

    def test_a_job_called_off_before_it_began_ends_once_and_what_follows_runs(self) -> None:
        with self.running() as executor:
            jobs = [script(1, "sleep", seconds=0.5), script(2), script(3)]
            for job in jobs:
                executor.submit(job)
            until = time.monotonic() + self.patience
            while executor.capacity().busy == len(jobs) and self.waits(executor) and time.monotonic() < until:
                executor.wait(0.05)
            executor.kill(2)
            events = self.collect(executor, jobs, submit=False)
        assert {event.job: event.kind for event in events} == {1: "done", 2: "timeout", 3: "done"}

    def test_a_job_given_ahead_and_withdrawn_does_not_run(self) -> None:
        with self.running() as executor:
            self.collect(executor, [script(1)])
            jobs = [script(2, "sleep", seconds=0.5), script(3, "sleep", seconds=60.0)]
            for job in jobs:
                executor.submit(job)
            while not self.ahead(executor):
                executor.wait(0.05)
            assert executor.withdraw(3)
            assert [event.job for event in self.collect(executor, jobs[:1], submit=False)] == [2]
            assert self.end(executor, script(4)).kind == "done"

    def test_a_large_job_behind_a_busy_one_keeps_nobody_waiting(self) -> None:
        with self.running() as executor:
            self.collect(executor, [script(1)])
            jobs = [script(2, "sleep", seconds=3.0), script(3, blob="x" * 1_000_000)]
            for job in jobs:
                executor.submit(job)
            began = time.monotonic()
            while executor.capacity().busy == len(jobs) and not self.ahead(executor):
                assert not executor.wait(0.05)
            assert time.monotonic() - began < 2.0
            events = self.collect(executor, jobs, submit=False)
        assert {event.job: event.kind for event in events} == {2: "done", 3: "done"}

    @staticmethod
    def waits(executor: Executor) -> bool:
        """Is no worker busy yet?"""
        assert isinstance(executor, LocalExecutor)
        return not any(worker.job for worker in executor._workers)

    @staticmethod
    def ahead(executor: Executor) -> bool:
        """Has a busy worker been given its next job?"""
        assert isinstance(executor, LocalExecutor)
        return any(worker.following for worker in executor._workers)
