"""Data that cannot be learnt from is refused before any training, in words that name what to do."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from automl.contract import DataError
from automl.intake import DataTypeError, ingest

Y = [0, 1, 0]


def _write(text: bytes, name: str) -> Any:
    def act(folder: Path) -> None:
        (folder / name).write_bytes(text)
        ingest(folder / name, target="y")

    return act


def _twice() -> pd.DataFrame:
    return pd.DataFrame([[1, 2, 0], [3, 4, 1], [5, 7, 0]], columns=["a", "a", "y"])


# name -> (code, words of the message, what is done)
REFUSED: dict[str, tuple[str, str, Any]] = {
    "nothing": ("rows-none", r"0 sample\(s\)", lambda folder: ingest(pd.DataFrame())),
    "no rows": ("rows-none", r"0 sample\(s\) \(shape=\(0, 2\)\)", lambda folder: ingest(np.empty((0, 2)), [])),
    "no columns": (
        "columns-none",
        r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required",
        lambda folder: ingest(np.empty((3, 0)), Y),
    ),
    "only a target": ("columns-none", r"0 feature\(s\)", lambda folder: ingest({"y": Y}, target="y")),
    "only constants": ("columns-none", "constant", lambda folder: ingest({"x": [1, 1, 1], "y": Y}, target="y")),
    "one row": ("rows-one", "n_samples=1", lambda folder: ingest(np.ones((1, 2)), [1])),
    "one dimension": ("array-shape", "Reshape your data", lambda folder: ingest(np.arange(3), Y)),
    "a series": ("array-shape", "Reshape your data", lambda folder: ingest(pd.Series([1, 2, 3]), Y)),
    "a flat list": ("array-shape", "Reshape your data", lambda folder: ingest([1, 2, 3], Y)),
    "three dimensions": ("array-shape", "dim 3", lambda folder: ingest(np.ones((3, 2, 2)), Y)),
    "complex": ("complex", "Complex data not supported", lambda folder: ingest(np.ones((3, 2)) * 1j, Y)),
    "sparse": ("sparse", "sparse", lambda folder: ingest(scipy.sparse.csr_array(np.eye(3)), Y)),
    "sparse that is a dict": ("sparse", "sparse", lambda folder: ingest(scipy.sparse.dok_array(np.eye(3)), Y)),
    "an odd container": ("container-unknown", "object", lambda folder: ingest(object(), Y)),
    "ragged rows": ("rows-ragged", r"\[1, 2\]", lambda folder: ingest([[1, 2], [3], [4, 5]], Y)),
    "ragged columns": ("length-mismatch", "'b': 2", lambda folder: ingest({"a": [1, 2, 3], "b": [1, 2]})),
    "duplicate labels": ("columns-duplicated", "'a'", lambda folder: ingest(_twice(), target="y")),
    "lists in cells": (
        "cells-nested",
        "column 'a', row 1",
        lambda folder: ingest({"a": [1, [2], 3], "y": Y}, target="y"),
    ),
    "dicts in cells": (
        "cells-nested",
        "argument must be a string or a real number",
        lambda folder: ingest(np.array([[{"foo": "bar"}], [1], [2]], dtype=object), Y),
    ),
    "functions in cells": (
        "cell-unreadable",
        "function",
        lambda folder: ingest({"a": [len, 1, 2], "y": Y}, target="y"),
    ),
    "unreadable bytes": (
        "bytes-unreadable",
        "UTF-8",
        lambda folder: ingest({"a": [b"\xff\xfe"] * 3, "y": Y}, target="y"),
    ),
    "no file": ("file-missing", "no.csv", lambda folder: ingest(folder / "no.csv")),
    "an odd file": ("file-kind", "t.docx", _write(b"a", "t.docx")),
    "an empty file": ("file-empty", "t.csv", _write(b"", "t.csv")),
    "a header only": ("rows-none", r"0 sample\(s\)", _write(b"a,y\n", "t.csv")),
    "ragged lines": ("file-unreadable", "line 3", _write(b"a,y\n1,2\n1,2,3\n", "t.csv")),
    "a broken gzip": ("file-unreadable", "t.csv.gz", _write(b"no gzip", "t.csv.gz")),
    "a broken Parquet": ("file-unreadable", "t.parquet", _write(b"PAR1", "t.parquet")),
    "an empty folder": ("rows-none", r"0 sample\(s\)", lambda folder: ingest(folder)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_each_is_refused_by_code_and_in_words(name: str, tmp_path: Path) -> None:
    code, words, act = REFUSED[name]
    with pytest.raises(DataError, match=words) as caught:
        act(tmp_path)
    assert caught.value.code == code
    assert caught.value.fix


def test_wrong_types_are_type_errors_too() -> None:
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        ingest(np.array([[{"foo": "bar"}], [1], [2]], dtype=object), Y)
    assert isinstance(pickle.loads(pickle.dumps(DataTypeError("a", "b"))), TypeError)


def test_files_are_read_with_their_own_marks(tmp_path: Path) -> None:
    (tmp_path / "semi.csv").write_bytes("\ufeffname;y\nZürich;1,5\nBern;2,5\nBern;0,5\n".encode())
    intake = ingest(tmp_path / "semi.csv", target="y")
    assert intake.table["f0"].levels == ("Bern", "Zürich")
    assert intake.findings[0].code == "file-delimiter"
    (tmp_path / "latin.csv").write_bytes("name,y\nZürich,1\nBern,2\nBern,0\n".encode("latin-1"))
    intake = ingest(str(tmp_path / "latin.csv"), target="y")
    assert intake.table["f0"].levels == ("Bern", "Zürich")
    assert [f.code for f in intake.findings] == ["file-encoding"]


def test_the_word_none_survives_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('x,y\n1,None\n2,"Some, more"\nNA,None\n4,"two\nlines"\n')
    table = ingest(tmp_path / "t.csv", target="y").table
    assert table["f1"].levels == ("None", "Some, more", "two\nlines")
    assert np.isnan(table["f0"].values).tolist() == [False, False, True, False]


def test_an_empty_table_is_called_so_and_how_many_rows_are_needed_is_said_once() -> None:
    with pytest.raises(DataError, match=r"The table has no rows: one can be read, but at least 2 are needed to learn"):
        ingest({"x": [], "y": []}, target="y")
