"""Every container gives the same table."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from automl.contract import Table
from automl.intake import Container, ingest, open_table

COLUMNS: dict[str, list[Any]] = {
    "size": [1.5, 2.5, None, 4.0, 5.5, 6.0],
    "rooms": [1, 2, 2, 3, 3, 4],
    "town": ["Ulm", "Bern", "Ulm", None, "Bern", "Ulm"],
    "sold": [True, False, True, True, False, False],
    "price": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0],
}


def _csv(folder: Path, name: str) -> Path:
    text = pd.DataFrame(COLUMNS).to_csv(index=False).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    return folder / name


def _parquet(folder: Path) -> Path:
    pd.DataFrame(COLUMNS).to_parquet(folder / "t.parquet")
    return folder / "t.parquet"


def _typed(dtype: str) -> pd.DataFrame:
    frame = pd.DataFrame(COLUMNS)
    return frame.astype({"town": dtype})


def _structured() -> np.ndarray[Any, Any]:
    kinds = [("size", "f8"), ("rooms", "i8"), ("town", "O"), ("sold", "?"), ("price", "f8")]
    rows = [
        tuple(np.nan if v is None and i == 0 else v for i, v in enumerate(row))
        for row in zip(*COLUMNS.values(), strict=True)
    ]
    return np.array(rows, dtype=kinds)


CONTAINERS: dict[str, Any] = {
    "pandas": lambda folder: pd.DataFrame(COLUMNS),
    "pandas object": lambda folder: _typed("object"),
    "pandas category": lambda folder: _typed("category"),
    "pandas nullable": lambda folder: pd.DataFrame(COLUMNS).convert_dtypes(),
    "pandas arrow": lambda folder: pd.DataFrame(COLUMNS).convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda folder: pl.DataFrame(COLUMNS),
    "polars lazy": lambda folder: pl.LazyFrame(COLUMNS),
    "polars categorical": lambda folder: pl.DataFrame(COLUMNS).with_columns(pl.col("town").cast(pl.Categorical)),
    "pyarrow": lambda folder: pa.table(COLUMNS),
    "pyarrow chunks": lambda folder: pa.concat_tables([pa.table(COLUMNS).slice(0, 2), pa.table(COLUMNS).slice(2)]),
    "pyarrow dictionary": lambda folder: pa.table(
        {name: pa.array(v).dictionary_encode() if name == "town" else pa.array(v) for name, v in COLUMNS.items()}
    ),
    "dict of lists": lambda folder: COLUMNS,
    "dict of arrays": lambda folder: {name: np.array(values, dtype=object) for name, values in COLUMNS.items()},
    "dict of series": lambda folder: {name: pl.Series(values) for name, values in COLUMNS.items()},
    "list of dicts": lambda folder: [
        dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)
    ],
    "structured array": lambda folder: _structured(),
    "csv": lambda folder: _csv(folder, "t.csv"),
    "csv.gz as text": lambda folder: str(_csv(folder, "t.csv.gz")),
    "parquet": _parquet,
}


def _values(table: Table, label: str) -> list[Any]:
    column = table.labelled(label)
    if column.kind == "category":
        return [None if code < 0 else column.levels[code] for code in column.values]
    return [None if value != value else value for value in column.values.tolist()]


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same_columns(name: str, tmp_path: Path) -> None:
    table = ingest(CONTAINERS[name](tmp_path), target="price").table
    for label, values in COLUMNS.items():
        assert _values(table, label) == values
    assert [column.kind for column in table] == ["numeric", "numeric", "category", "category", "numeric"]
    assert table.names == ("f0", "f1", "f2", "f3", "f4")


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_read_again_by_the_schema(name: str, tmp_path: Path) -> None:
    intake = ingest(CONTAINERS[name](tmp_path), target="price")
    for other in ("pandas", "polars", "list of dicts", name):
        table, _ = intake.schema.apply(CONTAINERS[other](tmp_path))
        for label, values in COLUMNS.items():
            assert _values(table, label) == values


def test_arrays_are_read_by_position() -> None:
    data = np.array([[1.0, 5.0, 0.1], [2.0, np.nan, 0.2], [3.5, 7.0, 0.3]])
    intake = ingest(data, [0, 1, 1])
    assert intake.schema.labels == (0, 1, 2)
    np.testing.assert_array_equal(intake.table.labelled(1).values, data[:, 1])
    np.testing.assert_array_equal(intake.schema.apply(data[:1])[0].matrix(), data[:1].astype(np.float32))


def test_rows_given_as_lists_keep_their_types() -> None:
    table = ingest([[1, "a"], [2, "b"], [4, "a"]], [0, 1, 0]).table
    assert [column.kind for column in table] == ["numeric", "category", "numeric"]


def test_anything_with_an_array_protocol_is_an_array() -> None:
    class Wrapped:
        def __init__(self, values: Any) -> None:
            self.values = np.asarray(values)

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return self.values

    intake = ingest(Wrapped([[1.0, 2.0], [3.0, 5.0], [4.0, 1.0]]), Wrapped([1, 0, 1]))
    assert intake.table.labelled("target").values.tolist() == [1.0, 0.0, 1.0]


def test_a_masked_array_has_missing_values() -> None:
    data = np.ma.array([[1.0, 2.0], [3.0, 5.0], [4.0, 1.0]], mask=[[True, False], [False, False], [False, False]])
    assert np.isnan(ingest(data, [0, 1, 0]).table["f0"].values).tolist() == [True, False, False]


def test_a_multiindex_of_columns_keeps_its_tuples() -> None:
    frame = pd.DataFrame({("a", "x"): [1, 2, 4], ("a", "y"): ["u", "v", "u"], ("b", "x"): [0, 1, 0]})
    intake = ingest(frame, target=("b", "x"))
    assert intake.schema.labels == (("a", "x"), ("a", "y"))
    assert len(intake.schema.apply(frame)[0].columns) == 3


@pytest.mark.parametrize(
    "labels",
    [[0, 1, 2], [0, "b", "y"], ["名前", "\u200b", "y"], ["a[1]", '{<:,"', "y"], ["", None, "y"], [1.5, True, "y"]],
)
def test_any_labels_are_kept(labels: list[Any]) -> None:
    frame = pd.DataFrame([[1, 4.0, 0], [2, 5.5, 1], [2, 7.0, 0]], columns=pd.Index(labels, dtype=object))
    intake = ingest(frame, target=labels[2])
    assert list(intake.schema.labels) == labels[:2]
    assert intake.schema.apply(frame)[0].n_rows == 3


def test_the_callers_data_is_never_changed() -> None:
    array = np.array([[1.0, np.inf], [np.nan, 2.0], [3.0, 4.0]])
    before, frame = array.copy(), _typed("object")
    copy = frame.copy(deep=True)
    y = np.array([0.0, 1.0, np.nan])
    ingest(array, y)
    ingest(frame, target="price").schema.apply(frame)
    np.testing.assert_array_equal(array, before)
    pd.testing.assert_frame_equal(frame, copy)
    assert array.flags.writeable
    assert y.flags.writeable
    array[0, 0] = 9.0


def test_results_come_back_in_the_callers_container() -> None:
    labels, scores = np.array(["a", "b"], dtype=object), np.array([[0.2, 0.8], [0.6, 0.4]])
    frame = Container("pandas", pd.Index(["r1", "r1"]))
    assert frame.wrap(labels, "y").index.tolist() == ["r1", "r1"]
    assert frame.wrap(labels, "y").name == "y"
    assert frame.wrap_frame(scores, ["a", 1]).columns.tolist() == ["a", 1]
    assert Container("polars").wrap(labels, "y").to_list() == ["a", "b"]
    assert Container("polars").wrap_frame(scores, ["a", 1]).columns == ["a", "1"]
    assert Container("pyarrow").wrap(labels).to_pylist() == ["a", "b"]
    assert Container("pyarrow").wrap_frame(scores, [False, True]).column_names == ["False", "True"]
    assert Container().wrap(labels) is labels
    assert Container().wrap_frame(scores, ["a", "b"]) is scores


@pytest.mark.parametrize(
    ("name", "family"), [("pandas", "pandas"), ("polars lazy", "polars"), ("pyarrow", "pyarrow"), ("csv", "pandas")]
)
def test_the_container_is_remembered(name: str, family: str, tmp_path: Path) -> None:
    assert ingest(CONTAINERS[name](tmp_path), target="price").container.family == family


def test_a_single_value_beside_columns_stands_in_every_row() -> None:
    data = {"n": [1, 2, 3], "k": 5, "word": "red", "none": None, "zero_d": np.array(2.5)}
    frame = open_table(data)
    assert frame.n_rows == 3
    assert [frame.raw(position).values.tolist() for position in (1, 2, 4)] == [[5] * 3, ["red"] * 3, [2.5] * 3]
    assert frame.raw(3).missing().all()


@pytest.mark.parametrize("family", ["polars", "pyarrow"])
def test_labels_of_several_types_come_back_as_texts_where_a_column_has_one_type(family: Any) -> None:
    labels = np.array([1, "a", True, None, 2.5], dtype=object)
    given = Container(family).wrap(labels, "y")
    assert (given.to_list() if family == "polars" else given.to_pylist()) == ["1", "a", "True", None, "2.5"]
    same = Container(family).wrap(np.array([1, 2], dtype=object), "y")
    assert (same.to_list() if family == "polars" else same.to_pylist()) == [1, 2]
