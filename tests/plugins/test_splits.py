"""Folds keep their promises: shares, groups, and the order of time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from automl.plugins.tabular import splits
from automl.plugins.tabular.splits import forward, group_codes, grouped, quantile_strata, stratified, time_values

from automl.contract import Column, DataError, Fold, FoldPlan, IntArray


def covers(folds: list[Fold], n: int) -> bool:
    """Is every row validated on exactly once, and learnt from otherwise?"""
    valid = np.concatenate([fold.valid for fold in folds])
    whole = all(len(np.union1d(f.train, f.valid)) == n and not len(np.intersect1d(f.train, f.valid)) for f in folds)
    return whole and sorted(valid.tolist()) == list(range(n))


def codes(seed: int, n: int, shares: list[float]) -> IntArray:
    return np.random.default_rng(seed).choice(len(shares), n, p=shares).astype(np.int64)


@pytest.mark.parametrize("n_folds", [2, 3, 5, 8])
def test_every_row_is_validated_once_and_shares_are_kept(n_folds: int) -> None:
    strata = codes(0, 400, [0.6, 0.3, 0.1])
    folds = stratified(strata, FoldPlan(n_folds, seed=4))
    assert len(folds) == n_folds
    assert covers(folds, 400)
    for code in range(3):
        counts = [int((strata[fold.valid] == code).sum()) for fold in folds]
        assert max(counts) - min(counts) <= 1


def test_a_class_with_one_row_is_always_learnt_from() -> None:
    strata = np.array([0] * 20 + [1] * 20 + [2], dtype=np.int64)
    for fold in stratified(strata, FoldPlan(4)):
        assert 40 in fold.train
        assert 40 not in fold.valid


def test_a_class_with_two_rows_is_in_two_folds() -> None:
    strata = np.array([0] * 30 + [1, 1], dtype=np.int64)
    held = [set(fold.valid.tolist()) & {30, 31} for fold in stratified(strata, FoldPlan(5))]
    assert sorted(len(one) for one in held) == [0, 0, 0, 1, 1]


def test_one_fold_is_a_stratified_holdout() -> None:
    strata = codes(1, 1000, [0.8, 0.2])
    (fold,) = stratified(strata, FoldPlan(1, holdout=0.2))
    assert len(fold.valid) == pytest.approx(200, abs=5)
    assert (strata[fold.valid] == 1).mean() == pytest.approx((strata == 1).mean(), abs=0.01)


def test_the_seed_decides_the_shuffle_and_nothing_else_does() -> None:
    strata = codes(2, 100, [0.5, 0.5])
    one, two = (stratified(strata, FoldPlan(5, seed=7)) for _ in range(2))
    other = stratified(strata, FoldPlan(5, seed=8))
    assert all((a.valid == b.valid).all() for a, b in zip(one, two, strict=True))
    assert any(a.valid.tolist() != b.valid.tolist() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_very_few_rows_still_make_folds_with_two_sides(n: int) -> None:
    for fold in stratified(np.arange(n, dtype=np.int64) % 2, FoldPlan(2)):
        assert len(fold.train)
        assert len(fold.valid)


@pytest.mark.parametrize("n_folds", [1, 2, 5])
def test_a_group_is_never_on_both_sides(n_folds: int) -> None:
    rng = np.random.default_rng(0)
    groups, strata = rng.integers(0, 30, 300), codes(0, 300, [0.7, 0.3])
    folds = grouped(groups, strata, FoldPlan(n_folds, seed=1))
    assert len(folds) == n_folds
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.valid])
    assert n_folds == 1 or covers(folds, 300)


@pytest.mark.parametrize("n_folds", [1, 5])
def test_thousands_of_groups_are_kept_whole_in_folds_of_equal_size(n_folds: int) -> None:
    rng = np.random.default_rng(0)
    groups = rng.geometric(0.0003, 12_000).astype(np.int64)
    strata = rng.integers(0, 2, 12_000)
    folds = grouped(groups, strata, FoldPlan(n_folds, holdout=0.2, seed=1))
    assert len(folds) == n_folds
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.valid])
        assert abs(len(fold.valid) - 2400) <= 12
        assert abs(strata[fold.valid].mean() - 0.5) < 0.05
    again = grouped(groups, strata, FoldPlan(n_folds, holdout=0.2, seed=2))
    assert set(again[0].valid) != set(folds[0].valid)


def test_fine_strata_of_many_rows_are_joined_before_groups_are_balanced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "_BALANCED", 1.0)
    values = np.random.default_rng(0).normal(size=4000)
    groups = np.arange(4000) % 50
    folds = splits.grouped(groups, splits.quantile_strata(values, FoldPlan(5)), FoldPlan(5))
    assert sum(len(fold.valid) for fold in folds) == 4000
    assert all(not set(groups[fold.train]) & set(groups[fold.valid]) for fold in folds)
    assert len(np.unique(splits._coarser(np.arange(4000) // 8, 20))) == 20


def test_fewer_groups_than_folds_make_fewer_folds() -> None:
    groups = np.repeat(np.arange(3), 20)
    assert len(grouped(groups, codes(0, 60, [0.5, 0.5]), FoldPlan(8))) == 3


@pytest.mark.filterwarnings("error")
def test_groups_with_rare_or_single_row_classes_split_without_warnings() -> None:
    groups = np.repeat(np.arange(10), 6)
    strata = np.array([0] * 40 + [1] * 17 + [2, 2, 3], dtype=np.int64)
    assert covers(grouped(groups, strata, FoldPlan(5)), 60)
    assert covers(grouped(groups, np.arange(60, dtype=np.int64), FoldPlan(5)), 60)


def test_one_group_is_refused() -> None:
    with pytest.raises(DataError, match="groups-one"):
        grouped(np.zeros(20, dtype=np.int64), codes(0, 20, [0.5, 0.5]), FoldPlan(3))


@pytest.mark.parametrize("n_folds", [1, 2, 4])
def test_the_past_is_learnt_from_and_what_follows_is_validated_on(n_folds: int) -> None:
    times = np.random.default_rng(0).integers(0, 60, 300).astype(float)
    folds = forward(times, FoldPlan(n_folds))
    assert len(folds) == n_folds
    for fold in folds:
        assert times[fold.train].max() < times[fold.valid].min()
    for early, late in itertools.pairwise(folds):
        assert set(early.train) | set(early.valid) == set(late.train)
    assert times[folds[-1].valid].max() == times.max()


def test_two_moments_are_enough() -> None:
    times = np.repeat([1.0, 2.0], 10)
    for n_folds in (1, 5):
        (fold,) = forward(times, FoldPlan(n_folds))
        assert (times[fold.train].max(), times[fold.valid].min()) == (1.0, 2.0)


def test_time_that_stands_still_is_refused() -> None:
    with pytest.raises(DataError, match="time-constant"):
        forward(np.ones(10), FoldPlan(3))


def test_a_time_column_must_be_ordered_and_complete() -> None:
    words = Column("f0", "when", "category", np.zeros(3, dtype=np.int32), ("monday",))
    gaps = Column("f0", "when", "datetime", np.array([1.0, np.nan, 3.0]))
    with pytest.raises(DataError, match="time-unordered"):
        time_values(words)
    with pytest.raises(DataError, match=r"rows \[1\] have no time"):
        time_values(gaps)


def test_groups_of_any_kind_get_numbers() -> None:
    words = Column("f0", "g", "category", np.array([0, 1, -1, 0], dtype=np.int32), ("a", "b"))
    numbers = Column("f0", "g", "numeric", np.array([7.0, 3.0, np.nan, 7.0]))
    texts = Column("f0", "g", "text", np.array(["x", "y", None, "x"], dtype=object))
    for column in (words, numbers, texts):
        found = group_codes(column)
        assert found.dtype == np.int64
        assert found[0] == found[3]
        assert len(set(found.tolist())) == 3


@pytest.mark.parametrize("n", [2, 5, 39, 40, 41, 400])
def test_every_fold_sees_the_whole_range_of_a_number(n: int) -> None:
    values = np.random.default_rng(0).exponential(size=n)
    plan = FoldPlan(5)
    strata = quantile_strata(values, plan)
    assert len(strata) == n
    folds = stratified(strata, plan)
    assert all(len(fold.valid) for fold in folds)
    if n >= 40:
        medians = [np.median(values[fold.valid]) for fold in folds]
        assert max(medians) - min(medians) < 0.5 * values.std() + 0.5
