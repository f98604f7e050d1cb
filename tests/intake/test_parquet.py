"""Parquet files are read column by column, as reading them whole would, and refused when they cannot be held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl.contract import DataError
from automl.intake import ingest, open_table

N = 60
RNG = np.random.default_rng(0)
PLAIN: dict[str, Any] = {
    "whole": np.arange(N) % 7,
    "real": np.where(np.arange(N) % 5 == 0, np.nan, RNG.normal(size=N)),
    "gaps": pd.array([None if i % 4 == 0 else i % 9 for i in range(N)], dtype="Int64"),
    "word": [None if i % 11 == 0 else f"w{i % 3}" for i in range(N)],
    "kind": pd.Categorical([f"k{i % 4}" for i in range(N)], categories=["k3", "k2", "k1", "k0"], ordered=True),
    "flag": np.arange(N) % 2 == 0,
    "when": pd.date_range("2024-01-01", periods=N, tz="Europe/Berlin"),
    "day": pd.date_range("2024-01-01", periods=N).date,
    "target": ["yes" if i % 3 else "no" for i in range(N)],
}
FRAMES: dict[str, pd.DataFrame] = {
    "plain": pd.DataFrame(PLAIN),
    "range index": pd.DataFrame(PLAIN, index=pd.RangeIndex(10, 10 + 2 * N, 2, name="row")),
    "named index": pd.DataFrame(PLAIN, index=pd.Index([f"r{i}" for i in range(N)], name="key")),
    "two-level index": pd.DataFrame(PLAIN, index=pd.MultiIndex.from_arrays([np.arange(N) // 2, np.arange(N) % 2])),
    "some rows": pd.DataFrame(PLAIN)[::2],
}


def _assert_same(one: Any, other: Any) -> None:
    assert [vars(rule) for rule in one.schema.rules] == [vars(rule) for rule in other.schema.rules]
    assert one.findings == other.findings
    for left, right in zip(one.table, other.table, strict=True):
        assert (left.name, left.label, left.kind, left.origin) == (right.name, right.label, right.kind, right.origin)
        assert left.levels == right.levels
        np.testing.assert_array_equal(left.values, right.values)
    pd.testing.assert_index_equal(one.container.index, other.container.index)


@pytest.mark.parametrize("name", FRAMES)
def test_columns_read_apart_are_those_of_the_whole_file(name: str, tmp_path: Path) -> None:
    FRAMES[name].to_parquet(tmp_path / "t.parquet", row_group_size=7)
    whole = pq.read_table(tmp_path / "t.parquet").to_pandas()
    _assert_same(ingest(tmp_path / "t.parquet", target="target"), ingest(whole, target="target"))


def test_a_folder_of_parts_is_read_as_one_table(tmp_path: Path) -> None:
    for part, colour in enumerate(("red", "green")):
        folder = tmp_path / "parts" / f"colour={colour}"
        folder.mkdir(parents=True)
        FRAMES["plain"][part::2].to_parquet(folder / "part.parquet", index=False)
    whole = pq.read_table(tmp_path / "parts").to_pandas()
    assert "colour" in whole
    _assert_same(ingest(tmp_path / "parts", target="target"), ingest(whole, target="target"))


def test_opening_reads_no_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FRAMES["plain"].to_parquet(tmp_path / "t.parquet", index=False)
    asked: list[list[str]] = []
    read = pq.ParquetDataset.read

    def watched(self: Any, columns: Any = None, **more: Any) -> Any:
        asked.append(columns)
        return read(self, columns=columns, **more)

    monkeypatch.setattr(pq.ParquetDataset, "read", watched)
    frame = open_table(tmp_path / "t.parquet")
    assert (frame.n_rows, len(frame.labels), asked) == (N, len(PLAIN), [])
    ingest(tmp_path / "t.parquet", target="target")
    assert asked == [[name] for name in PLAIN]


def test_two_columns_of_one_name_are_told(tmp_path: Path) -> None:
    twice = pa.table([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"])
    pq.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="Multiple matches"):
        ingest(tmp_path / "t.parquet", target="a")


def test_a_file_with_a_broken_column_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    pq.write_table(pa.table({"a": RNG.normal(size=5000), "b": np.arange(5000) % 2}), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[4:2000] = b"\xff" * 1996
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"broken\.parquet.*no readable Parquet"):
        ingest(path, target="b")


def test_a_file_that_cannot_be_held_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FRAMES["plain"].to_parquet(tmp_path / "t.parquet", index=False)
    least = N * open_table(tmp_path / "t.parquet").row_bytes
    table = ingest(tmp_path / "t.parquet", target="target", room=least).table
    assert least <= sum(column.values.nbytes for column in table)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a column was read")

    monkeypatch.setattr(pq.ParquetDataset, "read", never)
    with pytest.raises(DataError, match=r"60 rows of 9 columns need at least .* GiB") as caught:
        ingest(tmp_path / "t.parquet", target="target", room=least - 1)
    assert caught.value.code == "memory-short"
