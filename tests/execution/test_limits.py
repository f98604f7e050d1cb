"""What this process may use, and amounts as people write them."""

import os
from pathlib import Path

import numpy as np
import pytest

from automl.contract import OptionError
from automl.execution import limits


def test_no_more_cores_than_the_affinity_mask() -> None:
    assert 1 <= limits.available_cpus() <= len(os.sched_getaffinity(0))


def test_a_container_quota_cuts_the_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    monkeypatch.setattr(limits, "_CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert limits.available_cpus() == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert limits.available_cpus() == 8


def test_a_container_limit_cuts_the_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 100000\n")
    monkeypatch.setattr(limits, "_CGROUPS", tmp_path)
    assert limits.available_memory() == 700_000
    (tmp_path / "memory.max").write_text("max\n")
    assert limits.available_memory() > 700_000


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GiB", 4 * 1024**3),
        ("500 MB", 500_000_000),
        ("1.5g", 1_500_000_000),
        ("1024", 1024),
        (7, 7),
        (4e9, 4_000_000_000),
        (None, 0),
    ],
)
def test_memory_is_read_as_people_write_it(text: str | float | None, size: int) -> None:
    assert limits.parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "lots", "4 elephants", "-1GB", -1, True])
def test_nonsense_is_no_memory(text: str | int) -> None:
    with pytest.raises(OptionError, match="4GiB"):
        limits.parse_memory(text)


def test_n_jobs_counts_as_in_joblib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "available_cpus", lambda: 8)
    assert [limits.slots_for(n) for n in (None, 3, -1, -2, -20)] == [8, 3, 8, 7, 1]
    assert limits.slots_for(np.int64(2)) == 2  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="n_jobs is 0"):
        limits.slots_for(0)


def test_gpus_hidden_by_the_environment_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, names in (("", ()), ("-1", ()), ("0,2", ("0", "2")), ("GPU-abc", ("GPU-abc",))):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert limits.gpu_devices() == names
