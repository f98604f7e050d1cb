"""Scores, leaderboards, intervals and importances: the same figure wherever it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from automl import AutoML
from automl.contract import DataError, OptionError

COLUMNS = {"model", "family", "baseline", "score", "lift", "fit_s", "predict_s", "weight", "state", "reason"}


def test_score_is_the_metric_on_what_predict_says(
    binary: AutoML, many: AutoML, number: AutoML, breast: pd.DataFrame, wine: pd.DataFrame, diabetes: pd.DataFrame
) -> None:
    chances = binary.predict_proba(breast).to_numpy()
    assert binary.score(breast) == pytest.approx(reference.roc_auc_score(breast.target, chances[:, 1]))
    assert many.score(wine) == pytest.approx(-reference.log_loss(wine.target, many.predict_proba(wine)))
    expected = -reference.root_mean_squared_error(diabetes.target, number.predict(diabetes))
    assert number.score(diabetes) == pytest.approx(expected)


def test_score_takes_the_target_inside_or_beside(binary: AutoML, breast: pd.DataFrame) -> None:
    X, y = breast.drop(columns="target"), breast["target"]
    assert binary.score(breast) == binary.score(X, y) == binary.score(X, y.to_numpy()) == binary.score(X, y.tolist())


def test_score_without_a_target_says_what_is_missing(binary: AutoML, breast: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"target-missing.*'target'"):
        binary.score(breast.drop(columns="target"))


def test_score_of_a_label_that_was_never_learnt_is_an_error(binary: AutoML, breast: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="7"):
        binary.score(breast.drop(columns="target"), [7] * len(breast))


def test_the_honest_score_is_near_the_score_on_new_rows(fast: Any, diabetes: pd.DataFrame) -> None:
    train, test = diabetes.iloc[::2], diabetes.iloc[1::2]
    model = AutoML(**fast()).fit(train, "target")
    assert model.score(test) == pytest.approx(model.score_, rel=0.15)


def test_the_leaderboard_shows_the_best_first_and_the_ensemble(binary: AutoML) -> None:
    board = binary.leaderboard()
    assert set(board.columns) >= COLUMNS
    assert "ensemble" in set(board.model)
    assert board.model.is_unique
    known = board.loc[board.state == "ok", "score"]
    assert known.is_monotonic_decreasing
    assert float(board.loc[board.model == "ensemble", "score"].iloc[0]) == pytest.approx(binary.score_)
    assert board.baseline.sum() >= 3


def test_the_weights_are_those_of_the_ensemble(many: AutoML) -> None:
    board = many.leaderboard().set_index("model")
    assert sum(weight for _, weight in many.ensemble_) == pytest.approx(1.0)
    for name, weight in many.ensemble_:
        assert board.loc[name, "weight"] == pytest.approx(weight)


def test_the_leaderboard_on_data_says_what_score_says(binary: AutoML, breast: pd.DataFrame) -> None:
    board = binary.leaderboard(breast)
    assert "score_test" in board.columns
    row = board[board.model == "ensemble"].iloc[0]
    assert row.score_test == pytest.approx(binary.score(breast))
    pd.testing.assert_frame_equal(binary.leaderboard(breast.drop(columns="target"), breast["target"]), board)
    assert board.loc[board.baseline, "score_test"].notna().all()


def test_the_interval_holds_the_score_and_gets_narrower_with_more_rows(number: AutoML, diabetes: pd.DataFrame) -> None:
    low, high = number.score_interval_
    assert low < number.score_ < high or low < number.score_
    narrow, wide = number.score_interval(5000), number.score_interval(50)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]
    sure, unsure = number.score_interval(200, level=0.99), number.score_interval(200, level=0.5)
    assert sure[0] < unsure[0] < unsure[1] < sure[1]


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 10, "level": 0.0}, {"n": 10, "level": 1.0}, {"n": -3}])
def test_an_interval_of_nothing_is_an_error(number: AutoML, wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="level"):
        number.score_interval(**wrong)


def test_importance_names_what_matters(words: AutoML, frame: Any) -> None:
    table = words.permutation_importance(frame(200, 9), n_repeats=3, random_state=0)
    assert list(table.columns) == ["feature", "importance", "std"]
    assert table.feature.iloc[0] == "size"
    assert set(table.feature) <= {"size", "colour", "since"}
    assert table.importance.is_monotonic_decreasing
    data = frame(200, 9)
    again = words.permutation_importance(data.drop(columns="left"), data["left"], n_repeats=3, random_state=0)
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.parametrize("name", ["accuracy", "f1", "log_loss", "balanced_accuracy"])
def test_a_metric_by_name_decides(fast: Any, frame: Any, name: str) -> None:
    model = AutoML(**fast(metric=name, models=["tree-baseline"])).fit(frame(), "left")
    new = frame(200, 4)
    y = (new.left == "yes").astype(int)
    decided = (model.predict(new) == "yes").astype(int)
    figures: dict[str, Any] = {
        "accuracy": lambda: reference.accuracy_score(y, decided),
        "f1": lambda: reference.f1_score(y, decided),
        "balanced_accuracy": lambda: reference.balanced_accuracy_score(y, decided),
        "log_loss": lambda: -reference.log_loss(y, model.predict_proba(new)["yes"]),
    }
    assert model.score(new) == pytest.approx(figures[name]())


def test_predict_and_score_agree_on_the_decision_even_without_a_tuned_threshold(fast: Any, frame: Any) -> None:
    data = frame(44)
    model = AutoML(**fast(metric="f1", models=["tree-baseline"])).fit(data, "left")
    new = frame(300, 4)
    expected = reference.f1_score(new.left == "yes", model.predict(new) == "yes")
    assert model.score(new) == pytest.approx(expected)


def test_the_positive_label_can_be_named(fast: Any, frame: Any) -> None:
    data = frame()
    model = AutoML(**fast(metric="recall", models=["tree-baseline"])).fit(data, "left", roles={"positive": "no"})
    expected = reference.recall_score(data.left == "no", model.predict(data) == "no")
    assert model.score(data) == pytest.approx(expected)


def test_a_function_may_be_the_metric(fast: Any, diabetes: pd.DataFrame, tmp_path: Path) -> None:
    def worst(y_true: Any, y_pred: Any) -> float:
        return float(np.max(np.abs(np.asarray(y_true) - np.asarray(y_pred))))

    worst.greater_is_better = False  # type: ignore[attr-defined]
    model = AutoML(**fast(metric=worst, models=["tree-baseline"])).fit(diabetes, "target")
    assert model.score(diabetes) == pytest.approx(-worst(diabetes.target, model.predict(diabetes)))
    assert model.leaderboard().score.dropna().le(0).all()
    model.save(tmp_path / "model")
    loaded = AutoML.load(tmp_path / "model")
    with pytest.raises(DataError, match=r"metric-not-saved.*function worst.*set_params"):
        loaded.score(diabetes)
    assert loaded.set_params(metric=worst).score(diabetes) == pytest.approx(model.score(diabetes))


def test_a_function_gets_the_callers_labels(fast: Any, frame: Any) -> None:
    seen: set[str] = set()

    def share(y_true: Any, y_pred: Any) -> float:
        seen.update(y_true, y_pred)
        return float(np.mean(np.asarray(y_true) == np.asarray(y_pred)))

    AutoML(**fast(metric=share, models=["tree-baseline"])).fit(frame(), "left")
    assert seen == {"no", "yes"}


def test_an_unknown_metric_is_an_error_before_training(fast: Any, frame: Any) -> None:
    with pytest.raises(OptionError, match=r"speed.*roc_auc"):
        AutoML(**fast(metric="speed")).fit(frame(), "left")


def test_weights_change_what_is_learnt(fast: Any) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.normal(size=120)})
    data["y"] = np.where(rng.random(120) < 0.5, 0.0, 10.0)
    weight = np.where(data.y == 10.0, 9.0, 1.0)
    model = AutoML(**fast(task="regression", models=["prior-baseline"])).fit(data, "y", sample_weight=weight)
    assert float(model.predict(data, model="prior-baseline").iloc[0]) > 8.0
    by_column = AutoML(**fast(task="regression", models=["prior-baseline"])).fit(
        data.assign(w=weight), "y", sample_weight="w"
    )
    assert by_column.score_ == pytest.approx(model.score_)
    assert by_column.n_features_in_ == 1


def test_data_is_scored_with_the_weights_that_are_given_with_it(fast: Any) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.normal(size=120), "weight": rng.random(120)})
    data["y"] = np.where(rng.random(120) < 0.5, 0.0, 10.0)
    weight, models = np.where(data.y == 10.0, 9.0, 1.0), ["prior-baseline"]
    plain = AutoML(**fast(task="regression", models=models)).fit(data, "y")
    weighted = AutoML(**fast(task="regression", models=models)).fit(data, "y", sample_weight=weight)
    for model in (plain, weighted):
        wrong = np.square(data.y - model.predict(data))
        assert model.score(data) == pytest.approx(-np.sqrt(wrong.mean()))
        assert model.score(data, sample_weight=weight) == pytest.approx(-np.sqrt(np.average(wrong, weights=weight)))
        with pytest.raises(DataError, match="weight-negative"):
            model.score(data, sample_weight=-weight)
        with pytest.raises(DataError, match=r"\[120, 3\]"):
            model.score(data, sample_weight=[1, 2, 3])


def test_rows_of_a_group_widen_the_interval_and_names_of_groups_stay_at_home(fast: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 8)
    data = pd.DataFrame({"a": rng.normal(size=240), "who": [f"client {g}" for g in groups]})
    data["y"] = data.a + 2 * rng.normal(size=30)[groups]
    widths = []
    for columns, who in ((data, "who"), (data.drop(columns="who"), None)):
        model = AutoML(**fast(models=["linear-baseline"])).fit(columns, "y", groups=who)
        low, high = model.score_interval(240)
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1]
    model = AutoML(**fast(models=["linear-baseline"])).fit(data, "y", groups="who")
    model.save(tmp_path / "saved")
    assert AutoML.load(tmp_path / "saved").score_interval(240) == pytest.approx(model.score_interval(240), rel=1e-4)
    assert not any(b"client" in file.read_bytes() for file in (tmp_path / "saved").rglob("*") if file.is_file())


def test_every_completed_model_answers_by_name_until_it_is_saved(fast: Any, frame: Any, tmp_path: Path) -> None:
    data = frame()
    model = AutoML(**fast(n_trials=5, models=["tree-baseline", "extra-trees"])).fit(data, "left")
    board = model.leaderboard(data)
    completed = board[board["state"] == "ok"]
    assert len(completed) > len(model.ensemble_) + 1
    assert completed["score_test"].notna().all()
    model.save(tmp_path / "saved")
    kept = AutoML.load(tmp_path / "saved").leaderboard(data)
    assert 0 < kept["score_test"].notna().sum() < len(completed)


@pytest.mark.parametrize("of", ["words", "number", "binary"])
@pytest.mark.parametrize("beside", [True, False])
def test_rows_without_a_target_are_left_out_of_the_score(
    request: pytest.FixtureRequest, frame: Any, diabetes: Any, breast: Any, of: str, beside: bool
) -> None:
    model = request.getfixturevalue(of)
    data, target = {"words": (frame(), "left"), "number": (diabetes, "target"), "binary": (breast, "target")}[of]
    gaps, weight = data.copy(), np.arange(1.0, len(data) + 1)
    gaps[target] = gaps[target].astype(object if of == "words" else float)
    gaps.loc[gaps.index[::3], target] = None if of == "words" else np.nan
    known = gaps[target].notna().to_numpy()
    given = (gaps.drop(columns=target), gaps[target]) if beside else (gaps,)
    assert model.score(*given) == pytest.approx(model.score(data[known]), abs=1e-12)
    weighed = model.score(*given, sample_weight=weight)
    assert weighed == pytest.approx(model.score(data[known], sample_weight=weight[known]), abs=1e-12)
    board, plain = model.leaderboard(*given), model.leaderboard(data[known])
    np.testing.assert_allclose(board["score_test"].astype(float), plain["score_test"].astype(float))


def test_rows_of_which_none_has_a_target_have_no_score(
    words: AutoML, number: AutoML, frame: Any, diabetes: Any
) -> None:
    for model, data, target in ((words, frame(), "left"), (number, diabetes, "target")):
        with pytest.raises(DataError, match="no row has a value in"):
            model.score(data.assign(**{target: np.nan}))


def test_a_label_that_was_never_learnt_is_an_error_beside_rows_without_one(words: AutoML, frame: Any) -> None:
    data = frame()
    data["left"] = data["left"].astype(object)
    data.loc[0, "left"], data.loc[1, "left"] = None, "perhaps"
    with pytest.raises(DataError, match="none of the classes"):
        words.score(data)
