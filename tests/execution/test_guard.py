"""When a driver is killed, its guard ends the processes that carry its mark, whoever their parent is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from automl.execution.guard import marked

DRIVER = """
import os, subprocess, sys, time
from automl.execution.local import Guard
guard = Guard()
guard.mark("AUTOML_MARK=" + sys.argv[1])
sleep = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
for name in (sys.argv[1], "not" + sys.argv[1]):
    subprocess.Popen(sleep, env={**os.environ, "AUTOML_MARK": name}, start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""


def wait_until(there: bool, mark: bytes) -> list[int]:
    until = time.monotonic() + 60
    while bool(found := marked({mark})) != there and time.monotonic() < until:
        time.sleep(0.05)
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="marks are read from /proc")
def test_what_carries_the_mark_dies_with_the_driver_and_nothing_else() -> None:
    name = uuid.uuid4().hex
    mine, others = f"AUTOML_MARK={name}".encode(), f"AUTOML_MARK=not{name}".encode()
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, name], stdout=subprocess.PIPE)
    try:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"ready\n"
        assert len(wait_until(True, mine)) == len(wait_until(True, others)) == 1
        driver.kill()
        assert wait_until(False, mine) == []
        assert len(marked({others})) == 1
    finally:
        driver.kill()
        driver.wait()
        if driver.stdout is not None:
            driver.stdout.close()
        for pid in marked({mine, others}):
            os.kill(pid, signal.SIGKILL)
