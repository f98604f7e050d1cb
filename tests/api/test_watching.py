"""A run that is watched: its events in a file, and its trials as Optuna studies."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from automl import AutoML
from automl.contract import OptionError
from automl.discovery import Registry
from automl.events import Callback, JsonLines, RunEvent, TrialFinished, read_events
from automl.studies import to_optuna

OPTIONS: dict[str, Any] = {
    "n_trials": 4,
    "models": ["extra-trees", "linear-baseline"],
    "executor": "inline",
    "random_state": 0,
    "verbose": 0,
}


@pytest.fixture(scope="module")
def iris() -> pd.DataFrame:
    return load_iris(as_frame=True).frame  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def watched(iris: pd.DataFrame, place: Path) -> AutoML:
    """A run whose events are in run.jsonl, and whose studies were written to runs.db after each of its trials."""
    registry = Registry.installed()

    def study(event: RunEvent) -> None:
        if isinstance(event, TrialFinished):
            to_optuna(place / "iris", registry, url(place))

    callbacks: list[Callback] = [JsonLines(place / "run.jsonl"), study]
    model = AutoML(path=place / "iris", callbacks=callbacks, **OPTIONS).fit(iris, "target")
    model.to_optuna(url(place))
    return model


def url(place: Path) -> str:
    return f"sqlite:///{place / 'runs.db'}"


def tried(model: AutoML) -> pd.DataFrame:
    board = model.leaderboard()
    return board[(board.model != "ensemble") & (board.state != "skipped")].set_index("model")


def test_the_file_tells_of_the_whole_run(watched: AutoML, place: Path) -> None:
    records = list(read_events(place / "run.jsonl"))
    ended = [record for record in records if record["event"] in ("trial_finished", "trial_failed")]
    assert records[0]["event"] == "run_started"
    assert (records[0]["rows"], records[0]["metric"], records[0]["n_trials"]) == (150, watched.metric_, 4)
    assert records[-1]["event"] == "run_finished"
    assert records[-1]["score"] == pytest.approx(watched.score_)
    assert sorted(record["model"] for record in ended) == sorted(tried(watched).index)


def test_one_study_holds_all_trials_with_their_values_and_what_the_leaderboard_says(
    watched: AutoML, place: Path
) -> None:
    board, study = tried(watched), optuna.load_study(study_name="iris", storage=url(place))
    trials = {trial.user_attrs["name"]: trial for trial in study.trials}
    assert len(study.trials) == len(trials) == len(board)
    assert (study.user_attrs["task"], study.user_attrs["metric"]) == ("multiclass", watched.metric_)
    for name, row in board.iterrows():
        trial = trials[str(name)]
        assert trial.params == {"model": row.family}
        assert trial.user_attrs["fit_s"] == pytest.approx(row.fit_s)
        assert (trial.user_attrs["baseline"], trial.user_attrs["state"]) == (row.baseline, row.state)
        assert trial.state.name == {"ok": "COMPLETE", "pruned": "PRUNED"}[row.state]
        if row.state == "ok":
            assert trial.value == pytest.approx(row.score)
            assert trial.user_attrs["lift"] == pytest.approx(row.lift)
            assert len(trial.intermediate_values) >= 2
    assert study.best_trial.value == pytest.approx(board.score[board.state == "ok"].max())


def test_one_study_of_each_model_holds_its_knobs(watched: AutoML, place: Path) -> None:
    study = optuna.load_study(study_name="iris/extra-trees", storage=url(place))
    assert len(study.trials) == (tried(watched).family == "extra-trees").sum() == 4
    for trial in study.trials:
        assert trial.params
        assert all(
            trial.distributions[name]._contains(trial.distributions[name].to_internal_repr(value))
            for name, value in trial.params.items()
        )
        assert {name: trial.user_attrs["params"][name] for name in trial.params} == trial.params
        assert trial.duration is not None


def counts(storage: Any) -> dict[str, int]:
    return {summary.study_name: summary.n_trials for summary in optuna.get_all_study_summaries(storage)}


def test_writing_again_adds_nothing_twice(watched: AutoML, place: Path) -> None:
    before = counts(url(place))
    watched.to_optuna(url(place))
    assert counts(url(place)) == before
    assert set(before) == {"iris", *(f"iris/{model}" for model in ("extra-trees", "linear-baseline", "tree-baseline"))}


def test_a_model_that_was_saved_gives_its_scores(watched: AutoML, place: Path) -> None:
    watched.save(place / "saved", overwrite=True)
    storage = optuna.storages.InMemoryStorage()
    assert AutoML.load(place / "saved").to_optuna(storage, "all") == ["all"]
    study = optuna.load_study(study_name="all", storage=storage)
    values = sorted(trial.value for trial in study.trials if trial.value is not None)
    assert values == pytest.approx(sorted(tried(watched).query("state == 'ok'").score))


def test_a_study_of_something_else_is_left_alone(watched: AutoML) -> None:
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(storage=storage, study_name="mine").add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(OptionError, match="of something else"):
        watched.to_optuna(storage, "mine")
    assert counts(storage) == {"mine": 1}


@pytest.mark.parametrize("storage", ["runs.db", "nosuch://x/y", "sqlite:////no/such/folder/runs.db"])
def test_a_storage_that_cannot_be_used_is_said_so(watched: AutoML, storage: str) -> None:
    with pytest.raises(OptionError, match="storage"):
        watched.to_optuna(storage)


def test_a_full_disk_ends_the_file_and_not_the_run(iris: pd.DataFrame) -> None:
    full = JsonLines("/dev/full")
    model = AutoML(callbacks=[full], **{**OPTIONS, "n_trials": 1, "models": ["linear-baseline"]}).fit(iris, "target")
    assert math.isfinite(model.score_)
