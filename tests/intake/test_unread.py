"""Values of a later table that cannot be read are told, once a call; what merely is missing is not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.intake import Schema, UnreadValues, ingest

N = 60


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 365, N), unit="D")
    return pd.DataFrame(
        {
            "fee": rng.uniform(10, 60, N),
            "cost": [f"$ {value:.2f}" for value in rng.uniform(10, 60, N)],
            "since": days.strftime("%Y-%m-%d"),
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**6, N), unit="s"),
            "member": rng.random(N) < 0.5,
            "town": rng.choice(["Ulm", "Bern", "Rom"], N),
            "y": rng.normal(size=N),
        }
    )


@pytest.fixture
def schema() -> Schema:
    return ingest(frame(), target="y").schema


def said(schema: Schema, **columns: Any) -> list[str]:
    """The warnings for a table of all columns, of which some hold other values."""
    rows = max(len(values) for values in columns.values())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        schema.apply(frame().drop(columns="y").head(rows).assign(**columns))
    assert all(warning.category is UnreadValues for warning in caught)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("column", "values", "wanted", "become"),
    [
        ("fee", ["EUR 30.65", "EUR 7"], "numbers", "missing"),
        ("fee", pd.Categorical(["EUR 30.65", "EUR 7"]), "numbers", "missing"),
        ("cost", ["abc", "def"], "numbers", "missing"),
        ("since", ["31/12/2023", "30/12/2023"], "dates", "missing"),
        ("since", [3, 4], "dates", "missing"),
        ("when", ["soon", "late"], "dates", "missing"),
        ("member", ["yes", "no"], "True or False", "unknown"),
    ],
    ids=str,
)
def test_values_that_cannot_be_read_are_told(
    schema: Schema, column: str, values: Any, wanted: str, become: str
) -> None:
    (line,) = said(schema, **{column: values})
    assert line.startswith(f"column {column}: 2 of 2 values could not be read as {wanted}, like ")
    assert line.endswith(f"and count as {become}")


def test_one_warning_tells_all_columns_and_counts_the_values_that_are_there(schema: Schema) -> None:
    (line,) = said(schema, fee=["12", "abc", "", None, "n/a"], since=["2023-05-01", "?", "May", None, "2023-05-02"])
    assert "column fee: 1 of 2 values could not be read as numbers, like 'abc'" in line
    assert "column since: 1 of 3 values could not be read as dates, like 'May'" in line


def test_what_is_missing_or_new_or_can_be_read_is_not_told(schema: Schema) -> None:
    fine: dict[str, Any] = {
        "fee": ["12", "NA", " ", None],
        "cost": [12.5, np.inf, np.nan, 3.0],
        "since": ["2023-05-01", "2023-05-01T10:00", "?", None],
        "member": ["true", "False", "1", None],
        "town": ["Paris", None, "Ulm", "Bern"],
    }
    assert said(schema, **fine) == []


@pytest.mark.parametrize(("column", "value"), [("fee", "abc"), ("since", "31/12/2023"), ("member", "yes")])
def test_one_row_alone_is_told_too_each_time(schema: Schema, column: str, value: str) -> None:
    row = frame().drop(columns="y").head(1).astype({"member": object})
    schema.apply(row)
    for _ in range(2):
        with pytest.warns(UnreadValues, match=rf"column {column}: 1 of 1 values could not be read"):
            schema.apply(row.assign(**{column: [value]}))


def test_the_warning_is_at_the_line_that_gave_the_data(schema: Schema) -> None:
    with pytest.warns(UnreadValues) as caught:
        schema.apply(frame().drop(columns="y").assign(fee="abc"))
    assert caught[0].filename == __file__
