"""Tables behind URLs are read as files are, and what stands in the way is said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from automl.contract import DataError
from automl.intake import ingest
from automl.intake.files import read_file
from automl.intake.remote import is_url, local_copy, upload

fsspec = pytest.importorskip("fsspec", reason="the remote extra is not installed")
TABLE = pd.DataFrame({"size": [1.5, 2.5, 3.5], "colour": ["red", "green", "red"], "left": ["yes", "no", "yes"]})


@pytest.fixture(autouse=True)
def store() -> Iterator[None]:
    """A file system in memory with a table in three forms."""
    memory = fsspec.filesystem("memory")
    memory.makedirs("/bucket/parts", exist_ok=True)
    with memory.open("/bucket/train.csv.gz", "wb") as file:
        TABLE.to_csv(file, index=False, compression="gzip")
    for number in range(2):
        with memory.open(f"/bucket/parts/part-{number}.parquet", "wb") as file:
            TABLE.to_parquet(file, index=False)
    yield
    memory.rm("/bucket", recursive=True)


def test_a_url_is_told_from_a_path() -> None:
    assert all(map(is_url, ("s3://bucket/x.csv", "file:///x.csv", "simplecache::s3://bucket/x.csv")))
    assert not any(map(is_url, ("train.csv", "/data/x.csv", r"C:\x.csv", "a:b", Path("x"), None)))


def test_a_packed_csv_is_read() -> None:
    table, findings = read_file("memory://bucket/train.csv.gz")
    pd.testing.assert_frame_equal(table, TABLE)
    assert findings == ()


def test_a_folder_of_parquet_parts_is_one_table() -> None:
    assert len(ingest("memory://bucket/parts", target="left").table) == 6


def test_fit_reads_urls() -> None:
    assert len(ingest("memory://bucket/train.csv.gz", target="left").table) == 3


def test_the_copy_is_gone_afterwards() -> None:
    with local_copy("memory://bucket/train.csv.gz") as copy:
        assert copy.name == "train.csv.gz"
    assert not copy.exists()


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r"nothing at 'memory://bucket/no\.csv'"):
        read_file("memory://bucket/no.csv")


def test_an_unknown_protocol_is_answered_with_the_usual_ones() -> None:
    with pytest.raises(DataError, match="s3://"):
        read_file("floppy://a/x.csv")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(DataError, match="s3fs"):
        read_file("s3://bucket/x.csv")


def test_without_fsspec_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(DataError, match=r"cairn-automl\[remote\]"):
        read_file("s3://bucket/x.csv")


def test_a_folder_is_written_to_a_url(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.bin").write_bytes(b"content")
    upload(tmp_path, "memory://bucket/model")
    assert fsspec.filesystem("memory").cat("/bucket/model/deep/x.bin") == b"content"
    with pytest.raises(DataError, match="cannot write to"):
        upload(tmp_path, "http://127.0.0.1:9/model")
