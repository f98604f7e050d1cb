"""Columns that teach nothing are dropped, with a finding; columns that might are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.contract import Finding
from automl.intake import ingest

N = 60
RNG = np.random.default_rng(0)


def fate(values: Any, label: str = "x", n: int = N) -> str:
    """The code under which the column was dropped, or "kept"."""
    intake = ingest({"other": np.sqrt(np.arange(n)), label: values, "y": [0, 1] * (n // 2)}, target="y")
    dropped: list[Finding] = [f for f in intake.findings if f.done == "dropped"]
    assert (label in intake.schema.labels) is not bool(dropped)
    return dropped[0].code if dropped else "kept"


WORDS = [f"c{i:04d}" for i in range(N)]
FATES: dict[str, tuple[str, Any, str]] = {
    "constant number": ("constant", [3.0] * N, "x"),
    "constant word": ("constant", ["a"] * N, "x"),
    "nothing but missing": ("all-missing", [None] * N, "x"),
    "nothing but tokens": ("all-missing", ["?", ""] * (N // 2), "x"),
    "duplicate": ("duplicate", np.sqrt(np.arange(N)), "z"),
    "unique words": ("id-like", WORDS, "x"),
    "row numbers": ("id-like", np.arange(N), "x"),
    "row numbers from the last": ("id-like", np.arange(N)[::-1], "x"),
    "shuffled row numbers": ("id-like", RNG.permutation(N), "Unnamed: 0"),
    "shuffled numbers of rows": ("id-like", RNG.permutation(N), "row_no"),
    "a rank": ("kept", RNG.permutation(N), "world_rank"),
    "numbers called id": ("id-like", np.arange(N) ** 3, "CustomerId"),
    "numbers called PID": ("id-like", np.arange(N) ** 3, "PID"),
    "one value or missing": ("kept", ["a", None] * (N // 2), "x"),
    "unique integers": ("kept", np.arange(N) ** 3, "income"),
    "unique floats in order": ("kept", np.arange(N, dtype=float), "x"),
    "unique floats called id": ("kept", np.arange(N, dtype=float), "id"),
    "words with repeats": ("kept", WORDS[:-1] + WORDS[:1], "x"),
    "one word among missing": ("kept", ["a"] + [None] * (N - 1), "x"),
    "sentences": ("kept", [f"this is sentence number {word}" for word in WORDS], "x"),
}


@pytest.mark.parametrize("name", FATES)
def test_each_column_meets_its_fate(name: str) -> None:
    code, values, label = FATES[name]
    assert fate(values, label) == code


def test_small_tables_keep_what_looks_like_an_id() -> None:
    assert fate(WORDS[:40], n=40) == "kept"
    assert fate(np.arange(40), "id", n=40) == "kept"


def test_a_column_with_a_role_is_never_dropped() -> None:
    intake = ingest(
        {"user": WORDS, "x": RNG.normal(size=N), "y": [0, 1] * (N // 2)}, target="y", roles={"user": "user"}
    )
    assert intake.table[intake.roles["user"]].kind == "category"


def test_the_last_column_is_kept_even_if_it_looks_like_an_id() -> None:
    intake = ingest(np.arange(N).reshape(-1, 1), np.sin(np.arange(N)))
    assert intake.schema.labels == (0,)
    assert [(f.code, f.done) for f in intake.findings] == [("id-like", "kept: no other column is left")]


def test_many_drops_for_one_reason_are_one_finding() -> None:
    data = {f"c{i}": [None] * N for i in range(30)} | {"x": np.sqrt(np.arange(N)), "y": [0, 1] * (N // 2)}
    found = ingest(data, target="y").findings
    assert [f.code for f in found] == ["all-missing"]
    assert "20 more" in found[0].where


def test_a_task_with_its_own_roles_needs_no_features() -> None:
    intake = ingest({"when": np.arange(N), "y": np.sin(np.arange(N))}, target="y", time="when")
    assert intake.schema.labels == ()
