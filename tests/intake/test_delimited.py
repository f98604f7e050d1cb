"""A row of a CSV means the same whatever file it comes in, and each value stands under its own heading."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.contract import Table
from automl.intake import Intake, ingest

ROWS = ["007,true,1.10,1.234,2020-01-05,01,0.5", "042,false,1.9,2.345,2020-02-05,02,1.5"]
ROWS += ["A13,maybe,2.0b,'1,5',2020-03-05,x,2.5".replace("'", '"')] * 2
HEAD = "dept,flag,ver,cost,day,y,size"
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "new.csv": bytes,
    "new.csv.gz": gzip.compress,
    "new.csv.bz2": bz2.compress,
}


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def learnt(folder: Path) -> Intake:
    """What a file teaches in which codes, versions, flags and German numbers are written."""
    rows = [row.replace("2.5", f"{number}.5") for number, row in enumerate(ROWS * 5)]
    return ingest(written(folder / "train.csv", "\n".join([HEAD, *rows, ""])), target="y")


def cells(table: Table) -> list[list[object]]:
    return [[column.levels[code] if column.levels else code for code in column.values] for column in table]


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("row", range(2))
def test_a_row_of_a_file_means_the_same_alone_and_among_others(tmp_path: Path, row: int, name: str) -> None:
    schema = learnt(tmp_path).schema
    alone = PACKERS[name]("\n".join([HEAD, ROWS[row], ""]).encode())
    table, _ = schema.apply(written(tmp_path / name, alone))
    together, _ = schema.apply(written(tmp_path / "all.csv", "\n".join([HEAD, *ROWS, ""])))
    assert cells(table) == cells(together.take(np.array([row])))
    assert [column.values[0] for column in table if column.levels] == [row, [2, 0][row], row, row]
    assert table.labelled("cost").values.tolist() == [[1234.0], [2345.0]][row]


def test_a_row_behind_a_url_means_the_same_too(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="the remote extra is not installed")
    schema = learnt(tmp_path).schema
    with fsspec.filesystem("memory").open("/delimited/new.csv", "wb") as file:
        file.write(f"{HEAD}\n{ROWS[0]}\n".encode())
    table, _ = schema.apply("memory://delimited/new.csv")
    assert cells(table)[0] == ["007"]


def test_columns_that_are_found_by_their_place_are_read_from_strings_too(tmp_path: Path) -> None:
    codes = np.array([["007", "b"], ["042", "b"], ["A13", "c"]] * 4, dtype=object)
    schema = ingest(codes, [0, 1, 1] * 4).schema
    table, _ = schema.apply(written(tmp_path / "new.csv", "code,kind\n007,c\n"))
    assert cells(table) == [["007"], ["c"]]


@pytest.mark.parametrize("end", [",", ",,"])
def test_delimiters_at_the_end_of_lines_shift_no_column(tmp_path: Path, end: str) -> None:
    lines = [f"{k % 2},{k},{k * 3 % 7}{end}" for k in range(20)]
    intake = ingest(written(tmp_path / "t.csv", "\n".join(["y,a,b", *lines, ""])), target="y")
    assert intake.table.labelled("y").values.tolist() == [k % 2 for k in range(20)]
    assert intake.table.labelled("b").values.tolist() == [k * 3 % 7 for k in range(20)]
    assert [finding.code for finding in intake.findings] == ["file-line-ends"]
    table, _ = intake.schema.apply(written(tmp_path / "new.csv", f"a,b\n5,6{end}\n"))
    assert cells(table) == [[5.0], [6.0]]


def test_names_of_rows_before_the_first_column_are_said(tmp_path: Path) -> None:
    lines = [f"r{k},{k % 2},{k},{k * 3 % 7}" for k in range(20)]
    intake = ingest(written(tmp_path / "t.csv", "\n".join(["y,a,b", *lines, ""])), target="y")
    assert intake.table.labelled("y").values.tolist() == [k % 2 for k in range(20)]
    assert [finding.code for finding in intake.findings] == ["file-row-names"]


@pytest.mark.parametrize(("encoding", "start"), [("utf-16", b""), ("utf-16-be", b"\xfe\xff")])
@pytest.mark.parametrize("name", ["t.txt", "t.csv.gz"])
def test_unicode_text_of_a_spreadsheet_is_read(tmp_path: Path, encoding: str, start: bytes, name: str) -> None:
    text = start + "name\ty\n".encode(encoding) + "Zürich\t1\nBern\t2\n".encode(encoding).removeprefix(b"\xff\xfe") * 3
    path = written(tmp_path / name, gzip.compress(text) if name.endswith("gz") else text)
    intake = ingest(path, target="y")
    assert intake.table.labelled("name").levels == ("Bern", "Zürich")
    assert {finding.code: finding.done for finding in intake.findings}["file-encoding"] == "read it as UTF-16"


def test_a_file_that_is_not_utf_8_is_reported_once(tmp_path: Path) -> None:
    text = "name;y\nZürich;1\nBern;2\nBern;0\n".encode("latin-1")
    codes = [finding.code for finding in ingest(written(tmp_path / "t.csv", text), target="y").findings]
    assert codes == ["file-delimiter", "file-encoding"]


def test_fit_leaves_it_to_pandas_what_cells_hold(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2, 3] * 4, "flag": [True, False, False] * 4, "y": [0, 1, 1] * 4}).to_csv(
        tmp_path / "t.csv", index=False
    )
    table = ingest(tmp_path / "t.csv", target="y").table
    assert [column.origin for column in table] == ["int64", "bool", "int64"]
