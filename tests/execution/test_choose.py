"""A name gives an executor, and `auto` starts no server."""

import subprocess
import sys

import pytest

from automl.contract import OptionError
from automl.execution.choose import make_executor
from automl.execution.inline import InlineExecutor
from automl.execution.local import LocalExecutor


def test_auto_is_local_unless_there_is_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    executor = make_executor("auto", slots=3)
    assert isinstance(executor, LocalExecutor)
    assert executor.capacity().slots == 3


def test_auto_is_ray_when_there_is_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(make_executor("auto", address="10.0.0.1:6379")).__name__ == "RayExecutor"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert type(make_executor("auto")).__name__ == "RayExecutor"


def test_inline_is_inline() -> None:
    assert isinstance(make_executor("inline"), InlineExecutor)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match="auto, inline, local, ray"):
        make_executor("dask")


def test_an_address_means_nothing_to_local() -> None:
    with pytest.raises(OptionError, match="takes no address"):
        make_executor("local", address="10.0.0.1:6379")


def test_without_ray_the_message_says_how_to_get_it() -> None:
    program = (
        "import sys; sys.modules['ray'] = None\n"
        "from automl.execution.choose import make_executor\n"
        "try: make_executor('ray').start()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("ExecutionError")
    assert "cairn-automl[ray]" in answer.stdout
