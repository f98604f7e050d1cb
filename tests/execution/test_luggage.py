"""Plugins' code packed on one machine is importable on another, and only where it is lacking."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from automl.contract import ExecutionError
from automl.discovery import Registry
from automl.execution import luggage
from automl.execution.luggage import ENGINE, Parcel, pack, unpack

STRANGER = Path(__file__).parents[2] / "examples" / "third_party_model"


@pytest.fixture(scope="module")
def parcels(install: Callable[[Path], None]) -> tuple[Parcel, ...]:
    """Of the engine, and of the example's distribution."""
    install(STRANGER)
    return pack({name: tops for name, tops in Registry.installed().strangers().items() if name == "automl-nearest"})


@pytest.fixture(autouse=True)
def other_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Temporary files and module paths as a worker elsewhere has them."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "strangers" not in path])
    importlib.invalidate_caches()
    yield
    sys.modules.pop("automl_nearest", None)


def test_the_engine_travels_as_its_version_alone(parcels: tuple[Parcel, ...]) -> None:
    engine = parcels[0]
    assert (engine.name, engine.version, engine.content) == (ENGINE, importlib.metadata.version(ENGINE), b"")


def test_a_machine_that_lacks_a_plugin_gets_it_with_its_metadata(parcels: tuple[Parcel, ...]) -> None:
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("automl-nearest")
    unpack(parcels)
    assert importlib.metadata.version("automl-nearest") == parcels[1].version
    assert Registry.installed(["automl-nearest"]).models.load("nearest").name == "nearest"


def test_all_workers_of_a_machine_share_what_was_unpacked(parcels: tuple[Parcel, ...], tmp_path: Path) -> None:
    unpack(parcels)
    unpack([replace(parcels[1], source=True)])
    (folder,) = tmp_path.iterdir()
    assert [place.name for place in folder.iterdir()] == [parcels[1].key]


def test_what_is_there_in_this_version_stays(parcels: tuple[Parcel, ...], tmp_path: Path) -> None:
    unpack(parcels)
    before = list(sys.path)
    unpack([replace(parcels[1], source=False)])
    assert sys.path == before


def test_another_version_goes_before_what_is_there(parcels: tuple[Parcel, ...]) -> None:
    unpack(parcels)
    before = list(sys.path)
    unpack([replace(parcels[1], version="99", content=parcels[1].content + b"\0")])
    assert sys.path[1:] == before


def test_another_version_of_the_engine_is_an_error_with_both() -> None:
    with pytest.raises(
        ExecutionError, match=rf"has {ENGINE} .*, the program that sends it work 99\.1; install the same"
    ):
        unpack([Parcel(ENGINE, "99.1", b"")])


def test_a_giant_is_left_to_be_installed(
    parcels: tuple[Parcel, ...], install: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack(parcels)
    monkeypatch.setattr(luggage, "_MOST_BYTES", 10)
    with pytest.raises(ExecutionError, match="pip install automl-nearest=="):
        pack({"automl-nearest": {"automl_nearest"}})


def test_a_folder_that_others_may_write_to_is_not_trusted(parcels: tuple[Parcel, ...], tmp_path: Path) -> None:
    unpack(parcels)
    (folder,) = tmp_path.iterdir()
    folder.chmod(0o777)
    unpack([replace(parcels[1], source=True)])
    assert not sys.path[0].startswith(str(folder) + "/")


def test_a_worker_reads_it_before_numpy() -> None:
    program = "import sys, automl.execution.ray.actor, automl.execution.luggage; print('numpy' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
