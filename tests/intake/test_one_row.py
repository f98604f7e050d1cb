"""A row read alone, cell by cell, is the row that reading whole columns gives."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from automl.contract import DataError, Table
from automl.intake import Intake, Schema, ingest

pytestmark = pytest.mark.filterwarnings("ignore::automl.intake.UnreadValues")

N = 60
LABELS = ["size", "count", "town", "grade", "sold", "day", "when", "cost", "note", "flag"]


def frame() -> pd.DataFrame:
    """Columns of every kind, with gaps."""
    rng = np.random.default_rng(1)
    out = pd.DataFrame(
        {
            "size": rng.normal(size=N),
            "count": rng.integers(0, 5, N),
            "town": rng.choice(["Ulm", "Bern", "Rom"], N),
            "grade": pd.Categorical(rng.choice([1, 2, 3], N), categories=[3, 2, 1], ordered=True),
            "sold": rng.random(N) < 0.5,
            "day": [f"{m % 12 + 1}/{m % 28 + 1}/2020" for m in range(N)],
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**9, N), unit="ms"),
            "cost": [f"{v},{v:03d}" for v in rng.integers(100, 999, N)],
            "note": [f"remark {i} about the thing" for i in range(N)],
            "flag": pd.array(rng.choice([0, 1, 7], N), dtype="Int64"),
        }
    )
    out.loc[::7, ["size", "town", "day", "when", "note", "flag"]] = None
    out["code"] = rng.choice(["7", "8.5", "True"], N)
    out["y"] = rng.normal(size=N)
    return out


@pytest.fixture(scope="module")
def intake() -> Intake:
    return ingest(frame(), target="y")


def ordinary(schema: Schema, data: Any) -> Table:
    """The table as whole columns give it: another schema reads nothing but this."""
    return Schema.from_state(schema.to_state()).apply(data)[0]


def same(one: Table, two: Table) -> bool:
    return one.names == two.names and all(
        (a.label, a.kind, a.levels, a.origin, a.values.dtype) == (b.label, b.kind, b.levels, b.origin, b.values.dtype)
        and all(v == w or (v != v and w != w) for v, w in zip(a.values.tolist(), b.values.tolist(), strict=True))
        and not a.values.flags.writeable
        for a, b in zip(one, two, strict=True)
    )


def test_every_row_is_read_as_in_a_whole_table(intake: Intake) -> None:
    data, schema = frame().drop(columns="y"), intake.schema
    whole, _ = schema.apply(data)
    for row in range(N):
        table, container = schema.apply(data.iloc[row : row + 1])
        assert same(table, whole.take(np.array([row])))
        assert container.index.equals(data.index[row : row + 1])


CELLS = [
    *(None, float("nan"), pd.NA, pd.NaT, 1, 0, -3, 2.5, float("inf"), True, False, 2**53 + 1, 10**400),
    *("Ulm", " Ulm ", "ulm", "", "?", "NA", "7", "7.0", "8.5", "True", "1e3", "12%", "123,456", "3/14/2020"),
    *("2020-03-14", "2020-03-14T10:00:00", "two words", np.float32(0.1), np.int8(3), np.bool_(True), np.float64(7.0)),
    *(np.str_("Ulm"), Decimal("1.5"), datetime.date(2020, 3, 14), pd.Timestamp("2020-03-14 12:00", tz="Europe/Rome")),
    *(pd.Timestamp("2020-03-14 12:00:00.123456789"), datetime.timedelta(1), b"Ulm", pd.Interval(0, 1)),
]


def _outcome(read: Any, schema: Schema, data: Any) -> Any:
    try:
        return read(schema, data)
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{type(cell).__name__} {str(cell)[:20]}")
@pytest.mark.parametrize("form", ["frame", "dict", "lists", "records", "array"])
def test_any_cell_means_what_it_means_in_a_column(intake: Intake, cell: Any, form: str) -> None:
    schema, labels = intake.schema, list(intake.schema.labels)
    plain = dict.fromkeys(labels, 1)
    forms: dict[str, Callable[[dict[Any, Any]], Any]] = {
        "frame": lambda row: pd.DataFrame({label: pd.Series([value], dtype=object) for label, value in row.items()}),
        "dict": dict,
        "lists": lambda row: {label: [value] for label, value in row.items()},
        "records": lambda row: [dict(row)],
        "array": lambda row: pd.DataFrame([list(row.values())], columns=list(row)),
    }
    make = forms[form]
    schema.apply(make(plain))
    for label in labels:
        data = make({**plain, label: cell})
        wanted, found = _outcome(ordinary, schema, data), _outcome(lambda s, d: s.apply(d)[0], schema, data)
        assert wanted == found if isinstance(wanted, str) else same(found, wanted)


def test_a_known_layout_is_not_read_by_columns(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    schema, data = intake.schema, frame().drop(columns="y")
    schema.apply(data.iloc[:1])
    monkeypatch.delattr("automl.intake.schema.open_table")
    assert len(schema.apply(data.iloc[1:2])[0]) == 1


def test_other_containers_give_the_same_row(intake: Intake) -> None:
    schema, data = intake.schema, frame().drop(columns="y")
    flat = pl.from_pandas(data)
    for row in range(0, N, 5):
        one = flat[row : row + 1]
        table, container = schema.apply(one)
        assert same(table, ordinary(schema, one))
        assert container.family == "polars"


def test_a_row_of_very_many_texts_is_read_as_in_a_whole_table() -> None:
    rng = np.random.default_rng(3)
    many: dict[str, Any] = {f"basket_{i}": rng.choice(["a", "b", "?"], N) for i in range(40)}
    data = pd.DataFrame({**many, "size": rng.normal(size=N), "y": rng.normal(size=N)})
    data.loc[::9, "basket_3"] = None
    schema = ingest(data, target="y").schema
    schema.apply(data.iloc[:1])
    for row in range(N):
        one = data.iloc[row : row + 1]
        assert same(schema.apply(one)[0], ordinary(schema, one))


def test_arrays_and_lists_without_labels_are_read_by_position() -> None:
    values = np.random.default_rng(0).normal(size=(N, 3))
    values[:, 1] = np.arange(N) % 3
    schema = ingest(values, np.arange(N) % 2).schema
    whole, _ = schema.apply(values)
    for row in range(4):
        for one in (values[row : row + 1], [values[row].tolist()], values[row : row + 1].astype(np.float32)):
            assert same(schema.apply(one)[0], ordinary(schema, one))
        assert same(schema.apply(values[row : row + 1])[0], whole.take(np.array([row])))


def test_extra_and_reordered_columns_are_found_by_label(intake: Intake) -> None:
    schema, data = intake.schema, frame()
    for shown in (data, data[data.columns[::-1]], data.assign(more="x")):
        for row in (3, 4):
            assert same(schema.apply(shown.iloc[row : row + 1])[0], ordinary(schema, shown.iloc[row : row + 1]))


def test_a_missing_column_is_an_error_for_one_row_too(intake: Intake) -> None:
    schema, data = intake.schema, frame().drop(columns="y")
    schema.apply(data.iloc[:1])
    with pytest.raises(DataError, match="town"):
        schema.apply(data.drop(columns="town").iloc[1:2])
