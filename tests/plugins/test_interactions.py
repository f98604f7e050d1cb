"""Features of two columns: the ones that the target hangs on are found, and nothing of a row's target is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from automl.plugins.encoders.screening import Screen, binned

from automl.contract import Column, Table

N = 1500


def numbers(X: Any) -> list[Column]:
    return [Column(f"f{i}", f"x{i}", "numeric", values) for i, values in enumerate(X.T)]


def category(name: str, codes: Any) -> Column:
    return Column(name, name, "category", codes.astype(np.int32), tuple(range(int(codes.max()) + 1)))


@pytest.fixture(scope="module")
def drawn() -> Mapping[str, Any]:
    """Five positive numbers, a category of six levels and one of 300."""
    rng = np.random.default_rng(0)
    return {
        "X": rng.uniform(1, 5, (N, 5)),
        "few": rng.integers(0, 6, N),
        "many": rng.integers(0, 300, N),
        "noise": rng.normal(size=N),
    }


def fitted(bench: Any, as_data: Any, columns: list[Column], y: Any) -> tuple[Any, Table, Any]:
    """The encoder, its columns, and what the training rows are given."""
    data = as_data(np.zeros((len(y), 1)), y, "real", 1)
    encoder, table = bench.encoder("interactions")(), Table(tuple(columns), len(y))
    return encoder, table, encoder.fit_transform(table, y, bench.context(data))


@pytest.mark.parametrize(("op", "apply"), [("/", np.divide), ("*", np.multiply), ("-", np.subtract)])
def test_the_pair_of_numbers_that_matters_is_found(bench: Any, as_data: Any, drawn: Any, op: str, apply: Any) -> None:
    X = drawn["X"]
    y = np.abs(apply(X[:, 1], X[:, 3]) - np.median(apply(X[:, 1], X[:, 3]))) + 0.1 * drawn["noise"]
    encoder, _, block = fitted(bench, as_data, numbers(X), y)
    assert [op, 1, 3] in encoder.ops
    position = encoder.ops.index([op, 1, 3])
    in_order = block[np.argsort(apply(X[:, 1], X[:, 3])), position]
    assert (np.diff(in_order) >= 0).all()
    assert np.abs(in_order).max() < 3


def test_a_number_is_put_against_its_group(bench: Any, as_data: Any, drawn: Any) -> None:
    few = drawn["few"]
    x = 10.0 * few + drawn["X"][:, 0]
    y = np.sin(3 * drawn["X"][:, 0]) + 0.1 * drawn["noise"]
    encoder, _, _ = fitted(bench, as_data, [*numbers(x[:, None]), category("few", few)], y)
    assert any(a == 1 and b == 0 for _, a, b in encoder.ops)


def test_many_levels_become_target_means_that_new_rows_look_up(bench: Any, as_data: Any, drawn: Any) -> None:
    many = drawn["many"]
    y = (many % 7) + 0.1 * drawn["noise"]
    encoder, table, block = fitted(bench, as_data, [*numbers(drawn["X"]), category("many", many)], y)
    position = [op for op, _, _ in encoder.ops].index("target mean")
    new = encoder.transform(table)[:, position]
    assert np.corrcoef(new, y)[0, 1] > 0.9
    assert 0.5 < np.corrcoef(block[:, position], y)[0, 1] < np.corrcoef(new, y)[0, 1]
    unseen = Table((*table.columns[:-1], category("many", np.full(N, 5000))), N)
    nothing = encoder.transform(unseen)[:, position]
    assert len(np.unique(nothing)) == 1
    assert new.min() < nothing[0] < new.max()


def test_noise_brings_few_features_and_no_target_none(bench: Any, as_data: Any, drawn: Any) -> None:
    columns = [*numbers(drawn["X"]), category("few", drawn["few"])]
    assert fitted(bench, as_data, columns, drawn["noise"])[2].shape[1] <= 3
    assert fitted(bench, as_data, columns, np.ones(N))[2].shape == (N, 0)
    table = Table(tuple(columns), N)
    ctx = bench.context(as_data(drawn["X"], drawn["noise"], "real", 1))
    assert bench.encoder("interactions")().fit_transform(table, None, ctx).shape == (N, 0)


@pytest.mark.parametrize("name", ["two", "three", "real"])
def test_it_is_the_same_after_save_and_load(bench: Any, problems: Mapping[str, Any], name: str, tmp_path: Path) -> None:
    data, encoder = problems[name], bench.encoder("interactions")()
    table = data.table.of_kind(encoder.kinds)
    block = encoder.fit_transform(table, data.y, bench.context(data))
    assert block.dtype == np.float32
    assert block.shape[1] > 0
    encoder.save(tmp_path)
    again = type(encoder).load(tmp_path)
    np.testing.assert_array_equal(again.transform(table), encoder.transform(table))
    assert again.ops == encoder.ops


def test_it_can_add_only_where_there_is_something_to_combine(bench: Any, drawn: Any) -> None:
    block, X = bench.encoder("interactions"), drawn["X"]
    few, many = category("few", drawn["few"]), category("many", drawn["many"])
    assert block.can_add(numbers(X[:, :2]), {})
    assert block.can_add([*numbers(X[:, :1]), few], {})
    assert block.can_add([many], {})
    assert not block.can_add(numbers(X[:, :1]), {})
    assert not block.can_add([few, few], {})


def test_a_screen_knows_a_single_effect_and_takes_it_out(drawn: Any) -> None:
    X = drawn["X"]
    y = X[:, :1] + X[:, 1:2] * X[:, 2:3]
    screen = Screen(numbers(X), y, seed=0)
    assert screen.strongest(range(5), 3) == [0, 1, 2]
    assert screen.worth(*screen.codes[0]) < 0.01
    assert screen.worth(*binned((X[:, 1] - 3) * (X[:, 2] - 3))) > 0.5
    assert screen.worth(np.random.default_rng(1).integers(0, 30, N), 30) < 0.05
    product = binned(X[:, 1] * X[:, 2])
    assert screen.worth(*product) < screen.worth(*product, of=(1, 2))
