"""What kind a column is taken for, and how its values are read."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from automl.contract import Column, Finding
from automl.intake import Intake, Schema, ingest


def read(values: Any, n: int = 0) -> tuple[Column, list[Finding]]:
    """The column made of these values, beside a target."""
    intake = _intake(values)
    return intake.table["f0"], [f for f in intake.findings if "'x'" in f.where]


def _intake(values: Any) -> Intake:
    target = [0, 1] * (len(values) // 2) + [0] * (len(values) % 2)
    return ingest({"x": values, "other": np.linspace(0, 1, len(values)) ** 2, "y": target}, target="y")


def codes(found: list[Finding]) -> list[str]:
    return [f.code for f in found]


NUMBERS: dict[str, tuple[Any, list[float]]] = {
    "thousands": (["1,234.5", "2", " 3 "], [1234.5, 2.0, 3.0]),
    "percent": (["12%", "7.5 %", "0%"], [12.0, 7.5, 0.0]),
    "currency": (["$1,000", "€ 5", "-$3"], [1000.0, 5.0, -3.0]),
    "decimal comma": (["1,5", "2,25", "1.234,5"], [1.5, 2.25, 1234.5]),
    "exponents": (["1e3", "-.5", "+2."], [1000.0, -0.5, 2.0]),
    "decimals": ([decimal.Decimal("1.5"), decimal.Decimal("2"), decimal.Decimal("4")], [1.5, 2.0, 4.0]),
    "float16": (np.array([1, 2, 4], dtype=np.float16), [1.0, 2.0, 4.0]),
    "longdouble": (np.array([1, 2, 4], dtype=np.longdouble), [1.0, 2.0, 4.0]),
    "objects": (np.array([1, 2.5, 4], dtype=object), [1.0, 2.5, 4.0]),
    "timedelta": (pd.Series(pd.to_timedelta([1, 2, 90], unit="s")), [1.0, 2.0, 90.0]),
    "interval": (pd.Series(pd.IntervalIndex.from_tuples([(0, 1), (1, 2), (2, 8)])), [0.5, 1.5, 5.0]),
    "arrow decimal": (pa.array([decimal.Decimal("1.5"), decimal.Decimal("2"), decimal.Decimal("4")]), [1.5, 2.0, 4.0]),
    "arrow time": (pa.array([datetime.time(0, 1), datetime.time(1), datetime.time(2)]), [60.0, 3600.0, 7200.0]),
    "sparse": (pd.Series(pd.arrays.SparseArray([0.0, 0.0, 3.0])), [0.0, 0.0, 3.0]),
    "huge integers": (np.array([2**70, 1, 2], dtype=object), [float(2**70), 1.0, 2.0]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_read_however_they_are_written(name: str) -> None:
    values, expected = NUMBERS[name]
    column, _ = read(values)
    assert column.kind == "numeric"
    assert column.values.tolist() == expected


def test_numbers_as_text_are_reported_with_what_could_not_be_read() -> None:
    column, found = read([str(i * 3 % 17 + 0.5) for i in range(60)] + [" ", "?", "soon"])
    assert column.kind == "numeric"
    assert np.isnan(column.values[-3:]).all()
    assert codes(found) == ["numbers-as-text"]
    assert "'soon'" in found[0].what


def test_codes_with_leading_zeros_are_no_numbers() -> None:
    assert read(["007", "013", "007", "100"])[0].kind == "category"


@pytest.mark.parametrize("token", ["", "  ", "?", "NA", "N/A", "nan", "NaN", "null"])
def test_missing_tokens_are_missing_in_features(token: str) -> None:
    column, _ = read(["a", "b", token, "a"])
    assert column.levels == ("a", "b")
    assert column.values.tolist() == [0, 1, -1, 0]


def test_the_word_none_is_a_level_and_the_object_none_is_missing() -> None:
    column, _ = read(np.array(["None", "b", None, "b"], dtype=object))
    assert column.levels == ("None", "b")
    assert column.values.tolist() == [0, 1, -1, 1]


def test_infinite_values_are_missing_and_reported() -> None:
    column, found = read([1.0, np.inf, -np.inf, 2.0])
    assert np.isnan(column.values).tolist() == [False, True, True, False]
    assert "2 values" in found[0].what


@pytest.mark.parametrize(
    "values",
    [
        np.array([True, False, True]),
        [True, False, True],
        pd.Series([True, False, True], dtype="boolean"),
        np.array([True, False, True], dtype=object),
    ],
)
def test_truth_values_are_a_category_of_two_levels(values: Any) -> None:
    column, _ = read(values)
    assert (column.kind, column.levels, column.values.tolist()) == ("category", (False, True), [1, 0, 1])


def test_missing_truth_values_are_missing() -> None:
    assert read(pd.Series([True, None, False], dtype="boolean"))[0].values.tolist() == [1, -1, 0]


def test_an_ordered_category_keeps_its_order_and_an_unordered_one_is_sorted() -> None:
    ordered = pd.Categorical(["low", "high", "low"], categories=["low", "mid", "high"], ordered=True)
    assert read(pd.Series(ordered))[0].levels == ("low", "high")
    loose = pd.Categorical(["low", "high", "low"], categories=["low", "mid", "high"])
    assert read(pd.Series(loose))[0].levels == ("high", "low")


def test_levels_are_plain_python_values() -> None:
    assert read(pd.Series(pd.Categorical([3, 1, 3])))[0].levels == (1, 3)
    days = pd.Series(pd.Categorical(pd.to_datetime(["2020-01-02", "2020-01-01", "2020-01-02"])))
    assert read(days)[0].levels == ("2020-01-01", "2020-01-02")
    assert read(days)[0].values.tolist() == [1, 0, 1]


DATES: dict[str, Any] = {
    "iso": ["2020-01-01", "2020-01-02", "2020-03-01"],
    "iso with time": ["2020-01-01T00:00:00", "2020-01-02T00:00:00", "2020-03-01T00:00:00"],
    "zoned": ["2020-01-01 01:00:00+01:00", "2020-01-02 00:00:00+00:00", "2020-02-29 19:00:00-05:00"],
    "UTC": ["2020-01-01 00:00:00 UTC", "2020-01-02 00:00:00 UTC", "2020-03-01 00:00:00 UTC"],
    "american": ["1/1/2020 0:00:00", "1/2/2020 0:00:00", "3/1/2020 0:00:00"],
    "german": ["01.01.2020", "02.01.2020", "01.03.2020"],
    "words": ["January 1, 2020", "January 2, 2020", "March 1, 2020"],
    "datetime64": np.array(["2020-01-01", "2020-01-02", "2020-03-01"], dtype="datetime64[D]"),
    "nanoseconds": pd.Series(np.array(["2020-01-01", "2020-01-02", "2020-03-01"], dtype="datetime64[ns]")),
    "pandas zoned": pd.Series(
        pd.to_datetime(["2020-01-01", "2020-01-02", "2020-03-01"]).tz_localize("UTC")
    ).dt.tz_convert("Asia/Tokyo"),
    "period": pd.Series(pd.PeriodIndex(["2020-01-01", "2020-01-02", "2020-03-01"], freq="D")),
    "objects": np.array(
        [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2), datetime.date(2020, 3, 1)], dtype=object
    ),
    "arrow date": pa.array([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2), datetime.date(2020, 3, 1)]),
}


@pytest.mark.parametrize("name", DATES)
def test_dates_become_utc_seconds(name: str) -> None:
    column, _ = read(DATES[name])
    assert column.kind == "datetime"
    assert column.values.tolist() == [1577836800.0, 1577923200.0, 1583020800.0]


def test_many_dates_are_read_as_one_alone_would_be() -> None:
    days = [f"{d % 28 + 1}.{m + 1}.{y}" for y in range(1960, 1970) for m in range(12) for d in range(28)]
    days[7] = "1969-12-31T23:59:59Z"
    column, _ = read(days)
    assert column.values[[0, 7]].tolist() == [-315619200.0, -1.0]
    assert not column.missing().any()


def test_days_after_the_twelfth_settle_the_order_of_day_and_month() -> None:
    assert codes(read(["01/02/2020", "25/12/2020", "03/04/2020"])[1]) == ["dates-as-text"]
    assert codes(read(["01/02/2020", "05/12/2020", "03/04/2020"])[1]) == ["dates-as-text", "dates-ambiguous"]


def test_far_years_and_missing_dates_are_read() -> None:
    column, _ = read(np.array(["0001-01-01", "NaT", "9999-12-31"], dtype="datetime64[s]"))
    assert np.isnan(column.values).tolist() == [False, True, False]
    assert column.values[2] > 2.5e11


def test_mixed_zones_are_read_as_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    values = [datetime.datetime(2020, 1, 1, 2, tzinfo=zone), datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC), None]
    assert read(values)[0].values[:2].tolist() == [1577836800.0, 1577923200.0]


def test_sentences_are_text_and_short_repeated_words_are_not() -> None:
    sentences = [f"the {i}th bird hit the left wing" for i in range(40)]
    assert read(sentences)[0].kind == "text"
    assert read(["no phone service", "one line only", "no phone service", "no phone service"])[0].kind == "category"
    assert (
        read(["これは良い本です。とても楽しかった", "悪い映画でした。見ないでください", "普通の料理、値段は高い"])[
            0
        ].kind
        == "text"
    )


def test_blank_text_is_missing() -> None:
    assert read(["a good long read", "   ", "one more fine sentence", "not a bad film"])[0].missing().tolist() == [
        False,
        True,
        False,
        False,
    ]


def test_picture_paths_and_picture_bytes_are_images() -> None:
    assert read(["a/1.png", "a/2.JPG", "b/3.jpeg"])[0].kind == "image"
    assert read([b"\x89PNG\r\n\x1a\n1", b"\x89PNG\r\n\x1a\n2", None])[0].kind == "image"
    assert read([b"red", b"blue", b"red"])[0].levels == ("blue", "red")


def test_mixed_types_are_read_by_what_most_are() -> None:
    column, found = read(np.array([1, "2", None, 4.0, "5", 6], dtype=object))
    assert column.kind == "numeric"
    assert codes(found) == ["types-mixed", "numbers-as-text"]
    column, _ = read(np.array([1, "b", 1.0, "b", "c", True], dtype=object))
    assert column.levels == ("1", "True", "b", "c")


def test_few_integers_stay_numbers() -> None:
    assert read([0, 1, 0, 1])[0].kind == "numeric"


def test_integers_beyond_float_precision_are_reported() -> None:
    assert codes(read(np.array([2**60, 5, 7]))[1]) == ["integers-large"]


def test_nullable_numbers_are_missing_where_they_are() -> None:
    for dtype in ("Int64", "Float32", "int64[pyarrow]", "UInt8"):
        column, _ = read(pd.Series([1, None, 3], dtype=dtype))
        assert np.isnan(column.values).tolist() == [False, True, False]


def test_text_of_any_content_is_kept() -> None:
    odd = [
        "nul \0 in the middle",
        "a lone \ud800 surrogate here",
        "x" * 100_000 + " and more words",
        "four plain words here",
    ]
    assert read(np.array(odd, dtype=object))[0].values.tolist() == odd


SECONDS = 1.7e9 + np.arange(200.0)


@pytest.mark.parametrize(
    ("values", "apart"),
    [
        (SECONDS, True),
        (np.where(np.arange(200) % 9, SECONDS, 0.0), True),
        (20240100 + np.arange(200) // 2, True),
        (103.8 + 1e-6 * np.arange(200), True),
        (1990 + np.arange(200), False),
        (np.linspace(0, 1, 200) ** 2, False),
        (np.full(200, np.nan), False),
    ],
)
def test_numbers_close_together_and_far_from_0_are_told_apart_in_float32(values: Any, apart: bool) -> None:
    intake = _intake(values)
    column = intake.table["f0"] if "f0" in intake.table.names else None
    assert bool(column is not None and column.offset) is apart
    if apart:
        matrix = intake.table.select(["f0"]).matrix()
        assert len(np.unique(matrix)) == len(np.unique(values))
        again, _ = Schema.from_state(intake.schema.to_state()).apply(pd.DataFrame({"x": values[:1], "other": 0.5}))
        assert again.select(["f0"]).matrix()[0] == matrix[0]
        assert again["f0"].values[0] == values[0]


NESTED: dict[str, Any] = {
    "arrow list": lambda n: pa.array([None] * n, pa.list_(pa.int64())),
    "arrow struct": lambda n: pa.array([None] * n, pa.struct([("a", pa.int64())])),
    "polars list": lambda n: pl.Series([None] * n, dtype=pl.List(pl.Int64)),
}


@pytest.mark.parametrize("kind", NESTED)
def test_a_nested_column_without_a_value_is_dropped_as_any_other(kind: str) -> None:
    intake = ingest({"a": NESTED[kind](20), "b": [k * k for k in range(20)], "y": [0, 1] * 10}, target="y")
    assert [(f.code, f.where) for f in intake.findings] == [("all-missing", "column 'a'")]


def test_run_ends_are_read_as_the_values_they_stand_for() -> None:
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 5, 6], pa.int32()), pa.array(["u", None, "v"]))
    column = ingest(pa.table({"a": runs, "y": [0, 1] * 3}), target="y").table.labelled("a")
    assert (column.levels, column.values.tolist()) == (("u", "v"), [0, 0, -1, -1, -1, 1])


def test_a_union_is_read_by_its_values() -> None:
    kinds, places = pa.array([0, 1] * 3, pa.int8()), pa.array([0, 0, 1, 1, 2, 2], pa.int32())
    union = pa.UnionArray.from_dense(kinds, places, [pa.array([1, 2, 1]), pa.array(["a", "a", "b"])])
    column = ingest(pa.table({"a": union, "y": [0, 1] * 3}), target="y").table.labelled("a")
    assert [column.levels[code] for code in column.values] == ["1", "a", "2", "a", "1", "b"]
