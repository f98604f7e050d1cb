"""The target, weights, groups and time: read literally, checked, and kept in step with the rows."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import DataConversionWarning

from automl.contract import Column, DataError
from automl.intake import ingest

X = np.linspace(0, 1, 6).reshape(-1, 1) ** 2


def target(y: Any) -> Column:
    """The column made of this target."""
    intake = ingest(X, y)
    return intake.table[intake.roles["target"]]


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint16", "float32", "float64"])
def test_a_numeric_target_remembers_its_dtype(dtype: str) -> None:
    column = target(np.array([0, 1, 2, 3, 4, 5], dtype=dtype))
    assert (column.kind, column.origin) == ("numeric", dtype)


def test_a_boolean_target_has_the_levels_false_and_true() -> None:
    column = target(np.array([True, False, True, True, False, True]))
    assert (column.levels, column.origin, column.values.tolist()) == ((False, True), "bool", [1, 0, 1, 1, 0, 1])


@pytest.mark.parametrize(
    "values",
    [
        ["b", "a", "NA", "None", "a ", ""],
        np.array(["b", "a", "NA", "None", "a ", ""]),
        pd.Series(["b", "a", "NA", "None", "a ", ""]),
        pl.Series(["b", "a", "NA", "None", "a ", ""]),
        pa.array(["b", "a", "NA", "None", "a ", ""]),
    ],
)
def test_the_words_of_a_target_mean_just_what_they_say(values: Any) -> None:
    column = target(values)
    assert column.levels == ("", "NA", "None", "a", "a ", "b")
    assert column.origin == "str"
    assert [column.levels[code] for code in column.values] == ["b", "a", "NA", "None", "a ", ""]


def test_labels_that_differ_in_case_or_blanks_are_reported() -> None:
    assert [f.code for f in ingest(X, ["a", "A ", "b", "b", "a", "a"]).findings] == ["labels-alike"]


def test_a_categorical_target_has_the_levels_that_occur() -> None:
    column = target(pd.Series(pd.Categorical(["x", "y", "x", "x", "y", "x"], categories=["z", "y", "x"])))
    assert (column.levels, column.origin) == (("x", "y"), "category")


def test_number_words_are_classes_unless_they_have_fractions() -> None:
    assert target(["1", "2", "10", "1", "2", "10"]).levels == ("1", "10", "2")
    many = [f"{i}.5" for i in range(60)]
    column = ingest({"x": np.arange(60) ** 2, "y": many}, target="y").table["f1"]
    assert (column.kind, column.values[3]) == ("numeric", 3.5)


def test_objects_that_are_all_integers_are_numbers() -> None:
    column = target(np.array([1, 2, 3, 1, 2, 3], dtype=object))
    assert (column.kind, column.origin) == ("numeric", "int64")


def test_lists_in_the_target_stay_objects_for_a_task_to_claim() -> None:
    boxes = [[1, 2], [], [3], [4, 5, 6], [7], [8]]
    column = ingest({"x": X[:, 0], "boxes": boxes}, target="boxes").table["f1"]
    assert (column.kind, column.values.tolist()) == ("object", boxes)


def test_a_column_vector_warns_as_scikit_learn_does() -> None:
    y = np.array([0, 1, 0, 1, 0, 1])
    for wrong in (y[:, None], pd.DataFrame({"y": y})):
        with pytest.warns(DataConversionWarning, match="A column-vector y was passed when a 1d array was expected"):
            np.testing.assert_array_equal(target(wrong).values, y)


def test_rows_without_a_target_are_dropped_everywhere() -> None:
    weight, group = [1, 2, 3, 4, 5, 6], ["a", "b", "c", "d", "e", "f"]
    frame = pd.DataFrame({"x": X[:, 0], "y": [1.0, np.nan, 3.0, 4.0, np.nan, 6.0]}, index=list("uvwxyz"))
    intake = ingest(frame, target="y", sample_weight=weight, groups=group)
    assert intake.rows_kept.tolist() == [0, 2, 3, 5]
    assert intake.table.n_rows == 4
    assert intake.table[intake.roles["weight"]].values.tolist() == [1, 3, 4, 6]
    groups = intake.table[intake.roles["groups"]]
    assert [groups.levels[code] for code in groups.values] == ["a", "c", "d", "f"]
    assert intake.container.wrap(np.zeros(4)).index.tolist() == ["u", "w", "x", "z"]
    assert "target-missing-rows" in [f.code for f in intake.findings]


def test_the_target_left_among_the_features_is_taken_out() -> None:
    frame = pd.DataFrame({"x": X[:, 0], "y": [1, 2, 3, 1, 2, 3], "z": [1, 2, 3, 1, 2, 3]})
    intake = ingest(frame, frame["y"])
    assert intake.schema.labels == ("x", "z")
    assert [(f.code, f.where) for f in intake.findings][:2] == [
        ("target-copied", "column 'y'"),
        ("target-copied", "column 'z'"),
    ]


def test_rows_are_matched_by_position() -> None:
    frame = pd.DataFrame({"x": X[:, 0]})
    intake = ingest(frame, pd.Series([1, 2, 3, 4, 5, 6], index=[5, 4, 3, 2, 1, 0]))
    assert intake.table[intake.roles["target"]].values.tolist() == [1, 2, 3, 4, 5, 6]
    assert [f.code for f in intake.findings] == ["index-differs"]


def test_roles_may_be_labels_or_arrays() -> None:
    frame = pd.DataFrame({"x": X[:, 0], "y": [0, 1, 0, 1, 0, 1], "w": [1] * 6, "g": [5, 5, 6, 6, 7, 7], "t": range(6)})
    intake = ingest(frame, target="y", sample_weight="w", groups="g", time="t")
    assert intake.roles == {"target": "f1", "weight": "f2", "groups": "f3", "time": "f4"}
    assert intake.table["f3"].kind == "category"
    assert intake.schema.labels == ("x",)
    assert intake.schema.n_features_in == 1
    arrays = ingest(
        frame[["x"]], frame["y"], sample_weight=frame["w"], groups=frame["g"].to_numpy(), time=list(range(6))
    )
    assert arrays.roles == {"target": "f1", "weight": "f2", "groups": "f3", "time": "f4"}


def test_a_task_may_name_roles_of_its_own() -> None:
    data = {
        "user": [1, 1, 2, 2],
        "item": ["a", "b", "a", "c"],
        "tags": [["x"], [], ["y"], ["x", "y"]],
        "y": [1, 0, 1, 0],
    }
    intake = ingest(data, target="y", roles={"user": "user", "item": "item", "lists": ["tags"]})
    assert intake.roles == {"target": "f3", "user": "f0", "item": "f1", "lists": ("f2",)}
    assert intake.table["f2"].kind == "object"


def test_groups_may_be_dates_or_numbers() -> None:
    days = np.array(["2020-01-01", "2020-01-02"] * 3, dtype="datetime64[D]")
    for groups in (days, np.array([0.5, 1.5] * 3), [True, False] * 3):
        intake = ingest(X, [0, 1, 0, 1, 0, 1], groups=groups)
        values = intake.table[intake.roles["groups"]].values
        assert sorted(set(values.tolist())) == [0, 1]
        assert (values[::2] == values[0]).all()


WRONG: dict[str, tuple[str, str, Any]] = {
    "no such column": ("target-missing", "'price'", lambda: ingest({"prize": [1, 2], "x": [1, 3]}, target="price")),
    "all missing": ("target-all-missing", "NaN", lambda: ingest(X, [np.nan] * 6)),
    "mostly missing": ("target-mostly-missing", "4 of 6", lambda: ingest(X, [np.nan] * 4 + [1.0, 2.0])),
    "infinite": ("target-infinite", "infinity", lambda: ingest(X, [1, 2, 3, 4, 5, np.inf])),
    "mixed": ("target-mixed", "Unknown label type", lambda: ingest(X, [1, "a", 2, "b", 1, "a"])),
    "wrong length": ("length-mismatch", r"\[6, 3\]", lambda: ingest(X, [1, 2, 3])),
    "two columns": ("target-several-columns", "1d array", lambda: ingest(X, np.zeros((6, 2)))),
    "twice": ("role-twice", "target", lambda: ingest(X, [1] * 6, target=0)),
    "role twice": ("role-twice", "'target'", lambda: ingest(X, [1] * 6, roles={"target": 0})),
    "complex": ("complex", "Complex data not supported", lambda: ingest(X, np.ones(6) * 1j)),
    "unknown group": ("role-missing", "'g'", lambda: ingest({"x": [1, 2], "y": [0, 1]}, target="y", groups="g")),
    "shared": ("role-shared", "target", lambda: ingest({"x": [1, 2], "y": [0, 1]}, target="y", groups="y")),
    "negative weight": ("weight-negative", "rows 1", lambda: ingest(X, range(6), sample_weight=[1, -1, 1, 1, 1, 1])),
    "missing weight": ("weight-missing", "NaN", lambda: ingest(X, range(6), sample_weight=[1, np.nan, 1, 1, 1, 1])),
    "zero weight": ("weight-zero", "zero", lambda: ingest(X, range(6), sample_weight=np.zeros(6))),
    "infinite weight": ("weight-infinite", "inf", lambda: ingest(X, range(6), sample_weight=[1, np.inf, 1, 1, 1, 1])),
    "weight words": ("weight-not-numeric", "category", lambda: ingest(X, range(6), sample_weight=list("aabbab"))),
    "weight length": ("length-mismatch", r"\[6, 2\]", lambda: ingest(X, range(6), sample_weight=[1, 2])),
    "weight table": ("weight-several-columns", "2 columns", lambda: ingest(X, range(6), sample_weight=np.ones((6, 2)))),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_learnt_from_is_refused_by_code(name: str) -> None:
    code, words, act = WRONG[name]
    with pytest.raises(DataError, match=words) as caught:
        act()
    assert caught.value.code == code
    assert caught.value.fix


def test_a_misspelt_target_is_answered_with_the_closest_label() -> None:
    with pytest.raises(DataError, match="Did you mean 'prize'"):
        ingest({"prize": [1, 2], "x": [1, 3]}, target="price")


BIG = 2**60 + 1


@pytest.mark.parametrize(
    ("values", "dtype"), [((BIG, BIG + 1), "int64"), ((5, -BIG, -BIG - 1), "int64"), ((2**64 - 1, 2**64 - 2), "uint64")]
)
def test_integer_labels_that_float64_cannot_tell_apart_stay_what_they_are(values: Any, dtype: str) -> None:
    given = np.array(values * 20, dtype=dtype)
    column = ingest(np.arange(len(given)).reshape(-1, 1) ** 2, given).table["f1"]
    assert (column.kind, column.levels, column.origin) == ("category", tuple(sorted(values)), dtype)
    assert [column.levels[code] for code in column.values] == given.tolist()


def test_large_integers_that_are_no_labels_are_reported() -> None:
    intake = ingest(np.arange(60).reshape(-1, 1) ** 2, np.arange(60) + BIG)
    assert intake.table["f1"].kind == "numeric"
    assert [(f.code, f.where) for f in intake.findings] == [("integers-large", "target 'target'")]


@pytest.mark.parametrize("values", [[Decimal("1.5"), 2, 3.25, Decimal(4), 5, 6], [Fraction(3, 2), 2, None, 4, 5, 6]])
def test_numbers_of_several_types_are_numbers(values: list[Any]) -> None:
    column = target(values)
    known = [float(value) for value in values if value is not None]
    assert (column.kind, column.values.tolist()) == ("numeric", known)
    feature = ingest({"x": values, "y": [1, 0, 1, 0, 1, 0]}, target="y").table.labelled("x")
    assert feature.kind == "numeric"
