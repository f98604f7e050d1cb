"""What a fitted AutoML answers: in the caller's container, under the caller's index, with the caller's labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError

from automl import AutoML
from automl.contract import DataError, OptionError


def test_a_pandas_frame_gets_its_index_back(words: AutoML, frame: Any) -> None:
    new = frame(20, 5).drop(columns="left").set_index(pd.Index([f"row {i}" for i in range(20)]))
    labels, chances = words.predict(new), words.predict_proba(new)
    assert isinstance(labels, pd.Series)
    assert labels.name == "left"
    assert labels.index.equals(new.index)
    assert chances.index.equals(new.index)
    assert list(chances.columns) == ["no", "yes"]
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)
    assert set(labels) <= {"no", "yes"}


def test_every_container_gets_the_same_answers(words: AutoML, frame: Any, tmp_path: Path) -> None:
    new = frame(30, 6).drop(columns="left")
    expected = words.predict_proba(new).to_numpy()
    new.to_parquet(tmp_path / "new.parquet", index=False)
    new.to_csv(tmp_path / "new.csv", index=False)
    forms: dict[str, Any] = {
        "polars": pl.from_pandas(new),
        "pyarrow": pa.Table.from_pandas(new),
        "records": new.to_dict("records"),
        "dict": new.to_dict("list"),
        "parquet": tmp_path / "new.parquet",
        "csv": str(tmp_path / "new.csv"),
    }
    for name, form in forms.items():
        found = words.predict_proba(form)
        values = found.to_pandas().to_numpy() if name == "pyarrow" else np.asarray(found)
        np.testing.assert_allclose(values, expected, atol=1e-12, err_msg=name)
        assert list(words.predict(form)) == words.predict(new).tolist() or name == "pyarrow", name


def test_answers_come_in_the_callers_kind_of_container(words: AutoML, frame: Any) -> None:
    new = frame(5, 6).drop(columns="left")
    assert isinstance(words.predict(pl.from_pandas(new)), pl.Series)
    assert words.predict_proba(pl.from_pandas(new)).columns == ["no", "yes"]
    assert isinstance(words.predict(pa.Table.from_pandas(new)), pa.Array)
    assert isinstance(words.predict(new.to_dict("records")), np.ndarray)


def test_numpy_in_numpy_out(fast: Any, wine: pd.DataFrame) -> None:
    X, y = wine.drop(columns="target").to_numpy(), wine["target"].to_numpy()
    model = AutoML(**fast(models=["tree-baseline"])).fit(X, y)
    assert model.predict(X).dtype == y.dtype
    assert model.predict_proba(X[:7]).shape == (7, 3)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.n_features_in_ == 13
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize(
    "labels",
    [[False, True], [3, 8], [0.5, 2.0], ["no", "yes"], [-1, 1]],
    ids=["bool", "int", "float", "str", "signs"],
)
def test_labels_come_back_in_their_type(fast: Any, labels: list[Any]) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.array(labels)[(X[:, 0] > 0).astype(int)]
    model = AutoML(**fast(models=["tree-baseline"])).fit(X, y)
    found = model.predict(X)
    assert model.classes_.tolist() == labels
    assert {type(value) for value in found.tolist()} == {type(labels[0])}
    assert (found == y).mean() > 0.9


def test_a_target_with_gaps_is_learnt_from_where_it_is_known(fast: Any) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.normal(size=60)})
    data["y"] = (data.a > 0).astype("Int64")
    data.loc[:4, "y"] = pd.NA
    model = AutoML(**fast(models=["tree-baseline"])).fit(data, "y")
    assert "target-missing-rows" in {finding.code for finding in model.findings_}
    assert sorted(set(model.predict(data))) == [0, 1]


def test_one_row_is_answered_as_in_a_batch(words: AutoML, number: AutoML, frame: Any, diabetes: pd.DataFrame) -> None:
    new = frame(12, 7).drop(columns="left")
    batch = words.predict_proba(new).to_numpy()
    alone = np.vstack([words.predict_proba(new.iloc[[i]]).to_numpy() for i in range(12)])
    np.testing.assert_allclose(alone, batch, atol=1e-12)
    rows = diabetes.head(5)
    one_by_one = [number.predict(rows.iloc[[i]]).iloc[0] for i in range(5)]
    np.testing.assert_allclose(one_by_one, number.predict(rows).to_numpy(), rtol=1e-12)


def test_no_rows_get_no_answers(words: AutoML, frame: Any) -> None:
    nothing = frame(5).drop(columns="left").head(0)
    assert words.predict(nothing).shape == (0,)
    assert words.predict_proba(nothing).shape == (0, 2)


def test_more_columns_in_another_order_change_nothing(words: AutoML, frame: Any) -> None:
    new = frame(10, 3)
    expected = words.predict_proba(new.drop(columns="left"))
    shuffled = new[["since", "left", "colour", "size"]].assign(more=1)
    pd.testing.assert_frame_equal(words.predict_proba(shuffled), expected)


def test_a_missing_column_is_named(words: AutoML, frame: Any) -> None:
    with pytest.raises(DataError, match=r"column-missing.*'colour'"):
        words.predict(frame(10).drop(columns=["left", "colour"]))


def test_new_levels_and_gaps_are_no_error(words: AutoML, frame: Any) -> None:
    new = frame(6, 2).drop(columns="left").assign(colour=["violet", None, "red", "red", "x", "blue"], size=np.nan)
    assert np.isfinite(words.predict_proba(new).to_numpy()).all()


def test_the_callers_data_is_never_changed(fast: Any, frame: Any) -> None:
    data = frame()
    before = data.copy(deep=True)
    AutoML(**fast(models=["tree-baseline"])).fit(data, "left").predict(data)
    pd.testing.assert_frame_equal(data, before)


def test_a_number_has_no_probabilities(number: AutoML, diabetes: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no-probabilities"):
        number.predict_proba(diabetes)
    assert not hasattr(number, "classes_")


def test_each_model_that_was_kept_answers_by_name(binary: AutoML, breast: pd.DataFrame) -> None:
    board = binary.leaderboard()
    single = board.loc[board.baseline, "model"].tolist()
    assert len(single) >= 2
    for name in [*single, "ensemble"]:
        assert binary.predict_proba(breast.head(3), model=name).shape == (3, 2)
    pd.testing.assert_series_equal(binary.predict(breast), binary.predict(breast, model="ensemble"))


def test_a_model_that_does_not_exist_is_an_error_with_those_that_do(binary: AutoML, breast: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match=r"no such model.*ensemble"):
        binary.predict(breast, model="nothing-such")


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.predict([[1.0]]),
        lambda m: m.predict_proba([[1.0]]),
        lambda m: m.score([[1.0]], [1]),
        lambda m: m.leaderboard(),
        lambda m: m.save("nowhere"),
        lambda m: m.refit(),
        lambda m: m.score_interval(10),
        lambda m: m.permutation_importance([[1.0]]),
    ],
    ids=["predict", "proba", "score", "leaderboard", "save", "refit", "interval", "importance"],
)
def test_nothing_works_before_fit(call: Any) -> None:
    with pytest.raises(NotFittedError, match="call fit first"):
        call(AutoML())


@pytest.mark.parametrize("library", [pl.DataFrame, pa.Table.from_pandas])
def test_labels_of_several_types_are_answered_in_every_container(fast: Any, wine: pd.DataFrame, library: Any) -> None:
    data = wine.assign(target=pd.Categorical(wine["target"].map({0: "zero", 1: 1, 2: 2}).astype(object)))
    model = AutoML(**fast(n_trials=1, models=["tree-baseline"])).fit(data, "target")
    plain = model.predict(wine.drop(columns="target"))
    given = model.predict(library(wine.drop(columns="target")))
    assert [str(label) for label in plain] == (given.to_list() if hasattr(given, "to_list") else given.to_pylist())


def test_integer_labels_beyond_the_reach_of_floats_come_back_exactly(fast: Any, tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(100, 2))
    y = np.where(X[:, 0] > 0, 2**60 + 1, 2**60 + 2)
    model = AutoML(**fast(n_trials=1, models=["tree-baseline"])).fit(X, y)
    model.save(tmp_path / "model")
    for one in (model, AutoML.load(tmp_path / "model")):
        assert one.classes_.tolist() == [2**60 + 1, 2**60 + 2]
        assert one.predict(X).dtype == np.int64
        assert one.score(X, y) > 0.9


def test_a_row_of_a_file_is_answered_as_among_others(fast: Any, tmp_path: Path) -> None:
    codes = ["007,true", "042,false", "A13,maybe"]
    lines = [f"{codes[k % 3]},{'ab'[k % 3 == 0]}" for k in range(90)]
    (tmp_path / "train.csv").write_text("\n".join(["dept,flag,y", *lines, ""]))
    model = AutoML(**fast(n_trials=1, models=["tree-baseline"])).fit(tmp_path / "train.csv", "y")
    (tmp_path / "one.csv").write_text("dept,flag\n007,true\n")
    (tmp_path / "all.csv").write_text("\n".join(["dept,flag", *codes, ""]))
    assert model.predict_proba(tmp_path / "one.csv").iloc[0].tolist() == (
        model.predict_proba(tmp_path / "all.csv").iloc[0].tolist()
    )
    assert model.predict(tmp_path / "one.csv").tolist() == ["b"]
