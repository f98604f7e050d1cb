"""Three use cases the engine knows nothing about, each a distribution of its own, through the unchanged engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl import AutoML
from automl.contract import CombineContext, TaskPlugin
from automl.discovery import Registry
from automl.testing import run_checks
from automl.testing.scene import scenes_of

HERE = Path(__file__).parent
TASKS = ("recommendation", "detection", "translation")
MODELS = ("most-popular", "item-neighbours", "mean-box", "colour-blobs", "copy-source", "word-lexicon")


@pytest.fixture(scope="module", autouse=True)
def outside(install: Callable[[Path], None]) -> None:
    for name in TASKS:
        install(HERE / name)


def load_task(name: str) -> TaskPlugin:
    task: TaskPlugin = Registry.installed().tasks.load(name)()
    return task


def new_data(task: TaskPlugin, n: int = 12) -> dict[str, Any]:
    """The first rows of the task's example, without its target."""
    example = task.examples()[0]
    return {name: values[:n] for name, values in example.data.items() if name != example.target}


def fitted(name: str, executor: str) -> tuple[TaskPlugin, AutoML]:
    task = load_task(name)
    example = task.examples()[0]
    engine = AutoML(task=name, n_trials=2, executor=executor)
    engine.fit(example.data, target=example.target, roles=dict(example.roles))
    return task, engine


def as_plain(answer: Any) -> list[Any]:
    return [part.tolist() if isinstance(part, np.ndarray) else part for part in answer]


@pytest.mark.parametrize("name", TASKS)
def test_an_outside_task_keeps_its_contract(name: str) -> None:
    failures = [result for result in run_checks("task", Registry.installed().tasks.load(name)) if not result.ok]
    assert not failures


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_an_outside_task_keeps_its_contract(name: str) -> None:
    failures = [result for result in run_checks("model", Registry.installed().models.load(name)) if not result.ok]
    assert not failures


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("executor", ["inline", "local"])
def test_the_engine_tunes_beats_the_baseline_saves_and_answers(name: str, executor: str, tmp_path: Path) -> None:
    task, engine = fitted(name, executor)
    board = engine.leaderboard()
    assert set(board["state"]) <= {"ok", "pruned"}
    best_baseline = board.loc[board["baseline"], "score"].max()
    assert board["score"].max() > best_baseline
    answers = as_plain(engine.predict(new_data(task)))
    assert answers
    engine.save(tmp_path / "model")
    again = AutoML.load(tmp_path / "model")
    assert as_plain(again.predict(new_data(task))) == answers


def test_the_score_interval_of_a_loaded_model_rests_on_the_tasks_own_truth(tmp_path: Path) -> None:
    task, engine = fitted("detection", "inline")
    engine.save(tmp_path / "model")
    again = AutoML.load(tmp_path / "model")
    assert again.score_interval(50) == engine.score_interval(50)
    assert task.truth_type.__name__ == "TrueBoxes"
    assert {type(truth) for truth in again._predictor.honest().truths} == {task.truth_type}


def test_under_a_time_limit_too_the_members_learn_from_all_rows_in_the_end() -> None:
    example = load_task("recommendation").examples()[0]
    engine = AutoML(task="recommendation", time_limit=6, executor="local")
    engine.fit(example.data, target=example.target, roles=dict(example.roles))
    plan = engine._predictor.plan
    answering = [plan.member(name) for name in plan.chosen]
    assert answering
    assert all(member is not None and member.folds == (-1,) for member in answering)


def test_the_engine_runs_an_outside_task_on_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    task, engine = fitted("translation", "ray")
    assert {"ok"} <= set(engine.leaderboard()["state"]) <= {"ok", "pruned"}
    engine.save(tmp_path / "model")
    answers = as_plain(AutoML.load(tmp_path / "model").predict(new_data(task)))
    assert answers == as_plain(engine.predict(new_data(task)))


def test_a_task_is_chosen_by_its_roles() -> None:
    task = load_task("recommendation")
    example = task.examples()[0]
    engine = AutoML(n_trials=1, executor="inline").fit(example.data, roles=dict(example.roles))
    assert "film" in str(engine.predict({"who": ["user 1"]})[0])


def test_a_ranking_leaves_out_what_the_user_has_had() -> None:
    task, engine = fitted("recommendation", "inline")
    log = task.examples()[0].data
    had = {film for who, film in zip(log["who"], log["what"], strict=True) if who == "user 3"}
    answer = engine.predict({"who": ["user 3"]})[0]
    assert answer["user"] == "user 3"
    assert not had & set(answer["items"])


def test_a_picture_without_things_gets_no_boxes() -> None:
    _, engine = fitted("detection", "inline")
    dark = np.full((24, 24, 3), 20, dtype=np.uint8)
    assert as_plain(engine.predict({"photo": [dark]})) == [[]]


@pytest.mark.parametrize("name", TASKS)
def test_combining_a_model_with_itself_changes_no_score(name: str) -> None:
    task = load_task(name)
    models = Registry.installed().models.load_all().values()
    (scene,) = scenes_of(next(m for m in models if m.baseline and m.view in task.views), (type(task),))
    predictions, request = scene.predict(scene.fitted[0]), scene.request()
    truth = task.truth(scene.problem, scene.stage.table, scene.valid)
    metric = task.metric(scene.problem, "auto")
    alone = metric.score(truth, predictions, request)
    for combiner_class in task.combiners(scene.problem):
        combiner = combiner_class().fit([[predictions], [predictions]], [truth], [request], CombineContext(metric))
        joined = combiner.apply([predictions, predictions], request)
        assert metric.score(truth, joined, request) == pytest.approx(alone)
