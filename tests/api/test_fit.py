"""What `fit` takes and refuses, and that the same seed gives the same run everywhere."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold

from automl import AutoML
from automl.contract import DataError, NothingFitted, OptionError, PluginError
from automl.search.events import EnsembleImproved, PhaseStarted, RunEvent, RunFinished, TrialFinished

CHEAP = ["tree-baseline"]


def scores(model: AutoML) -> pd.DataFrame:
    return model.leaderboard()[["model", "score", "weight", "state"]]


def test_the_same_seed_gives_the_same_run(fast: Any, diabetes: pd.DataFrame) -> None:
    one, two = (AutoML(**fast(n_trials=3)).fit(diabetes, "target") for _ in range(2))
    pd.testing.assert_frame_equal(scores(one), scores(two), check_exact=True)
    pd.testing.assert_series_equal(one.predict(diabetes), two.predict(diabetes), check_exact=True)
    assert one.ensemble_ == two.ensemble_


def test_another_seed_gives_another_run(fast: Any, diabetes: pd.DataFrame) -> None:
    one, two = (AutoML(**fast(models=CHEAP, random_state=seed)).fit(diabetes, "target") for seed in (1, 2))
    assert scores(one).score.tolist() != scores(two).score.tolist()


def test_workers_give_the_same_run_as_this_process(fast: Any, diabetes: pd.DataFrame) -> None:
    here = AutoML(**fast(n_trials=4)).fit(diabetes, "target")
    there = AutoML(**fast(n_trials=4, executor="local", n_jobs=1)).fit(diabetes, "target")
    pd.testing.assert_frame_equal(scores(here), scores(there), check_exact=True)
    pd.testing.assert_series_equal(here.predict(diabetes), there.predict(diabetes), check_exact=True)


@pytest.mark.parametrize(
    ("state", "same"),
    [(np.random.RandomState(3), False), (np.random.default_rng(3), False), (np.int64(3), True)],
    ids=["RandomState", "Generator", "numpy int"],
)
def test_a_seed_may_be_a_numpy_one(fast: Any, wine: pd.DataFrame, state: Any, same: bool) -> None:
    model = AutoML(**fast(models=CHEAP, random_state=state)).fit(wine, "target")
    plain = AutoML(**fast(models=CHEAP, random_state=3)).fit(wine, "target")
    assert (scores(model).score.tolist() == scores(plain).score.tolist()) == same


def test_a_time_limit_is_kept_to_and_gives_a_model(fast: Any, wine: pd.DataFrame) -> None:
    model = AutoML(**fast(n_trials=None, time_limit=4, models=CHEAP)).fit(wine, "target")
    assert model.score(wine) > -0.5
    assert not model.interrupted_


def test_callbacks_hear_of_every_phase_trial_and_the_end(fast: Any, wine: pd.DataFrame) -> None:
    heard: list[RunEvent] = []
    model = AutoML(**fast(callbacks=[heard.append])).fit(wine, "target")
    ended = [event for event in heard if isinstance(event, TrialFinished)]
    tried = model.leaderboard()
    tried = tried[(tried.model != "ensemble") & (tried.state != "skipped")]
    assert sorted(event.model for event in ended) == sorted(tried.model)
    assert next(event.phase for event in heard if isinstance(event, PhaseStarted)) == "baselines"
    assert any(isinstance(event, EnsembleImproved) for event in heard)
    assert isinstance(heard[-1], RunFinished)
    assert heard[-1].score == pytest.approx(model.score_)
    assert all(event.seconds_left == float("inf") for event in ended)


def test_named_models_run_beside_the_baselines_and_no_others(fast: Any, wine: pd.DataFrame) -> None:
    board = AutoML(**fast(models=["extra-trees"])).fit(wine, "target").leaderboard()
    assert set(board.loc[~board.baseline, "family"]) == {"extra-trees", "ensemble"}
    assert board.baseline.sum() >= 3


def test_n_trials_counts_candidates_beside_the_baselines(fast: Any, wine: pd.DataFrame) -> None:
    board = AutoML(**fast(n_trials=3, models=["lightgbm"])).fit(wine, "target").leaderboard()
    assert len(board[(board.family == "lightgbm")]) == 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"time_limit": 0}, "time_limit"),
        ({"time_limit": "60"}, "time_limit"),
        ({"n_trials": 0}, "n_trials"),
        ({"n_trials": 2.5}, "n_trials"),
        ({"n_trials": True}, "n_trials"),
        ({"preset": "quick"}, "preset='quick'"),
        ({"models": []}, "models is empty"),
        ({"models": "lightgbm"}, "list of names"),
        ({"models": ["lightgmb"]}, "lightgmb"),
        ({"executor": "threads"}, "threads"),
        ({"executor": "inline", "ray_address": "auto"}, "address"),
        ({"task": "clustering"}, "clustering"),
        ({"random_state": "seven"}, "random_state"),
        ({"gpus": -1}, "gpus"),
        ({"memory_limit": "lots"}, "memory"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"n_jobs": 1.5}, "n_jobs"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused_before_training(
    fast: Any, wine: pd.DataFrame, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        AutoML(**fast(**wrong)).fit(wine, "target")


def test_plugins_that_block_everything_leave_nothing_to_run(fast: Any, wine: pd.DataFrame) -> None:
    with pytest.raises(PluginError, match="no model can run"):
        AutoML(**fast(models=None, plugins=["multiclass"])).fit(wine, "target")


def test_a_blocked_plugin_does_not_run(fast: Any, wine: pd.DataFrame) -> None:
    board = AutoML(**fast(models=None, plugins=["-lightgbm"], n_trials=1)).fit(wine, "target").leaderboard()
    assert "lightgbm" not in set(board.model)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda d: d.assign(left="yes"), "target-one-class"),
        (lambda d: d.assign(left=None), "target"),
        (lambda d: d.head(0), "rows-none"),
        (lambda d: d[["left"]], "columns-none"),
        (lambda d: d.rename(columns={"left": "gone"}), "left"),
    ],
    ids=["one class", "no target", "no rows", "no columns", "no such column"],
)
def test_data_that_cannot_be_learnt_from_is_refused(fast: Any, frame: Any, change: Any, code: str) -> None:
    with pytest.raises(DataError, match=code):
        AutoML(**fast()).fit(change(frame()), "left")


def test_auto_needs_a_target(fast: Any, frame: Any) -> None:
    with pytest.raises(DataError, match="target-none"):
        AutoML(**fast()).fit(frame())


def test_a_role_that_no_task_knows_is_refused(fast: Any, frame: Any) -> None:
    with pytest.raises(OptionError, match="user"):
        AutoML(**fast()).fit(frame(), "left", roles={"user": "colour"})


def test_groups_are_never_split_and_no_feature(fast: Any, frame: Any) -> None:
    data = frame().assign(home=np.arange(160) % 20)
    by_column = AutoML(**fast(models=CHEAP)).fit(data, "left", groups="home")
    by_values = AutoML(**fast(models=CHEAP)).fit(frame(), "left", groups=np.arange(160) % 20)
    assert by_column.score_ == by_values.score_
    assert by_column.n_features_in_ == by_values.n_features_in_ == 3
    assert len(by_column.predict(frame(9).drop(columns="left"))) == 9


def test_time_is_learnt_forward(fast: Any, frame: Any) -> None:
    data = frame().assign(day=pd.date_range("2024-01-01", periods=160, freq="D"))
    model = AutoML(**fast(models=CHEAP)).fit(data, "left", time="day")
    assert len(model.predict(frame(5))) == 5
    beside = AutoML(**fast(models=CHEAP)).fit(frame(), "left", time=data["day"].to_numpy())
    assert beside.score_ == model.score_


def test_what_answers_for_the_future_has_learnt_from_the_latest_rows(fast: Any) -> None:
    rng = np.random.default_rng(0)
    day = np.arange(300)
    level = day + rng.normal(scale=2.0, size=300)
    data = pd.DataFrame({"day": day, "before": np.roll(level, 1), "noise": rng.normal(size=300), "level": level})[1:]
    model = AutoML(**fast(models=["linear-baseline", "tree-baseline"])).fit(data[:239], "level", time="day")
    low, high = model.score_interval(60)
    assert low < -float(np.sqrt(np.mean((model.predict(data[239:]) - data["level"][239:]) ** 2))) < max(high, 0.0)


def test_folds_of_ones_own_are_used_in_each_form(fast: Any, wine: pd.DataFrame) -> None:
    splitter = KFold(3, shuffle=True, random_state=0)
    pairs = [(a.tolist(), b.tolist()) for a, b in splitter.split(wine)]
    numbers = np.zeros(len(wine), dtype=int)
    for number, (_, valid) in enumerate(pairs):
        numbers[valid] = number
    forms: list[Any] = [splitter, pairs, numbers, pd.Series(numbers), splitter.split(wine)]
    found = [AutoML(**fast(models=CHEAP)).fit(wine, "target", folds=form).score_ for form in forms]
    assert len(set(found)) == 1


def test_pairs_of_folds_name_the_rows_of_the_callers_data_whatever_is_dropped(fast: Any, wine: pd.DataFrame) -> None:
    """Rows of weight 0 teach nothing and are no part of any fold; those without a target neither."""
    numbers = np.random.default_rng(0).integers(0, 3, len(wine))
    pairs = [(np.flatnonzero(numbers != k), np.flatnonzero(numbers == k)) for k in range(3)]
    weight = np.where(np.arange(len(wine)) % 10 == 4, 0.0, 1.0)
    blank = wine.assign(target=wine["target"].astype("string").mask(weight == 0))
    options = fast(models=CHEAP)
    left_out = AutoML(**options).fit(wine[weight > 0], "target", folds=numbers[weight > 0]).score_
    assert AutoML(**options).fit(wine, "target", sample_weight=weight, folds=pairs).score_ == pytest.approx(left_out)
    assert AutoML(**options).fit(blank, "target", folds=pairs).score_ == pytest.approx(left_out)
    with pytest.raises(OptionError, match=r"rows outside 0…177"):
        AutoML(**options).fit(blank, "target", folds=[([0, 1, 2], [3, 178])])


@pytest.mark.parametrize(
    "folds",
    ["abc", 5, [1, 2], [([0, 1], [1, 2])], object()],
    ids=["text", "number", "too-few", "overlapping", "object"],
)
def test_folds_that_cannot_be_used_are_refused(fast: Any, wine: pd.DataFrame, folds: Any) -> None:
    with pytest.raises(OptionError, match="folds"):
        AutoML(**fast(models=CHEAP)).fit(wine, "target", folds=folds)


def test_a_run_in_which_every_model_fails_says_why(fast: Any, wine: pd.DataFrame) -> None:
    def broken(y_true: Any, y_pred: Any) -> float:
        raise RuntimeError("this metric is broken")

    with pytest.raises(NothingFitted, match="this metric is broken"):
        AutoML(**fast(models=CHEAP, metric=broken)).fit(wine, "target")


def test_options_are_kept_as_given_and_can_be_cloned() -> None:
    model = AutoML(n_trials=3, models=["lightgbm"])
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(preset="fast") is model
    assert repr(model) == "AutoML(n_trials=3, preset='fast', models=['lightgbm'])"
    with pytest.raises(OptionError, match="speed"):
        model.set_params(speed=3)


def test_a_tiny_table_gives_a_model(fast: Any) -> None:
    data = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "y": ["u", "v", "u", "v"]})
    assert len(AutoML(**fast(models=CHEAP)).fit(data, "y").predict(data)) == 4


def test_making_an_estimator_imports_nothing_heavy() -> None:
    code = (
        "import sys; from automl import AutoML; AutoML(); "
        "print(sorted({'torch', 'ray', 'optuna', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (["a"] * 99 + ["b"], "of 2 classes only 'a' has more than one row, 99 of 100"),
        ([0] * 99 + [1], "of 2 classes only 0 has more than one row, 99 of 100"),
        (["a", "b", "a"], "of 2 classes only 'a' has more than one row, 2 of 3"),
        ([f"name {number}" for number in range(100)], "every class has one row: 100 classes in 100 rows"),
    ],
    ids=["words", "numbers", "three rows", "names"],
)
def test_classes_that_no_model_could_be_judged_on_are_refused_before_any_training(
    fast: Any, labels: list[Any], what: str
) -> None:
    rows = {"size": np.random.default_rng(0).normal(size=len(labels)), "label": labels}
    with pytest.raises(DataError, match=what) as caught:
        AutoML(**fast(models=CHEAP)).fit(rows, "label")
    assert caught.value.code == "target-lone-classes"


def test_a_class_of_one_row_beside_two_larger_ones_is_learnt_from(fast: Any) -> None:
    labels = ["a"] * 30 + ["b"] * 30 + ["c"]
    rows = {"size": np.arange(61) + np.random.default_rng(0).normal(size=61), "label": labels}
    assert AutoML(**fast(models=CHEAP)).fit(rows, "label").classes_.tolist() == ["a", "b", "c"]
