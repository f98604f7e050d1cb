"""What local workers inherit, what they leave behind, and what happens when the driver dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from automl.contract import ExecutionError, Resources
from automl.execution.job import Event, Job
from automl.execution.local import LocalExecutor
from automl.testing.scripted import RUNNER, script, small_dataset


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    made = LocalExecutor(2, gpus=("4", "7"), runner=RUNNER)
    made.open(small_dataset())
    yield made
    made.close()


def finish(executor: LocalExecutor, *jobs: Job) -> dict[int, Event]:
    for job in jobs:
        executor.submit(job)
    ends: dict[int, Event] = {}
    until = time.monotonic() + 30
    while len(ends) < len(jobs) and time.monotonic() < until:
        ends |= {event.job: event for event in executor.wait(1.0) if event.kind != "progress"}
    return ends


def notes(event: Event) -> dict[str, Any]:
    assert event.outcome is not None, str(event)
    return dict(event.outcome.info.notes)


def test_threads_follow_the_cpus_of_the_job(executor: LocalExecutor) -> None:
    one, two = script(1, "look"), script(2, "look", resources=Resources(cpus=2))
    ends = finish(executor, one, two)
    assert [notes(ends[i])["threads"] for i in (1, 2)] == ["1", "2"]


def test_a_gpu_job_sees_its_device_and_a_cpu_job_none(executor: LocalExecutor) -> None:
    halves = [script(i, "look", resources=Resources(gpus=0.5)) for i in (1, 2)]
    ends = finish(executor, *halves, script(3, "look", resources=Resources(gpus=2)), script(4, "look"))
    assert [notes(ends[i])["devices"] for i in (1, 2, 3, 4)] == ["4", "4", "4,7", ""]


def test_a_worker_that_ran_the_model_before_is_preferred(executor: LocalExecutor) -> None:
    first = finish(executor, script(1, "sleep", seconds=0.3, model="a"), script(2, "sleep", seconds=0.3, model="b"))
    pids = {"a": notes(first[1])["pid"], "b": notes(first[2])["pid"]}
    assert pids["a"] != pids["b"]
    for job, model in enumerate("abba", start=10):
        assert notes(finish(executor, script(job, model=model))[job])["pid"] == pids[model]


def test_the_crash_message_has_the_signal_and_the_end_of_stderr(executor: LocalExecutor) -> None:
    event = finish(executor, script(1, "segfault"))[1]
    assert "SIGSEGV" in event.message
    assert "Segmentation fault" in event.detail
    assert "code 9" in finish(executor, script(2, "die", code=9))[2].message


def test_the_cap_on_all_workers_together_ends_the_largest() -> None:
    executor = LocalExecutor(2, memory=300_000_000, runner=RUNNER)
    try:
        executor.open(small_dataset())
        ends = finish(executor, script(1, "grow", size=400_000_000), script(2, "sleep", seconds=0.5))
    finally:
        executor.close()
    assert {job: event.kind for job, event in ends.items()} == {1: "oom", 2: "done"}
    assert "in all" in ends[1].message


def test_a_runner_that_cannot_be_imported_is_an_error_not_a_hang() -> None:
    executor = LocalExecutor(1, runner="no.such.module:run")
    try:
        executor.open(small_dataset())
        event = finish(executor, script(1))[1]
    finally:
        executor.close()
    assert event.kind == "error"
    assert "no.such.module" in event.message


def test_workers_that_cannot_start_fail_the_jobs_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.execution.local._python", lambda: "false")
    executor = LocalExecutor(1, runner=RUNNER)
    try:
        executor.open(small_dataset())
        event = finish(executor, script(1))[1]
    finally:
        executor.close()
    assert event.kind == "crashed"
    assert "do not start" in event.message


def test_other_data_can_follow(executor: LocalExecutor) -> None:
    assert notes(finish(executor, script(1, "look"))[1])["last"] == "row 999"
    executor.open(small_dataset(50))
    assert notes(finish(executor, script(2, "look"))[2])["last"] == "row 49"


def test_a_closed_executor_takes_no_jobs(executor: LocalExecutor) -> None:
    executor.close()
    with pytest.raises(ExecutionError, match="closed"):
        executor.submit(script(1))


def test_the_thread_that_began_may_end(executor: LocalExecutor) -> None:
    thread = threading.Thread(target=executor.start)
    thread.start()
    thread.join()
    assert finish(executor, script(1))[1].kind == "done"


SCRIPT = """
import sys, time
from automl.execution.local import LocalExecutor
from automl.testing.scripted import script, small_dataset

FILE = sys.argv[1]

def run(job, dataset, progress):
    import os
    from automl.testing.scripted import run
    with open(FILE, "a") as file:
        print(os.getpid(), file=file)
    return run(job, dataset, progress)

executor = LocalExecutor(2, runner=run)
executor.open(small_dataset())
for job in range(2):
    executor.submit(script(job, sys.argv[2]))
ended = 0
while ended < 2:
    ended += len(executor.wait(1.0))
"""


def begin(tmp_path: Path, do: str) -> tuple["subprocess.Popen[bytes]", Path]:
    program, pids = tmp_path / "program.py", tmp_path / "pids"
    program.write_text(SCRIPT)
    return subprocess.Popen([sys.executable, str(program), str(pids), do]), pids


def gone(pids: list[int]) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        alive = [p for p in pids if psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE]
        if not alive:
            return True
        time.sleep(0.05)
    return False


def written(pids: Path, count: int) -> list[int]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = [int(word) for word in pids.read_text().split()] if pids.exists() else []
        if len(found) == count:
            return found
        time.sleep(0.05)
    raise AssertionError("the jobs did not begin")


def test_a_script_needs_no_main_guard_and_no_close(tmp_path: Path) -> None:
    program, pids = begin(tmp_path, "answer")
    assert program.wait(60) == 0
    assert gone(written(pids, 2))


def test_hung_workers_die_with_a_driver_that_is_killed(tmp_path: Path) -> None:
    program, file = begin(tmp_path, "hang")
    try:
        pids = written(file, 2)
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    assert gone(pids)


def test_a_forked_child_of_the_driver_does_not_end_the_workers(executor: LocalExecutor) -> None:
    finish(executor, script(1))
    child = subprocess.run([sys.executable, "-c", FORK], timeout=60, check=False)
    assert child.returncode == 0


FORK = """
import os, sys
from automl.execution.local import LocalExecutor
from automl.testing.scripted import RUNNER, script, small_dataset

executor = LocalExecutor(1, runner=RUNNER)
executor.open(small_dataset())
executor.submit(script(1))
executor.wait(30)
child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
executor.submit(script(2))
(event,) = executor.wait(30)
assert event.kind == "done", event
executor.close()
"""


def test_no_descriptor_is_left_open() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    def once() -> None:
        executor = LocalExecutor(1, runner=RUNNER)
        executor.open(small_dataset())
        finish(executor, script(1), script(2, "die"))
        executor.close()

    once()
    before = count()
    once()
    assert count() == before
