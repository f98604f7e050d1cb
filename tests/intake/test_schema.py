"""Later tables are read exactly as the first one, and whatever drifts does not crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from automl.contract import DataError, Table, read_state, write_state
from automl.intake import Intake, Schema, ingest

pytestmark = pytest.mark.filterwarnings("ignore::automl.intake.UnreadValues")

N = 60


def frame() -> pd.DataFrame:
    """Columns of every kind, one dropped, and a target."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": np.arange(N),
            "size": rng.normal(size=N),
            "count": rng.integers(0, 5, N),
            "town": rng.choice(["Ulm", "Bern", "Rom"], N),
            "grade": pd.Categorical(rng.choice([1, 2, 3], N), categories=[3, 2, 1], ordered=True),
            "sold": rng.random(N) < 0.5,
            "day": [f"{m % 12 + 1}/{m % 28 + 1}/2020" for m in range(N)],
            "cost": [f"{v},{v:03d}" for v in rng.integers(100, 999, N)],
            "note": [f"remark {i} about the thing" for i in range(N)],
            "y": rng.choice(["no", "yes"], N),
        }
    )


@pytest.fixture(scope="module")
def intake() -> Intake:
    return ingest(frame(), target="y")


def same(one: Table, two: Table) -> bool:
    """Equal values, names, kinds and levels."""
    return all(
        (a.name, a.kind, a.levels) == (b.name, b.kind, b.levels)
        and all(v == w or (v != v and w != w) for v, w in zip(a.values, b.values, strict=True))
        for a, b in zip(one, two, strict=True)
    )


def test_the_kinds_are_as_expected(intake: Intake) -> None:
    kinds = {column.label: column.kind for column in intake.table}
    assert kinds == {
        "size": "numeric",
        "count": "numeric",
        "town": "category",
        "grade": "category",
        "sold": "category",
        "day": "datetime",
        "cost": "numeric",
        "note": "text",
        "y": "category",
    }


def test_the_same_table_is_read_the_same_again(intake: Intake) -> None:
    assert same(intake.schema.apply(frame())[0], intake.table)


def test_rows_are_read_the_same_alone_and_in_a_batch(intake: Intake) -> None:
    whole, _ = intake.schema.apply(frame())
    for row in (0, 7, N - 1):
        alone, container = intake.schema.apply(frame().iloc[row : row + 1])
        assert same(alone, whole.take(np.array([row])))
        assert container.index.tolist() == [row]


def test_columns_are_found_by_label_whatever_their_order(intake: Intake) -> None:
    shuffled = frame()[["y", "note", "cost", "day", "sold", "grade", "town", "count", "size"]]
    assert same(intake.schema.apply(shuffled.assign(extra=1))[0], intake.table)


def test_the_target_may_be_absent(intake: Intake) -> None:
    table, _ = intake.schema.apply(frame().drop(columns=["y", "id"]))
    assert [column.label for column in table] == list(intake.schema.labels)


def test_missing_feature_columns_are_named(intake: Intake) -> None:
    with pytest.raises(DataError, match="'town', 'cost'") as caught:
        intake.schema.apply(frame().drop(columns=["town", "cost"]))
    assert caught.value.code == "column-missing"


def test_unseen_levels_are_told_from_missing_and_unreadable_values_are_missing(intake: Intake) -> None:
    odd = pd.DataFrame(
        {
            "size": ["big"],
            "count": ["2"],
            "town": ["Paris"],
            "grade": ["2.0"],
            "sold": ["true"],
            "day": ["soon"],
            "cost": [5.0],
            "note": [3],
        }
    )
    table, _ = intake.schema.apply(odd)
    assert table.labelled("count").values.tolist() == [2.0]
    town = table.labelled("town")
    assert town.values.tolist() == [len(town.levels)]
    assert town.originals() == [None]
    assert not town.missing().any()
    gone, _ = intake.schema.apply(odd.assign(town=np.array([None], dtype=object)))
    assert gone.labelled("town").values.tolist() == [-1]
    assert table.labelled("grade").values.tolist() == [1]
    assert table.labelled("sold").values.tolist() == [1]
    assert table.labelled("cost").values.tolist() == [5.0]
    assert table.labelled("note").values.tolist() == ["3"]
    assert np.isnan([table.labelled("size").values[0], table.labelled("day").values[0]]).all()


@pytest.mark.parametrize(
    "value", [None, np.nan, "", "x", 1, 1.5, True, b"x", pd.Timestamp("2020-01-01"), [1], {"a": 1}, pd.NaT, 2**70]
)
def test_any_value_anywhere_is_read_without_a_crash(intake: Intake, value: Any) -> None:
    for n_rows in (1, 40):
        data = {label: [value] * n_rows for label in intake.schema.labels}
        table, _ = intake.schema.apply(data)
        assert table.n_rows == n_rows
        kinds = {column.label: (column.kind, column.values.dtype) for column in table}
        assert all(kinds[column.label] == (column.kind, column.values.dtype) for column in table)


