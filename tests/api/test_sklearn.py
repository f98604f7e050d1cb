"""AutoMLClassifier and AutoMLRegressor keep scikit-learn's conventions, by scikit-learn's own checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from automl import AutoMLClassifier, AutoMLRegressor
from automl.contract import DataError

CHEAP: dict[str, Any] = {
    "n_trials": 1,
    "preset": "fast",
    "executor": "inline",
    "models": ["prior-baseline"],
    "verbose": 0,
    "random_state": 0,
}


def expected_failures(estimator: Any) -> dict[str, str]:
    """Which of scikit-learn's checks cannot pass, and why."""
    reason = (
        "folds are made of rows: a row of weight 2 is in one fold, a row given twice may be in two, so the two runs "
        "compare models on other folds and need not keep the same ones"
    )
    return {"check_sample_weight_equivalence_on_dense_data": reason}


@parametrize_with_checks(
    [AutoMLClassifier(**CHEAP), AutoMLRegressor(**CHEAP)], expected_failed_checks=expected_failures
)  # type: ignore[untyped-decorator]
def test_it_keeps_scikit_learns_conventions(estimator: Any, check: Any) -> None:
    check(estimator)


def test_they_are_what_scikit_learn_takes_for_classifier_and_regressor() -> None:
    assert is_classifier(AutoMLClassifier())
    assert is_regressor(AutoMLRegressor())
    assert not hasattr(AutoMLRegressor(), "predict_proba")
    assert hasattr(AutoMLClassifier(), "predict_proba")


def test_they_work_inside_parallel_cross_validation(wine: pd.DataFrame, diabetes: pd.DataFrame) -> None:
    cheap = {**CHEAP, "models": ["tree-baseline"], "executor": "local", "n_jobs": 1}
    X, y = wine.drop(columns="target"), wine["target"]
    found = cross_val_score(AutoMLClassifier(**cheap), X, y, cv=2, n_jobs=2, scoring="accuracy")
    assert found.min() > 0.7
    X, y = diabetes.drop(columns="target"), diabetes["target"]
    assert cross_val_score(AutoMLRegressor(**cheap), X, y, cv=2, n_jobs=2, scoring="r2").min() > 0.1


def test_fitted_estimators_come_back_from_other_processes(wine: pd.DataFrame) -> None:
    X, y = wine.drop(columns="target"), wine["target"]
    found = cross_validate(AutoMLClassifier(**CHEAP), X, y, cv=2, n_jobs=2, return_estimator=True)
    for estimator, score in zip(found["estimator"], found["test_score"], strict=True):
        assert estimator.predict_proba(X).shape == (178, 3)
        assert np.isfinite(score)


def test_probabilities_of_all_rows_by_cross_validation(wine: pd.DataFrame) -> None:
    X, y = wine.drop(columns="target"), wine["target"].map(dict(enumerate("abc")))
    found = cross_val_predict(AutoMLClassifier(**CHEAP), X, y, cv=2, method="predict_proba")
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", "average_precision"])
def test_scorers_of_probabilities_take_frames(wine: pd.DataFrame, scoring: str) -> None:
    X, y = wine.drop(columns="target"), wine["target"] == 1
    assert np.isfinite(cross_val_score(AutoMLClassifier(**CHEAP), X, y, cv=2, scoring=scoring)).all()


def test_they_work_in_a_pipeline_and_a_grid(wine: pd.DataFrame) -> None:
    X, y = wine.drop(columns="target"), wine["target"]
    steps = ColumnTransformer([("scale", StandardScaler(), ["alcohol"])], remainder="passthrough")
    pipe = make_pipeline(steps, AutoMLClassifier(**CHEAP)).fit(X, y)
    assert pipe.predict(X).shape == (178,)
    grid = GridSearchCV(AutoMLClassifier(**CHEAP), {"preset": ["fast", "balanced"]}, cv=2).fit(X, y)
    assert set(grid.cv_results_["param_preset"]) == {"fast", "balanced"}


def test_the_score_is_the_runs_metric(diabetes: pd.DataFrame) -> None:
    X, y = diabetes.drop(columns="target"), diabetes["target"]
    model = AutoMLRegressor(**{**CHEAP, "metric": "r2"}).fit(X, y)
    residual = ((y - model.predict(X)) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert model.score(X, y) == pytest.approx(1 - residual)


def test_a_classifier_never_predicts_numbers_nor_a_regressor_classes() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    with pytest.raises(ValueError, match="Unknown label type"):
        AutoMLClassifier(**CHEAP).fit(X, rng.normal(size=60))
    model = AutoMLRegressor(**CHEAP).fit(X, np.tile([0, 1], 30))
    assert model.predict(X).dtype == np.float64
    with pytest.raises(ValueError, match="label type"):
        AutoMLRegressor(**CHEAP).fit(X, np.tile(["a", "b"], 30))


def test_a_clone_is_not_fitted_and_has_the_same_options(wine: pd.DataFrame) -> None:
    model = AutoMLClassifier(**CHEAP).fit(wine.drop(columns="target"), wine["target"])
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not copy.__sklearn_is_fitted__()
    assert model.feature_names_in_.tolist() == wine.columns[:-1].tolist()


def test_the_other_estimator_is_named_for_a_target_that_is_its_business() -> None:
    frame = {"size": list(range(40)), "more": [n % 7 for n in range(40)]}
    with pytest.raises(DataError, match=r"Unknown label type.*for labels use AutoMLClassifier"):
        AutoMLRegressor(n_trials=1, executor="inline", verbose=0).fit(frame, ["a", "b"] * 20)
    with pytest.raises(DataError, match=r"Unknown label type.*for numbers use AutoMLRegressor"):
        AutoMLClassifier(n_trials=1, executor="inline", verbose=0).fit(frame, [n + 0.5 for n in range(40)])
