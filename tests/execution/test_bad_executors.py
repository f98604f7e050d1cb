"""The checks of the kit catch executors that do not keep their word."""

from collections.abc import Callable

import pytest

from automl.execution.inline import InlineExecutor
from automl.execution.job import Dataset, Event, Job
from automl.execution.local import LocalExecutor
from automl.execution.protocol import Executor
from automl.testing.executors import ExecutorChecks
from automl.testing.scripted import run


class Forgetful(InlineExecutor):
    """Loses every third event."""

    count = 0

    def wait(self, timeout: float) -> list[Event]:
        events = super().wait(timeout)
        self.count += 1
        return [] if self.count % 3 == 0 else events


class Stuttering(InlineExecutor):
    """Says everything twice."""

    def wait(self, timeout: float) -> list[Event]:
        return 2 * super().wait(timeout)


class Merciful(InlineExecutor):
    """Does not kill."""

    def kill(self, job: int) -> None:
        pass


class Hasty(InlineExecutor):
    """Takes the last job first."""

    def submit(self, job: Job) -> None:
        super().submit(job)
        self._queue.rotate()


class Gullible(InlineExecutor):
    """Accepts any job."""

    def submit(self, job: Job) -> None:
        self._queue.append(job)


class Generous(InlineExecutor):
    """Lets jobs write to the data."""

    def open(self, dataset: Dataset) -> None:
        for column in dataset.table:
            object.__setattr__(column, "values", column.values.copy())
        super().open(dataset)


class Littering(LocalExecutor):
    """Closes nothing."""

    def close(self) -> None:
        pass


class Patient(LocalExecutor):
    """Waits for hung jobs for ever."""

    def _police(self) -> None:
        pass


def _checks(make: Callable[[], Executor]) -> ExecutorChecks:
    class Checks(ExecutorChecks):
        patience = 1.5

        def build(self, slots: int, runner: str) -> Executor:
            return make()

    return Checks()


@pytest.mark.parametrize(
    ("bad", "check"),
    [
        (Forgetful, "test_every_job_ends_exactly_once"),
        (Stuttering, "test_every_job_ends_exactly_once"),
        (Merciful, "test_kill_ends_a_waiting_job"),
        (Hasty, "test_one_slot_works_first_come_first_served"),
        (Gullible, "test_what_can_never_run_is_refused"),
        (Generous, "test_data_arrives_equal_and_read_only"),
    ],
)
def test_a_bad_inline_executor_is_caught(bad: type[InlineExecutor], check: str) -> None:
    with pytest.raises(AssertionError):
        getattr(_checks(lambda: bad(run)), check)()


def test_an_executor_that_waits_for_hangs_is_caught() -> None:
    with pytest.raises(AssertionError, match="ended 0 times"):
        _checks(lambda: Patient(1, runner=run)).test_a_hang_ends_at_its_hard_limit()


def test_an_executor_that_leaves_processes_is_caught() -> None:
    executor = Littering(2, runner=run)
    try:
        with pytest.raises(AssertionError, match="outlived close"):
            _checks(lambda: executor).test_close_leaves_no_process()
    finally:
        LocalExecutor.close(executor)