@pytest.mark.parametrize("value", [1, 1.0, "1", "1.0", " 1 ", np.int8(1), np.float32(1)])
def test_a_level_is_found_however_it_is_spelt(value: Any) -> None:
    schema = ingest({"x": pd.Series(pd.Categorical([1, 2, 1])), "y": [0, 1, 1]}, target="y").schema
    assert schema.apply({"x": [value]})[0]["f0"].values.tolist() == [0]


def test_no_rows_give_an_empty_table(intake: Intake) -> None:
    for empty in (frame().iloc[:0], pl.DataFrame(frame().astype({"grade": int})).head(0), frame()[:0].astype(object)):
        table, _ = intake.schema.apply(empty)
        assert table.n_rows == 0
        assert table.names == intake.table.names


def test_an_array_of_the_right_width_is_read_by_position() -> None:
    named = pd.DataFrame({"a": [1.0, 2.0, 4.0], "y": [0, 1, 0], "b": [5.0, 6.0, 8.0]})
    schema = ingest(named, target="y").schema
    without, _ = schema.apply(named[["a", "b"]].to_numpy())
    assert without.labelled("b").values.tolist() == [5.0, 6.0, 8.0]
    with_target, _ = schema.apply(named.to_numpy())
    assert with_target.labelled("y").values.tolist() == [0.0, 1.0, 0.0]


def test_an_array_of_the_wrong_width_is_refused_in_known_words() -> None:
    schema = ingest(np.random.default_rng(0).normal(size=(9, 2)), np.arange(9)).schema
    with pytest.raises(DataError, match="X has 3 features, but AutoML is expecting 2 features as input"):
        schema.apply(np.ones((4, 3)))
    with pytest.raises(DataError, match="Reshape your data"):
        schema.apply(np.ones(2))


def test_a_table_may_follow_an_array() -> None:
    schema = ingest(np.array([[1.0, 2.0], [3.0, 5.0], [4.0, 1.0]]), [0, 1, 0]).schema
    assert schema.apply(pd.DataFrame({"a": [1.0], "b": [2.0]}))[0]["f1"].values.tolist() == [2.0]


def test_truth_may_be_given_beside_a_later_table() -> None:
    schema = ingest(frame().drop(columns="y"), frame()["y"], sample_weight=np.ones(N)).schema
    table, _ = schema.apply(frame().head(3), y=["yes", "no", "maybe"])
    assert table.labelled("y").values.tolist() == [1, 0, 2]
    with pytest.raises(DataError, match=r"\[3, 1\]"):
        schema.apply(frame().head(3), y=["yes"])


def test_a_feature_is_not_taken_for_the_weights_that_were_given_beside_it() -> None:
    table = frame().assign(weight=np.arange(N) % 7 + 1.0)
    schema = ingest(table, sample_weight=np.ones(N), target="y").schema
    assert schema.roles["weight"] not in schema.apply(table)[0].names


def test_a_schema_survives_saving(intake: Intake, tmp_path: Path) -> None:
    write_state(tmp_path, intake.schema.to_state())
    again = Schema.from_state(read_state(tmp_path))
    assert again.labels == intake.schema.labels
    assert again.roles == intake.schema.roles
    assert same(again.apply(frame())[0], intake.table)


def test_odd_labels_survive_saving(tmp_path: Path) -> None:
    labels = [pd.Timestamp("2020-01-01"), ("a", 1), None, np.int64(4)]
    data = pd.DataFrame([[1, 5, 2, 0], [2, 7, 2, 1], [4, 1, 3, 0]])
    data.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    schema = ingest(data, [0, 1, 0]).schema
    write_state(tmp_path, schema.to_state())
    assert same(Schema.from_state(read_state(tmp_path)).apply(data)[0], schema.apply(data)[0])


def test_one_row_may_be_a_plain_dict(intake: Intake) -> None:
    row = frame().iloc[3].to_dict()
    assert same(intake.schema.apply(row)[0], intake.schema.apply(frame().iloc[3:4])[0])


def test_mixed_values_are_found_alone_as_in_a_batch() -> None:
    values = np.empty(6, dtype=object)
    values[:] = [
        pd.Timestamp("2020-01-01"),
        "red",
        2**70,
        pd.Timedelta(90, "s"),
        np.datetime64("2020-02-01T10:00"),
        1.0,
    ]
    intake = ingest({"x": values, "y": [0, 1, 0, 1, 0, 1]}, target="y")
    for row, code in enumerate(intake.table["f0"].values):
        assert intake.schema.apply({"x": values[row : row + 1]})[0]["f0"].values.tolist() == [code]


def test_a_polars_column_that_arrow_lacks_is_read_by_its_values() -> None:
    data = pl.DataFrame({"x": pl.Series([2**70, 1, 2], dtype=pl.Int128), "y": [0, 1, 0]})
    assert ingest(data, target="y").table["f0"].values.tolist() == [float(2**70), 1.0, 2.0]
