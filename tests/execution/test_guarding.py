"""When the driver is killed, so are its workers' groups and whatever carries its mark, wherever that has gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DRIVER = """
import os, subprocess, sys, time
from automl.execution.guarding import Guard

guard, sleep = Guard(), [sys.executable, "-c", "import time; time.sleep(600)"]
group = subprocess.Popen(sleep, start_new_session=True)
guard.watch(group.pid)
guard.watch_marked("AUTOML_TEST_MARK=1234")
marked = subprocess.Popen(sleep, start_new_session=True, env={**os.environ, "AUTOML_TEST_MARK": "1234"})
other = subprocess.Popen(sleep, start_new_session=True)
print(group.pid, marked.pid, other.pid, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Is it there, and no zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="the system shows no environments in /proc")
def test_a_killed_driver_takes_its_groups_and_what_carries_its_mark_along() -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    group, marked, other = map(int, driver.stdout.readline().split())
    driver.stdout.close()
    try:
        assert alive(group)
        assert alive(marked)
        driver.kill()
        driver.wait()
        until = time.monotonic() + 60
        while (alive(group) or alive(marked)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not alive(group)
        assert not alive(marked)
        assert alive(other)
    finally:
        os.kill(other, signal.SIGKILL)
