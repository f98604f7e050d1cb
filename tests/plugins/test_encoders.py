"""What each encoder owes: shape, memory of what it learnt, and no look at a row's own target."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contract import Column, Table

ENCODERS = ("datetime-parts", "ordinal-codes", "one-hot", "target-mean", "scaled-numeric", "tf-idf", "tf-idf-svd")


def _dense(block: Any) -> Any:
    return block.toarray() if hasattr(block, "toarray") else block


def _columns(bench: Any, name: str, table: Table) -> Table:
    encoder = bench.encoder(name)
    return Table(tuple(c for c in table if encoder.accepts(c, encoder().params)), len(table))


def _category(codes: Any, n_levels: int = 3) -> Table:
    column = Column("f0", "c", "category", np.asarray(codes, dtype=np.int32), tuple(range(n_levels)))
    return Table((column,), len(column))


@pytest.mark.parametrize("name", ENCODERS)
def test_a_saved_encoder_gives_the_same_matrix(
    bench: Any, problems: Mapping[str, Any], name: str, tmp_path: Path
) -> None:
    data = problems["three"]
    train = data.rows(np.arange(160))
    columns = _columns(bench, name, data.table)
    encoder = bench.encoder(name)()
    first = encoder.fit_transform(columns.take(np.arange(160)), train.y, bench.context(train))
    rest = encoder.transform(columns.take(np.arange(160, 240)))
    assert first.dtype == rest.dtype == np.float32
    assert first.shape == (160, rest.shape[1])
    assert np.isfinite(_dense(rest)).all()
    encoder.save(tmp_path)
    again = type(encoder).load(tmp_path).transform(columns.take(np.arange(160, 240)))
    np.testing.assert_array_equal(_dense(again), _dense(rest))


@pytest.mark.parametrize("name", ENCODERS)
def test_a_row_is_encoded_alone_as_in_a_batch(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = problems["real"]
    columns = _columns(bench, name, data.table)
    encoder = bench.encoder(name)()
    encoder.fit_transform(columns, data.y, bench.context(data))
    together = _dense(encoder.transform(columns))
    for row in (0, 7, 239):
        alone = _dense(encoder.transform(columns.take(np.array([row]))))
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in ENCODERS if n != "target-mean"])
def test_training_rows_are_encoded_as_new_rows_would_be(bench: Any, problems: Mapping[str, Any], name: str) -> None:
    data = problems["two"]
    columns = _columns(bench, name, data.table)
    encoder = bench.encoder(name)()
    learnt = _dense(encoder.fit_transform(columns, data.y, bench.context(data)))
    np.testing.assert_allclose(_dense(encoder.transform(columns)), learnt, atol=1e-6)


@pytest.mark.parametrize("view", ["matrix", "columns"])
def test_every_kind_of_column_has_a_default(bench: Any, problems: Mapping[str, Any], view: str) -> None:
    passed = () if view == "matrix" else ("numeric", "category")
    encoders = [bench.encoder(name) for name in ENCODERS if view in bench.encoder(name).default_for]
    for column in problems["two"].table:
        assert column.kind in passed or any(e.accepts(column, e().params) for e in encoders)


def test_target_means_do_not_see_a_rows_own_target(bench: Any, make: Any) -> None:
    data = make("real", n=300)
    encoder, ctx = bench.encoder("target-mean"), bench.context(data)
    lone = encoder().fit_transform(_category(np.arange(300), 300), data.y, ctx)
    np.testing.assert_array_equal(lone, 0)
    pairs = encoder().fit_transform(_category(np.arange(300) % 150, 150), data.y, ctx)[:, 0]
    assert np.corrcoef(pairs, data.y)[0, 1] < 0.2


def test_what_is_learnt_out_of_fold_sees_no_row_of_the_same_group(bench: Any, make: Any) -> None:
    data, encoder = make("real", n=300), bench.encoder("target-mean")
    groups = np.repeat(np.arange(60), 5)
    ctx = replace(bench.context(data), groups=groups)
    of_groups = encoder().fit_transform(_category(groups, 60), data.y, ctx)
    np.testing.assert_array_equal(of_groups, 0)
    parts = ctx.parts(300, 5)
    assert all(len(set(parts[groups == group])) == 1 for group in range(60))
    assert np.bincount(parts).tolist() == [60] * 5
    alone = replace(ctx, groups=np.zeros(300, dtype=np.int64)).parts(300, 5)
    assert np.bincount(alone).tolist() == [60] * 5


def test_a_class_of_one_group_is_not_given_away_by_scores_of_its_own(bench: Any, make: Any) -> None:
    rng = np.random.default_rng(0)
    words = np.array(["red", "green", "blue", "black"])
    text = np.array([" ".join(rng.choice(words, 4)) for _ in range(120)], dtype=object)
    groups = np.repeat(np.arange(6), 20)
    y = (groups > 0).astype(np.int64)
    table = Table((Column("f0", "t", "text", text),), 120)
    ctx = bench.context(replace(make("class_proba", 2), table=table, y=y))
    encoder = bench.encoder("text-scores")()
    scores = encoder.fit_transform(table, y, replace(ctx, groups=groups))[:, -1]
    assert scores.min() > -5
    assert scores[y == 0].max() > scores[y == 1].min()


def test_target_means_follow_the_target_and_forget_rare_levels(bench: Any, make: Any) -> None:
    data = make("class_proba", 2, n=200)
    codes = np.repeat([0, 1, 2, 3], [98, 98, 3, 1])
    y = np.array([0] * 98 + [1] * 98 + [1, 1, 1, 0])
    encoder = bench.encoder("target-mean")()
    encoder.fit_transform(_category(codes, 5), y, bench.context(data))
    low, high, rare, _, unseen, missing = encoder.transform(_category([0, 1, 2, 3, 4, -1], 5))[:, 0]
    assert low < 0 < rare < high
    assert unseen == missing == 0


def test_many_classes_give_at_most_ten_target_means(bench: Any, make: Any) -> None:
    data = make("class_proba", 14, n=400)
    block = bench.encoder("target-mean")().fit_transform(_category(data.y % 3), data.y, bench.context(data))
    assert block.shape == (400, 10)


def test_one_hot_marks_known_levels_and_leaves_unknown_ones_blank(bench: Any, make: Any) -> None:
    encoder = bench.encoder("one-hot")()
    block = encoder.fit_transform(_category([0, 1, 0, -1], 4), None, bench.context(make("real", n=4)))
    np.testing.assert_array_equal(block, [[0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(encoder.transform(_category([2, 3, 1], 4)), [[0, 0, 0], [0, 0, 0], [0, 0, 1]])


def test_one_hot_leaves_wide_categories_to_others(bench: Any) -> None:
    wide = Column("f0", "c", "category", np.zeros(1, dtype=np.int32), tuple(range(31)))
    encoder = bench.encoder("one-hot")
    assert not encoder.accepts(wide, {})
    assert encoder.accepts(wide, {"max_levels": 40})


def test_dates_become_calendar_parts(bench: Any, make: Any) -> None:
    stamps = np.array(["1969-12-31T23:30", "2000-02-29T12:00", "2024-03-01T00:00"], dtype="datetime64[s]")
    column = Column("f0", "d", "datetime", stamps.astype(np.int64).astype(np.float64))
    encoder = bench.encoder("datetime-parts")()
    block = encoder.fit_transform(Table((column,), 3), None, bench.context(make("real", n=3)))
    parts = block * encoder.scale[0] + encoder.center[0]
    wanted = [[1969, 12, 31, 2, 23], [2000, 2, 29, 1, 12], [2024, 3, 1, 4, 0]]
    np.testing.assert_allclose(parts[:, :5], wanted, atol=1e-3)


def test_days_between_two_dates_of_a_row_are_features(bench: Any, make: Any) -> None:
    day = 86_400.0
    start = np.array([0.0, 10.0, 20.0, np.nan, 500.0]) * day
    ends = start + np.array([0.0, 0.5, 1.0, 1.5, 2.0]) * day
    columns = tuple(Column(f"f{i}", f"d{i}", "datetime", values) for i, values in enumerate([start, ends]))
    encoder = bench.encoder("datetime-parts")()
    table, ctx = Table(columns, 5), bench.context(make("real", n=5))
    between = encoder.fit_transform(table, None, ctx)[:, -1]
    assert between[3] == 0
    assert np.all(np.diff(between[[0, 1, 2, 4]]) > 0)
    told = encoder.describe(table)[-1]
    assert (told.column, told.part) == ("d1", "days since 'd0'")
    alone = bench.encoder("datetime-parts")()
    assert alone.fit_transform(Table(columns[1:], 5), None, ctx).shape == (5, 7)


def test_scaled_numbers_are_bent_filled_and_marked(bench: Any, make: Any) -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 1e12, np.nan, np.nan])
    flat = np.array([5.0] * 7 + [np.nan])
    table = Table((Column("f0", "a", "numeric", values), Column("f1", "b", "numeric", flat)), 8)
    block = bench.encoder("scaled-numeric")().fit_transform(table, None, bench.context(make("real", n=8)))
    assert np.abs(block[:, 0]).max() <= 3.0
    np.testing.assert_array_equal(block[6:, 0], 0)
    np.testing.assert_array_equal(block[:, 1], 0)
    np.testing.assert_array_equal(block[:, 2], [0, 0, 0, 0, 0, 0, 1, 1])


def test_texts_with_the_same_words_are_close(bench: Any, make: Any) -> None:
    texts = np.array(["a good red car", "a good red car", "the weather is bad", None, ""] * 10, dtype=object)
    table = Table((Column("f0", "t", "text", texts),), 50)
    encoder = bench.encoder("tf-idf")()
    block = encoder.fit_transform(table, None, bench.context(make("real", n=50)))
    likeness = (block @ block.T).toarray()
    np.testing.assert_allclose(likeness[0, :5], [1, 1, 0, 0, 0], atol=1e-6)
    assert "red car" in encoder.vocabularies[0]


def test_texts_without_a_word_in_common_still_have_a_length(bench: Any, make: Any) -> None:
    texts = np.array([None, "", "?"] * 5, dtype=object)
    table = Table((Column("f0", "t", "text", texts),), 15)
    block = bench.encoder("tf-idf-svd")().fit_transform(table, None, bench.context(make("real", n=15)))
    assert block.shape == (15, 1)


def test_words_of_a_part_come_from_the_whole_which_is_read_once(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = importlib.import_module(bench.encoder("tf-idf").__module__.rpartition(".")[0] + ".words")
    texts = np.array(["a red house", None, "the house is red, red", "a blue house", ""] * 20, dtype=object)
    column = Column("f0", "said", "text", texts)
    parts = [np.arange(80), np.arange(80, 100), np.array([7, 3, 3])]
    alone = [words.words_of(column.over(texts[rows])) for rows in parts]
    read: list[int] = []
    read_all = words._read

    def counted(given: Any) -> Any:
        read.append(len(given))
        return read_all(given)

    monkeypatch.setattr(words, "_read", counted)
    for rows, other in zip(parts, alone, strict=True):
        found = words.words_of(column.take(rows))
        told = [
            {(row, w.term(place)): count for row, place, count in zip(w.rows, w.places, w.counts, strict=True)}
            for w in (found, other)
        ]
        assert told[0] == told[1]
        np.testing.assert_array_equal(found.lengths, other.lengths)
    assert read == [100]
    assert [found.term(found.place(term)) for term in ("red", "is red")] == ["red", "is red"]
    assert [found.place(term) for term in ("green", "red blue", "blue green")] == [-1, -1, -1]
