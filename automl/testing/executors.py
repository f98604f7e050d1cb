"""What every executor owes: subclass `ExecutorChecks` in a test module, say how to build yours, and run pytest."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

from automl.contract import ExecutionError, Resources
from automl.execution.job import Event, Job
from automl.execution.protocol import Executor
from automl.testing.scripted import RUNNER, script, small_dataset


class ExecutorChecks:
    """Checks of the `Executor` protocol.

    >>> class TestMine(ExecutorChecks):
    ...     def build(self, slots, runner):
    ...         return MyExecutor(slots, runner=runner)

    Attributes:
        patience: seconds after which a missing event counts as lost.
        memory: bytes a job may hold in the check of the memory cap; must exceed what an idle worker needs.
    """

    patience = 30.0
    memory = 600_000_000

    def build(self, slots: int, runner: str) -> Executor:
        """An executor with that many slots, whose workers do jobs with the function at this import path."""
        raise NotImplementedError("say how to build the executor under test")

    @contextlib.contextmanager
    def running(self, slots: int = 1) -> Iterator[Executor]:
        """An executor that has its data, closed in the end."""
        executor = self.build(slots, RUNNER)
        try:
            executor.start()
            executor.open(small_dataset())
            yield executor
        finally:
            executor.close()

    def collect(self, executor: Executor, jobs: Iterable[Job], submit: bool = True) -> list[Event]:
        """All events until each job has ended, and those of a moment more."""
        jobs = list(jobs)
        for job in jobs if submit else ():
            executor.submit(job)
        events: list[Event] = []
        until = time.monotonic() + self.patience
        missing = {job.id for job in jobs}
        while missing and time.monotonic() < until:
            fresh = executor.wait(0.5)
            events += fresh
            missing -= {event.job for event in fresh if event.kind != "progress"}
        events += executor.wait(0.1)
        ends = [event.job for event in events if event.kind != "progress"]
        for job in jobs:
            count = ends.count(job.id)
            assert count == 1, f"job {job.id} ended {count} times; every job ends exactly once. Events: {events}"
        return events

    def end(self, executor: Executor, job: Job) -> Event:
        """Run one job and give the event that ended it."""
        events = self.collect(executor, [job])
        return next(event for event in events if event.kind != "progress")

    def still_works(self, executor: Executor) -> None:
        """The job after a mishap runs."""
        event = self.end(executor, script(999))
        assert event.kind == "done", f"the job after the mishap ended with {event}"

    # -- answers -------------------------------------------------------------------------------------------------------

    def test_every_job_ends_exactly_once(self) -> None:
        """Answers and errors mixed, more jobs than slots."""
        with self.running(slots=2) as executor:
            jobs = [script(i, "raise" if i % 3 == 0 else "answer") for i in range(10)]
            ends = {e.job: e.kind for e in self.collect(executor, jobs) if e.kind != "progress"}
        assert ends == {i: "error" if i % 3 == 0 else "done" for i in range(10)}

    def test_done_carries_the_outcome(self) -> None:
        """Predictions, files and notes come back as the runner made them, megabytes too."""
        with self.running() as executor:
            event = self.end(executor, script(1, size=3_000_000))
        assert event.kind == "done", str(event)
        assert event.outcome is not None
        assert event.outcome.predictions is not None
        assert event.outcome.predictions.as_array()[:, 0].tolist() == list(range(500))
        assert len(event.outcome.files["model.bin"]) == 3_000_000

    def test_one_slot_works_first_come_first_served(self) -> None:
        """The order of results is the order of submission."""
        with self.running() as executor:
            events = self.collect(executor, [script(i) for i in (3, 1, 2)])
        assert [event.job for event in events] == [3, 1, 2]

    def test_data_arrives_equal_and_read_only(self) -> None:
        """Columns of numbers and of text."""
        with self.running() as executor:
            notes = _notes(self.end(executor, script(1, "look")))
        assert notes["writeable"] == [False, False]
        assert (notes["sum"], notes["last"]) == (499_500.0, "row 999")

    def test_progress_comes_before_the_end(self) -> None:
        """Reports may be thinned out, but never follow the end."""
        with self.running() as executor:
            events = self.collect(executor, [script(1, "report", steps=5)])
        assert events[-1].kind == "done"
        assert all(event.kind == "progress" for event in events[:-1])

    # -- mishaps -------------------------------------------------------------------------------------------------------

    def test_an_exception_becomes_an_error_with_its_traceback(self) -> None:
        """The message is one line; the traceback is text."""
        with self.running() as executor:
            event = self.end(executor, script(1, "raise"))
            assert event.kind == "error"
            assert "told to raise" in event.message
            assert "Traceback" in event.detail
            self.still_works(executor)

    def test_sys_exit_is_survived(self) -> None:
        """A plugin that calls sys.exit ends its job, not the engine."""
        with self.running() as executor:
            assert self.end(executor, script(1, "exit")).kind in ("error", "crashed")
            self.still_works(executor)

    def test_a_dead_worker_is_survived(self) -> None:
        """The crash is one job's event; its neighbours and followers end well."""
        with self.running(slots=2) as executor:
            if not executor.isolates:
                return
            jobs = [script(0, "sleep", seconds=0.3), script(1, "die"), script(2), script(3, "segfault"), script(4)]
            kinds = {event.job: event.kind for event in self.collect(executor, jobs)}
        assert kinds == {0: "done", 1: "crashed", 2: "done", 3: "crashed", 4: "done"}

    def test_a_hang_ends_at_its_hard_limit(self) -> None:
        """Even one in C that holds the interpreter's lock and blocks all signals."""
        with self.running() as executor:
            if not executor.isolates:
                return
            assert self.end(executor, script(1, "hang", hard_seconds=0.5)).kind == "timeout"
            self.still_works(executor)

    def test_memory_hunger_ends_with_oom(self) -> None:
        """Above the cap the worker is ended; below it is left alone."""
        with self.running() as executor:
            if not executor.isolates:
                return
            modest = script(1, "grow", size=self.memory // 4, then=0.3, memory=self.memory)
            greedy = script(2, "grow", size=self.memory, memory=self.memory, hard_seconds=20.0)
            kinds = {event.job: event.kind for event in self.collect(executor, [modest, greedy])}
            assert kinds == {1: "done", 2: "oom"}
            self.still_works(executor)

    def test_a_poison_job_harms_only_itself(self) -> None:
        """It kills every worker it gets, again and again; the jobs around it are done, each once."""
        with self.running(slots=2) as executor:
            if not executor.isolates:
                return
            jobs = [script(i, "die" if i in (2, 3, 5) else "answer") for i in range(8)]
            ends = {event.job: event for event in self.collect(executor, jobs)}
            self.still_works(executor)
        assert {job: end.kind for job, end in ends.items()} == {
            i: "crashed" if i in (2, 3, 5) else "done" for i in range(8)
        }
        assert ends[2].own, "a worker that its job may have killed counts against the job"

    def test_a_hang_does_not_hold_up_what_waits(self) -> None:
        """With every slot hung, the next job runs once the hard limit has passed."""
        with self.running(slots=2) as executor:
            if not executor.isolates:
                return
            hung = [script(i, "hang", hard_seconds=0.5) for i in (1, 2)]
            kinds = {event.job: event.kind for event in self.collect(executor, [*hung, script(3), script(4)])}
        assert kinds == {1: "timeout", 2: "timeout", 3: "done", 4: "done"}

    def test_a_talkative_job_is_no_trouble(self) -> None:
        """Tens of thousands of lines on stdout and stderr block nothing."""
        with self.running() as executor:
            if executor.isolates:
                assert self.end(executor, script(1, "shout", lines=50_000)).kind == "done"

    # -- kill, close ---------------------------------------------------------------------------------------------------

    def test_kill_ends_a_running_job(self) -> None:
        """Its event is ``timeout``, and the slot works again."""
        with self.running() as executor:
            if not executor.isolates:
                return
            self.still_works(executor)
            executor.submit(script(1, "hang"))
            executor.wait(0.5)
            executor.kill(1)
            (event,) = self.collect(executor, [script(1)], submit=False)
            assert event.kind == "timeout"
            self.still_works(executor)

    def test_kill_ends_a_waiting_job(self) -> None:
        """It never begins; the others do."""
        with self.running() as executor:
            jobs = [script(1), script(2), script(3)]
            for job in jobs:
                executor.submit(job)
            executor.kill(3)
            kinds = {event.job: event.kind for event in self.collect(executor, jobs, submit=False)}
        assert kinds == {1: "done", 2: "done", 3: "timeout"}

    def test_a_withdrawn_job_is_never_heard_of(self) -> None:
        """Nor does it run; what waits behind it does. What runs, has ended or is unknown cannot be withdrawn."""
        with self.running() as executor:
            jobs = [script(1), script(2), script(3)]
            for job in jobs:
                executor.submit(job)
            assert executor.withdraw(2)
            assert not executor.withdraw(2)
            ends = self.collect(executor, [jobs[0], jobs[2]], submit=False)
            assert not executor.withdraw(1)
            assert not executor.withdraw(77)
            assert executor.wait(0.1) == []
        assert {event.job: event.kind for event in ends} == {1: "done", 3: "done"}

    def test_killing_what_has_ended_is_ignored(self) -> None:
        """As is a job never heard of."""
        with self.running() as executor:
            self.end(executor, script(1))
            executor.kill(1)
            executor.kill(77)
            assert executor.wait(0.1) == []

    def test_close_leaves_no_process(self) -> None:
        """Neither workers, idle or busy, nor children of plugins."""
        with self.running(slots=2) as executor:
            if not executor.isolates:
                return
            notes = _notes(self.end(executor, script(1, "spawn")))
            executor.submit(script(2, "hang"))
            executor.wait(0.3)
            began = time.monotonic()
            executor.close()
            took = time.monotonic() - began
            executor.close()
        assert took < 5.0, f"close took {took:.1f} s"
        _gone([notes["pid"], notes["child"]], self.patience)

    # -- resources -----------------------------------------------------------------------------------------------------

    def test_what_can_never_run_is_refused(self) -> None:
        """At once and with the sizes at hand, not by waiting for ever."""
        with self.running() as executor:
            for resources in (Resources(cpus=10_000), Resources(gpus=10_000.0)):
                refusal = _refusal(executor, script(1, resources=resources))
                assert "10000" in refusal, f"the refusal of {resources} names no size: {refusal!r}"
            assert _refusal(executor, script(1, resources=Resources(memory=10**15))), "10^15 bytes are not refused"
            assert _refusal(executor, script(1, resources=Resources(gpus=1.5))), "1.5 GPUs are not refused"
            assert executor.capacity().busy == 0

    def test_capacity_counts_slots_and_busy_jobs(self) -> None:
        """Busy are all jobs that have not ended."""
        with self.running() as executor:
            assert executor.capacity().slots >= 1
            assert executor.capacity().busy == 0
            executor.submit(script(1))
            executor.submit(script(2))
            assert executor.capacity().busy == 2
            self.collect(executor, [script(1), script(2)], submit=False)
            assert executor.capacity().busy == 0

    def test_nodes_tell_what_was_done_where(self) -> None:
        """All jobs are counted once, those that failed too, with the seconds in which they held a slot."""
        with self.running(slots=2) as executor:
            self.collect(executor, [script(1, "sleep", seconds=0.4), script(2), script(3, "raise")])
            nodes = executor.nodes()
        assert sum(node.jobs for node in nodes) == 3
        assert sum(node.busy_seconds for node in nodes) >= 0.4
        assert all(node.name and node.slots >= 1 and node.cpu_seconds >= 0.0 for node in nodes)


def _refusal(executor: Executor, job: Job) -> str:
    try:
        executor.submit(job)
    except ExecutionError as error:
        return str(error)
    return ""


def _notes(event: Event) -> dict[str, Any]:
    assert event.kind == "done", str(event)
    assert event.outcome is not None
    return dict(event.outcome.info.notes)


def _gone(pids: list[int], patience: float) -> None:
    """Wait until these processes have ended."""
    until = time.monotonic() + patience
    alive = pids
    while alive and time.monotonic() < until:
        alive = [pid for pid in alive if _lives(pid)]
        time.sleep(0.02)
    assert not alive, f"processes {alive} outlived close()"


def _lives(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
