"""How a Ray is come by: a private one that nobody else reaches, or a cluster that is joined by its token."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl.contract import ExecutionError
from automl.execution.ray import RayExecutor, authentication
from automl.testing.executors import ExecutorChecks
from automl.testing.scripted import RUNNER, script, small_dataset

pytest.importorskip("ray", reason="the ray extra is not installed")


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No cluster is named, and none is joined before or after."""
    import ray

    for name in list(os.environ):
        if name.startswith(("RAY_AUTH", "RAY_ADDRESS")):
            monkeypatch.delenv(name)
    ray.shutdown()
    yield
    ray.shutdown()


def elsewhere(program: str, **variables: str) -> str:
    """What a program prints in a process of its own, which has no token but what these variables say."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env={**plain, "HOME": "/nonexistent", **variables}, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


JOIN = """
from automl.execution.ray import RayExecutor
from automl.testing.scripted import small_dataset
executor = RayExecutor(address={address!r})
try:
    print("joined", executor.capacity().slots)
except Exception as error:
    print(type(error).__name__, error)
executor.close()
"""

SHOW = """
from automl.execution.ray import authentication, cluster
with authentication.given_token():
    cluster._show_token({address!r})
print("accepted")
"""


def test_a_private_ray_is_on_loopback_with_a_token_of_its_own(no_ray: None, tmp_path: Path) -> None:
    import ray

    before = dict(os.environ)
    executor = RayExecutor(1, "local", runner=RUNNER)
    try:
        executor.capacity()
        address = ray.get_runtime_context().gcs_address
        assert address.startswith("127.0.0.1:")
        assert {name for name in os.environ if name.startswith("RAY_AUTH")} <= set(before)
        began = time.monotonic()
        said = elsewhere(JOIN.format(address=address))
        assert "refuses this program: the cluster wants its token" in said, said
        assert time.monotonic() - began < 60
        token: Any = authentication._ours()
        assert "accepted" in elsewhere(SHOW.format(address=address), RAY_AUTH_TOKEN=token)
        assert "RAY_AUTH_TOKEN_PATH" in said
    finally:
        executor.close()
    assert not ray.is_initialized()


def test_the_next_ray_is_met_with_what_the_environment_says(no_ray: None) -> None:
    import importlib

    raylet: Any = importlib.import_module("ray._raylet")
    if not hasattr(raylet, "get_authentication_mode"):
        return  # a Ray before tokens
    with authentication.own_token():
        assert raylet.get_authentication_mode() == raylet.AuthenticationMode.TOKEN
    authentication.forget()
    assert raylet.get_authentication_mode() != raylet.AuthenticationMode.TOKEN


def test_where_nothing_listens_is_said_at_once(no_ray: None) -> None:
    began = time.monotonic()
    with pytest.raises(ExecutionError, match=r"nothing answers at 127\.0\.0\.1:9"):
        RayExecutor(address="127.0.0.1:9").capacity()
    assert time.monotonic() - began < 20


def test_a_ray_that_takes_too_long_is_waited_for_no_longer(no_ray: None, monkeypatch: pytest.MonkeyPatch) -> None:
    come = threading.Event()
    monkeypatch.setattr("automl.execution.ray.cluster._start", lambda cpus: come.wait(60))
    executor = RayExecutor(1, "local", patience=0.2)
    try:
        with pytest.raises(ExecutionError, match=r"within 0\.2 s, Ray could not be started"):
            executor.capacity()
    finally:
        come.set()
        executor.close()


def test_the_address_of_a_dashboard_is_no_place_to_join(no_ray: None) -> None:
    with pytest.raises(ExecutionError, match=r"a dashboard, to which `automl submit` sends jobs.*HEAD:6379"):
        RayExecutor(address="http://127.0.0.1:8265").capacity()


def test_code_that_only_the_driver_has_runs_on_the_cluster(no_ray: None, tmp_path: Path) -> None:
    """The folder is gone before the first worker starts, as it is on another machine."""
    import ray

    source = tmp_path / "site"
    about = source / "cairn_far-1.0.dist-info"
    about.mkdir(parents=True)
    (source / "cairn_far.py").write_text("from automl.testing.scripted import run\n")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: cairn-far\nVersion: 1.0\n")
    sys.path.append(str(source))
    ray.init("local", num_cpus=1, include_dashboard=False, configure_logging=False, log_to_driver=False)
    executor = RayExecutor(1, runner="cairn_far:run", plugins={"cairn-far": {"cairn_far"}})
    try:
        executor.capacity()
        executor._cluster.luggage()
        source.rename(tmp_path / "gone")
        executor.open(small_dataset())
        event = ExecutorChecks().end(executor, script(1))
        assert event.kind == "done", event
    finally:
        executor.close()
        sys.path.remove(str(source))
