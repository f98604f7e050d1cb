"""Views: which encoder reads which column, what happens to gaps, and that saving forgets nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from automl.contract import (
    ArtifactError,
    Column,
    EncoderPlugin,
    Facts,
    FitContext,
    ModelPlugin,
    PluginError,
    Table,
)
from automl.execution.views import View, assign

CTX = FitContext(Facts("t", "real", 4, 3, 1, 1))


class Numbers(EncoderPlugin):
    name, kinds, missing = "numbers", ("numeric",), True

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        return self.transform(columns)

    def transform(self, columns: Table) -> Any:
        return columns.matrix()


class Codes(EncoderPlugin):
    """Sparse indicator columns of the levels seen."""

    name, kinds = "codes", ("category", "numeric")

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        self.width = 1 + max(int(column.values.max()) for column in columns)
        return self.transform(columns)

    def transform(self, columns: Table) -> Any:
        blocks = [np.eye(self.width, dtype=np.float32)[column.values] for column in columns]
        return scipy.sparse.csr_matrix(np.concatenate(blocks, axis=1))


class Dense(Codes):
    name = "dense-codes"

    def transform(self, columns: Table) -> Any:
        return super().transform(columns).toarray()


class Twice(Numbers):
    """A feature block: the double of every number."""

    name, adds_to = "twice", ("matrix", "columns")

    def transform(self, columns: Table) -> Any:
        return 2 * columns.matrix()


def model(**traits: Any) -> type[ModelPlugin]:
    return type("Model", (ModelPlugin,), {"name": "model", **traits})


def table(values: list[float], codes: list[int]) -> Table:
    number = Column("f0", "size", "numeric", np.array(values))
    colour = Column("f1", "colour", "category", np.array(codes, dtype=np.int32), ("red", "green", "blue"))
    return Table((number, colour), len(values))


TRAIN = table([1.0, np.nan, 3.0, 100.0], [0, 1, 2, 0])
NEW = table([np.nan, 5.0], [2, 1])


def test_a_column_goes_to_the_first_encoder_that_takes_it() -> None:
    assert assign([Numbers, Codes], list(TRAIN), "m") == {Numbers: ("f0",), Codes: ("f1",)}
    assert assign([Codes, Numbers], list(TRAIN), "m") == {Codes: ("f0", "f1")}


def test_columns_that_no_encoder_takes_are_left_out_unless_none_is_left() -> None:
    assert assign([Numbers], list(TRAIN), "m") == {Numbers: ("f0",)}
    with pytest.raises(PluginError, match=r"no encoder of \['numbers'\].*category"):
        assign([Numbers], [TRAIN["f1"]], "m")
    with pytest.raises(PluginError, match="no encoder"):
        assign([], list(TRAIN), "m")


def test_no_columns_make_an_empty_matrix() -> None:
    view, X = View.fit(model(), [Numbers], Table((), 4), None, CTX)
    assert X.shape == (4, 0)
    assert view.transform(Table((), 2)).shape == (2, 0)


def test_gaps_are_filled_with_the_median_of_the_training_rows() -> None:
    view, X = View.fit(model(), [Numbers, Dense], TRAIN, None, CTX)
    assert X[:, 0].tolist() == [1.0, 3.0, 3.0, 100.0]
    assert view.transform(NEW)[:, 0].tolist() == [3.0, 5.0]


def test_a_gap_in_a_column_that_had_none_is_filled_with_its_median_too() -> None:
    full = table([101.0, 102.0, 103.0], [0, 1, 2])
    view, _ = View.fit(model(), [Numbers, Dense], full, None, CTX)
    assert view.transform(NEW)[:, 0].tolist() == [102.0, 5.0]


def test_an_encoder_that_breaks_its_word_about_gaps_leaves_none_in_the_matrix() -> None:
    silent = type("Silent", (Numbers,), {"missing": False})
    view, _ = View.fit(model(), [silent, Dense], table([1.0, 2.0, 3.0], [0, 1, 2]), None, CTX)
    assert np.isfinite(view.transform(NEW)).all()


def test_a_column_without_any_value_is_filled_with_zeros() -> None:
    empty = table([np.nan] * 3, [0, 1, 2])
    _, X = View.fit(model(), [Numbers, Dense], empty, None, CTX)
    assert X[:, 0].tolist() == [0.0, 0.0, 0.0]


def test_a_model_that_takes_gaps_gets_them() -> None:
    view, X = View.fit(model(handles_missing=True), [Numbers, Dense], TRAIN, None, CTX)
    assert np.isnan(X[1, 0])
    assert np.isnan(view.transform(NEW)[0, 0])


def test_sparse_stays_sparse_only_for_models_that_take_it() -> None:
    _, dense = View.fit(model(), [Numbers, Codes], TRAIN, None, CTX)
    view, sparse = View.fit(model(sparse=True), [Numbers, Codes], TRAIN, None, CTX)
    assert isinstance(dense, np.ndarray)
    assert scipy.sparse.issparse(sparse)
    assert sparse.format == "csr"
    assert sparse.dtype == np.float32
    np.testing.assert_array_equal(sparse.toarray(), dense)
    assert view.transform(NEW).toarray().tolist() == [[3.0, 0.0, 0.0, 1.0], [5.0, 0.0, 1.0, 0.0]]


def test_sparse_and_dense_encoders_make_the_same_matrix() -> None:
    _, one = View.fit(model(), [Numbers, Codes], TRAIN, None, CTX)
    _, two = View.fit(model(), [Numbers, Dense], TRAIN, None, CTX)
    np.testing.assert_array_equal(one, two)


def test_the_columns_view_passes_what_the_model_takes_and_encodes_the_rest() -> None:
    view, X = View.fit(model(view="columns", kinds=("numeric",)), [Codes], TRAIN, None, CTX)
    assert [column.kind for column in X] == ["numeric"] * 4
    assert X.names[0] == "f0"
    assert np.isnan(X["f0"].values[1])
    assert view.passed == ("f0",)
    assert view.transform(NEW).names == X.names


@pytest.mark.parametrize("traits", [{}, {"sparse": True}, {"view": "columns", "kinds": ("numeric",)}])
def test_a_view_is_the_same_after_save_and_load(tmp_path: Path, traits: dict[str, Any]) -> None:
    view, _ = View.fit(model(**traits), [Numbers, Codes], TRAIN, None, CTX)
    view.save(tmp_path)
    loaded = View.load(tmp_path, {"numbers": Numbers, "codes": Codes})
    before, after = view.transform(NEW), loaded.transform(NEW)
    if isinstance(before, Table):
        for one, two in zip(before, after, strict=True):
            assert one.name == two.name
            np.testing.assert_array_equal(one.values, two.values)
    else:
        np.testing.assert_array_equal(
            np.asarray(before.todense() if view.sparse else before),
            np.asarray(after.todense() if view.sparse else after),
        )


def test_an_encoder_that_is_not_installed_any_more_is_named(tmp_path: Path) -> None:
    view, _ = View.fit(model(), [Numbers, Codes], TRAIN, None, CTX)
    view.save(tmp_path)
    with pytest.raises(ArtifactError, match="'codes'"):
        View.load(tmp_path, {"numbers": Numbers})


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (np.zeros((3, 1), dtype=np.float32), "returned 3 rows for 4"),
        (np.zeros(4, dtype=np.float32), r"of shape \(4,\), not \(rows, columns\)"),
        (np.zeros((4, 1)), "float64, not float32"),
        ([[1.0]] * 4, "returned a list"),
        (None, "returned None"),
        (pd.DataFrame({"a": np.zeros(4, dtype=np.float32)}), "returned a DataFrame; it must be a float32 numpy array"),
    ],
    ids=["rows", "shape", "dtype", "list", "nothing", "frame"],
)
def test_an_encoders_output_is_checked(result: Any, said: str) -> None:
    bad = type("Bad", (Numbers,), {"name": "bad", "fit_transform": lambda self, columns, y, ctx: result})
    with pytest.raises(PluginError, match=said) as caught:
        View.fit(model(), [bad], Table((TRAIN["f0"],), 4), None, CTX)
    assert "'bad'" in str(caught.value)


class Wider(Numbers):
    """It gives a column more for other rows than it gave for the training rows."""

    name = "wider"

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        return columns.matrix()

    def transform(self, columns: Table) -> Any:
        return np.concatenate([columns.matrix()] * 2, axis=1)


@pytest.mark.parametrize("traits", [{}, {"view": "columns", "kinds": ("category",)}], ids=["matrix", "columns"])
def test_an_encoder_that_changes_its_width_is_named_after_the_fit_and_after_load(
    tmp_path: Path, traits: dict[str, Any]
) -> None:
    view, _ = View.fit(model(**traits), [Wider, Codes], TRAIN, None, CTX)
    view.save(tmp_path)
    for fitted in (view, View.load(tmp_path, {"wider": Wider, "codes": Codes})):
        with pytest.raises(PluginError, match="encoder 'wider' returned 2 columns, fit_transform gave 1"):
            fitted.transform(NEW)


def test_views_saved_before_widths_were_kept_are_read(tmp_path: Path) -> None:
    view, _ = View.fit(model(), [Numbers, Codes], TRAIN, None, CTX)
    view.save(tmp_path)
    file = tmp_path / "view" / "state.json"
    state = file.read_text()
    old = re.sub(r', \\"width\\": \d+', "", state)
    assert old != state
    file.write_text(old)
    loaded = View.load(tmp_path, {"numbers": Numbers, "codes": Codes})
    np.testing.assert_array_equal(loaded.transform(NEW), view.transform(NEW))


def _raises(self: Any, *_: Any) -> Any:
    raise RuntimeError("no dates")


def _leaves(self: Any, *_: Any) -> Any:
    sys.exit(3)


@pytest.mark.parametrize(
    ("trait", "said"),
    [
        ({"fit_transform": _raises}, "encoder 'bad': RuntimeError: no dates"),
        ({"transform": _raises}, "encoder 'bad': RuntimeError: no dates"),
        ({"transform": _leaves}, "encoder 'bad': SystemExit: 3"),
        ({"accepts": classmethod(_raises)}, "encoder 'bad': RuntimeError: no dates"),
        ({"__init__": _raises}, "encoder 'bad': RuntimeError: no dates"),
    ],
    ids=["fit", "transform", "exit", "accepts", "constructor"],
)
def test_an_encoder_that_fails_is_named(trait: dict[str, Any], said: str) -> None:
    bad = type(
        "Bad", (Numbers,), {"fit_transform": lambda self, columns, y, ctx: columns.matrix(), **trait, "name": "bad"}
    )
    with pytest.raises(PluginError, match=said):
        View.fit(model(), [bad, Codes], TRAIN, None, CTX)[0].transform(NEW)


def test_an_encoder_that_cannot_be_saved_or_read_back_is_named_and_a_full_disk_is_none_of_its_faults(
    tmp_path: Path,
) -> None:
    class Rich(Numbers):
        name = "rich"

        def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
            self.kept: Any = {"helper": object()}
            return columns.matrix()

    view, _ = View.fit(model(), [Rich, Codes], TRAIN, None, CTX)
    with pytest.raises(ArtifactError, match=r"encoder 'rich' cannot be saved: 'kept\.0' is a builtins.object"):
        view.save(tmp_path / "one")
    view.parts[0].encoder.kept = 1  # type: ignore[attr-defined]
    view.save(tmp_path / "two")
    unread = type("Rich", (Rich,), {"load": classmethod(_raises)})
    with pytest.raises(ArtifactError, match="encoder 'rich' cannot be read back: RuntimeError: no dates"):
        View.load(tmp_path / "two", {"rich": unread, "codes": Codes})

    def full(*_: Any) -> None:
        raise OSError("no space left")

    view.parts[0].encoder.save = full  # type: ignore[assignment, method-assign]
    with pytest.raises(OSError, match="no space left"):
        view.save(tmp_path / "three")


def test_an_encoder_without_memory_is_no_broken_encoder() -> None:
    def full(*_: Any) -> Any:
        raise MemoryError

    bad = type("Bad", (Numbers,), {"fit_transform": full})
    with pytest.raises(MemoryError):
        View.fit(model(), [bad, Codes], TRAIN, None, CTX)


def test_feature_blocks_alone_are_told_that_they_need_others_beside_them() -> None:
    with pytest.raises(PluginError, match=r"\['twice'\] of model 'model' are feature blocks only.*numeric.*category"):
        View.fit(model(), [Twice], TRAIN, None, CTX)


@pytest.mark.parametrize("chain", [[Twice, Numbers, Codes], [Numbers, Codes, Twice]])
def test_a_feature_block_stands_beside_what_others_encode_wherever_it_is_named(chain: Any) -> None:
    _, plain = View.fit(model(), [Numbers, Codes], TRAIN, None, CTX)
    view, X = View.fit(model(), chain, TRAIN, None, CTX)
    np.testing.assert_array_equal(X[:, :-1], plain)
    assert X[:, -1].tolist() == [2.0, 6.0, 6.0, 200.0]
    assert view.transform(NEW)[:, -1].tolist() == [6.0, 10.0]


def test_a_feature_block_adds_numbers_to_the_columns_that_a_model_takes() -> None:
    view, X = View.fit(model(view="columns"), [Twice], TRAIN, None, CTX)
    assert [column.kind for column in X] == ["numeric", "category", "numeric"]
    np.testing.assert_array_equal(X.columns[-1].values, [2.0, np.nan, 6.0, 200.0])
    assert view.transform(NEW).names == X.names


def test_a_feature_block_without_a_column_to_read_is_left_out() -> None:
    codes = Table((TRAIN["f1"],), 4)
    view, X = View.fit(model(), [Codes, Twice], codes, None, CTX)
    assert len(view.parts) == 1
    assert X.shape == (4, 3)


def test_a_view_with_a_feature_block_is_the_same_after_save_and_load(tmp_path: Path) -> None:
    every: list[dict[str, Any]] = [{}, {"sparse": True}, {"view": "columns", "kinds": ("numeric",)}]
    for number, traits in enumerate(every):
        view, _ = View.fit(model(**traits), [Numbers, Codes, Twice], TRAIN, None, CTX)
        view.save(tmp_path / str(number))
        loaded = View.load(tmp_path / str(number), {"numbers": Numbers, "codes": Codes, "twice": Twice})
        before, after = view.transform(NEW), loaded.transform(NEW)
        if isinstance(before, Table):
            before, after = before.matrix(), after.matrix()
        elif view.sparse:
            before, after = before.toarray(), after.toarray()
        np.testing.assert_array_equal(before, after)
