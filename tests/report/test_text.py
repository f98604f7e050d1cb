"""Names from strangers and figures, as text that is safe to print."""

from __future__ import annotations

import math

import pytest

from automl.report.text import bar, duration, figure, plain

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "up\x1b[2Aline",
    "bell\x07",
    "carriage\rreturn",
    "new\nline",
    "c1\x9b31m",
    "bidi\u202eevil",
    "isolate\u2066x",
    "zero\u200bwidth",
    "\ud800lone",
    "separator\u2028x",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_characters_are_shown_as_escapes(name: str) -> None:
    shown = plain(name)
    assert shown.isprintable()
    assert shown.encode("utf-8")
    assert "\\" in shown


def test_ordinary_names_of_any_script_stay_as_they_are() -> None:
    for name in ("age", "Größe (cm)", "名前", "[bold]", "a=b; c", "naïve 🙂"):
        assert plain(name) == name


def test_long_names_are_cut() -> None:
    assert len(plain("x" * 10_000)) == 200
    assert plain("x" * 10_000, 10) == "x" * 9 + "…"


def test_other_values_are_named_by_their_text() -> None:
    assert plain(("a", 1)) == "('a', 1)"
    assert plain(None) == "None"


@pytest.mark.parametrize(
    ("value", "text"), [(0.91234567, "0.91235"), (-12345.6, "-12346"), (0.0, "0"), (None, "–"), (math.nan, "–")]
)
def test_a_score_has_five_digits(value: float | None, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0123, "+0.0123"), (-0.5, "-0.5"), (0.0, "0"), (math.nan, "–")])
def test_a_lift_has_its_sign(value: float, text: str) -> None:
    assert figure(value, signed=True) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4213, "0.42 s"),
        (37.4, "37 s"),
        (125, "2:05 min"),
        (3725, "1:02:05 h"),
        (math.inf, "–"),
        (math.nan, "–"),
        (-1, "0 s"),
    ],
)
def test_durations_read_as_a_person_says_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_bar_is_as_long_as_its_share() -> None:
    assert bar(1, 1, 4) == "████"
    assert bar(1, 2, 4) == "██"
    assert bar(1, 32, 4) == "▏"
    assert bar(5, 1, 4) == "████"


@pytest.mark.parametrize(("value", "largest"), [(0, 1), (-1, 1), (1, 0), (math.nan, 1), (1, math.nan), (1, math.inf)])
def test_a_bar_of_nothing_is_empty(value: float, largest: float) -> None:
    assert bar(value, largest) == ""
