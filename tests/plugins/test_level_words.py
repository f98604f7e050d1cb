"""Categories whose names share words and forms: what one level teaches, levels like it are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contract import Column, Table

N = 800


@pytest.fixture(scope="module")
def tickets(as_data: Any) -> Any:
    """Nearly every row has a ticket of its own; the target hangs on its office, and on how long its number is."""
    rng = np.random.default_rng(0)
    office, long = rng.integers(0, 3, N), rng.integers(0, 2, N)
    names = [
        f"{'ABC'[o]}x/{rng.integers(100, 999) if k == 0 else rng.integers(10**5, 10**6)}"
        for o, k in zip(office, long, strict=True)
    ]
    levels = tuple(sorted(set(names)))
    codes = np.array([levels.index(name) for name in names], dtype=np.int32)
    data = as_data(np.zeros((N, 1)), office + 2.0 * long + 0.1 * rng.normal(size=N), "real", 1)
    return data, Table((Column("f0", "ticket", "category", codes, levels, "str"),), N)


def fitted(bench: Any, data: Any, table: Table, rows: Any) -> tuple[Any, Any]:
    part = data.rows(rows)
    encoder = bench.encoder("level-words")()
    return encoder, encoder.fit_transform(table.take(rows), part.y, bench.context(part))


def test_levels_never_seen_are_told_what_levels_like_them_taught(bench: Any, tickets: Any) -> None:
    data, table = tickets
    encoder, block = fitted(bench, data, table, np.arange(500))
    score = encoder.transform(table)[:, -1]
    assert np.corrcoef(score[500:], data.y[500:])[0, 1] > 0.95
    assert np.corrcoef(block[:, -1], data.y[:500])[0, 1] > 0.95


def test_names_without_a_piece_in_common_say_nothing_of_the_target(bench: Any, tickets: Any) -> None:
    data, _ = tickets
    words = tuple("".join(chr(97 + i // 26**k % 26) for k in range(3)) for i in range(N))
    table = Table((Column("f0", "word", "category", np.arange(N, dtype=np.int32), words, "str"),), N)
    _, block = fitted(bench, data, table, np.arange(N))
    np.testing.assert_array_equal(block[:, -1], 0.0)


def test_missing_and_unknown_levels_are_zeros(bench: Any, tickets: Any) -> None:
    data, table = tickets
    encoder, _ = fitted(bench, data, table, np.arange(N))
    strange = Column("f0", "ticket", "category", np.array([-1, 10**6], dtype=np.int32), table.columns[0].levels)
    np.testing.assert_array_equal(encoder.transform(Table((strange,), 2)), 0.0)


def test_without_a_target_there_is_no_score_and_nothing_fails(bench: Any, tickets: Any) -> None:
    data, table = tickets
    block = bench.encoder("level-words")().fit_transform(table, None, bench.context(data))
    assert block.shape[0] == N
    np.testing.assert_array_equal(block[:, -1], 0.0)
    few = bench.encoder("level-words")()
    one = few.fit_transform(table.take(np.array([0])), np.ones(1), bench.context(data))
    assert one.shape == few.transform(table.take(np.array([3]))).shape


def test_it_is_the_same_after_save_and_load(bench: Any, tickets: Any, tmp_path: Path) -> None:
    data, table = tickets
    encoder, _ = fitted(bench, data, table, np.arange(500))
    encoder.save(tmp_path)
    np.testing.assert_array_equal(type(encoder).load(tmp_path).transform(table), encoder.transform(table))


def test_digits_that_are_no_numbers_are_letters(bench: Any, tickets: Any) -> None:
    data, _ = tickets
    levels = tuple(f"No {sign} {i}" for i, sign in enumerate("²③x" * 14))
    codes = (np.arange(N) % len(levels)).astype(np.int32)
    _, block = fitted(bench, data, Table((Column("f0", "n", "category", codes, levels, "str"),), N), np.arange(N))
    assert np.isfinite(block).all()


def test_only_text_with_many_levels_is_read(bench: Any, tickets: Any) -> None:
    block, column = bench.encoder("level-words"), tickets[1].columns[0]
    assert block.accepts(column, {})
    assert not block.accepts(Column("f0", "few", "category", column.values, column.levels[:20]), {})
    assert not block.accepts(Column("f0", "codes", "category", column.values, tuple(range(500))), {})
