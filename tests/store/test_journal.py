"""The journal survives cuts, flips and full disks with all whole records before the damage."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import numpy as np
import pytest

from automl.contract import ArtifactError
from automl.store import Journal

RECORDS = [{"n": 0, "kind": "done"}, {"n": 1, "text": "ä\n\u2028ß"}, {"n": 2, "loss": [1.5, None, True]}]


def write(path: Path, records: list[dict[str, object]]) -> bytes:
    journal = Journal(path)
    for record in records:
        journal.append(record)
    journal.close()
    return path.read_bytes()


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    write(tmp_path / "j", RECORDS)
    assert Journal.read(tmp_path / "j") == RECORDS


def test_numbers_that_json_cannot_say_come_back(tmp_path: Path) -> None:
    write(tmp_path / "j", [{"a": math.nan, "b": [-math.inf, np.float64(2.5)], "c": np.int64(3), "d": np.arange(2)}])
    (record,) = Journal.read(tmp_path / "j")
    assert math.isnan(record["a"])
    assert record["b"] == [-math.inf, 2.5]
    assert (record["c"], record["d"]) == (3, [0, 1])
    assert b"NaN" not in (tmp_path / "j").read_bytes()


def test_a_text_that_looks_like_such_a_number_stays_a_text(tmp_path: Path) -> None:
    records = [{"a": math.inf, "text": '{"__float__":"nan"}', "b": {"__float__": "none"}}]
    write(tmp_path / "j", records)
    assert Journal.read(tmp_path / "j") == records


def test_a_cut_at_any_byte_loses_at_most_the_record_it_cuts_and_appending_goes_on(tmp_path: Path) -> None:
    data = write(tmp_path / "whole", RECORDS)
    ends = [0, *(i + 1 for i, byte in enumerate(data) if byte == 10)]
    for cut in range(len(data) + 1):
        path = tmp_path / "cut"
        path.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends) - 1
        assert Journal.read(path) == RECORDS[:whole]
        assert write(path, [{"n": 9}]).startswith(data[: ends[whole]])
        assert Journal.read(path) == [*RECORDS[:whole], {"n": 9}]


def test_a_flipped_bit_anywhere_in_the_last_record_loses_only_that_record(tmp_path: Path) -> None:
    data = write(tmp_path / "whole", RECORDS)
    start = data[:-1].rfind(b"\n") + 1
    for place in range(start, len(data)):
        for bit in (1, 32):
            damaged = bytearray(data)
            damaged[place] ^= bit
            (tmp_path / "flip").write_bytes(bytes(damaged))
            assert Journal.read(tmp_path / "flip") == RECORDS[:-1]


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\n", b"00000002 00000000 {}\n", b"x" * 50 + b"\n", b"[]"])
def test_a_strange_tail_is_cut_off(tmp_path: Path, tail: bytes) -> None:
    data = write(tmp_path / "j", RECORDS)
    (tmp_path / "j").write_bytes(data + tail)
    assert Journal.read(tmp_path / "j") == RECORDS
    assert write(tmp_path / "j", []) == data


def test_a_disk_that_takes_half_a_record_leaves_the_records_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole = os.write
    journal = Journal(tmp_path / "j", sync=False)
    journal.append(RECORDS[0])

    def full(file: int, data: memoryview) -> int:
        if len(data) > 10:
            return write_whole(file, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ArtifactError, match="No space left"):
            journal.append({"n": 1, "x": "a" * 10})
    assert Journal.read(tmp_path / "j") == RECORDS[:1]
    journal.append(RECORDS[1])
    journal.close()
    journal.close()
    assert Journal.read(tmp_path / "j") == RECORDS[:2]


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write_whole(file, data[:7]))
    write(tmp_path / "j", RECORDS)
    assert Journal.read(tmp_path / "j") == RECORDS


def test_a_missing_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nowhere"):
        Journal.read(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match="nowhere"):
        Journal(tmp_path / "nowhere" / "journal.jsonl")
