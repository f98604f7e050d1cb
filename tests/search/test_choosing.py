"""Which task is it, what are its settings, and which names mean nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.contract import Column, DataError, OptionError, PluginError, Table
from automl.discovery import Registry
from automl.search.choosing import choose_task, define, task_settings
from automl.search.settings import Settings


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.installed([])


def table(labels: int) -> Table:
    """A feature, and a target of so many labels (0: a number)."""
    rng = np.random.default_rng(0)
    x = Column("f0", "x", "numeric", rng.normal(size=60))
    if labels:
        levels = tuple(f"l{i}" for i in range(labels))
        y = Column("f1", "y", "category", (np.arange(60) % labels).astype(np.int32), levels, "str")
    else:
        y = Column("f1", "y", "numeric", rng.normal(size=60))
    return Table((x, y), 60)


@pytest.mark.parametrize(("labels", "name"), [(2, "binary"), (5, "multiclass"), (0, "regression")])
def test_the_task_that_claims_the_data_most_surely_is_taken(registry: Registry, labels: int, name: str) -> None:
    assert choose_task(registry, "auto", table(labels), {"target": "f1"}).name == name


def test_a_named_task_is_taken_whatever_the_data(registry: Registry) -> None:
    assert choose_task(registry, "regression", table(2), {}).name == "regression"


def test_a_strangers_task_that_fails_to_claim_or_lacks_its_library_is_passed_over() -> None:
    strangers = Registry.installed([])
    known = strangers.tasks.load("binary")

    class Failing(known):  # type: ignore[misc, valid-type]
        name = "failing"

        def claims(self, table: Any, roles: Any) -> float:
            raise ZeroDivisionError("no rows of mine")

    class Bare(known):  # type: ignore[misc, valid-type]
        name = "bare"
        requires = ("a_library_that_nobody_has",)

        def claims(self, table: Any, roles: Any) -> float:
            return 1.0

    strangers.tasks.add(Failing)
    strangers.tasks.add(Bare)
    assert choose_task(strangers, "auto", table(2), {"target": "f1"}).name == "binary"
    assert "no rows of mine" in strangers.tasks.unavailable["failing"]
    with pytest.raises(PluginError, match="a_library_that_nobody_has is not installed"):
        choose_task(strangers, "bare", table(2), {"target": "f1"})


@pytest.mark.parametrize(
    ("declared", "settings"),
    [
        ({"needs_network": True}, Settings(offline=True)),
        ({"noncommercial": True}, Settings(allow_noncommercial=False)),
    ],
)
def test_a_task_that_the_policy_forbids_is_passed_over_and_refused_by_name(
    declared: dict[str, Any], settings: Settings
) -> None:
    strangers = Registry.installed([])
    known = strangers.tasks.load("binary")
    sure = {"name": "sure", "claims": lambda self, table, roles: 1.0}
    strangers.tasks.add(type("Sure", (known,), {**sure, **declared}))
    asked = ("auto", table(2), {"target": "f1"})
    assert choose_task(strangers, *asked, settings=Settings()).name == "sure"
    assert choose_task(strangers, *asked, settings=settings).name == "binary"
    with pytest.raises(PluginError, match=r"'sure' cannot be used: .*(offline|allow_noncommercial)="):
        choose_task(strangers, "sure", table(2), {}, settings=settings)


def test_only_tasks_of_the_wanted_kinds_are_asked(registry: Registry) -> None:
    with pytest.raises(DataError, match="Unknown label type"):
        choose_task(registry, "auto", table(3), {"target": "f1"}, kinds=("real",))
    with pytest.raises(DataError, match="Unknown label type"):
        choose_task(registry, "auto", table(0), {"target": "f1"}, kinds=("class_proba",))


def test_an_unknown_task_comes_with_those_there_are(registry: Registry) -> None:
    with pytest.raises(OptionError, match=r"'clustering'.*multiclass"):
        choose_task(registry, "clustering", table(2), {})


def test_without_a_target_auto_cannot_tell(registry: Registry) -> None:
    with pytest.raises(DataError, match="target-none"):
        choose_task(registry, "auto", table(2), {})


def test_roles_are_parted_into_columns_and_settings(registry: Registry) -> None:
    columns, settings = task_settings(registry, "auto", {"target": "y", "positive": "l1"})
    assert (columns, settings) == ({"target": "y"}, {"positive": "l1"})
    assert task_settings(registry, "regression", {"positive": "l1"}) == ({"positive": "l1"}, {})
    assert task_settings(registry, "auto", None) == ({}, {})


def test_a_problem_knows_its_metric_and_its_settings(registry: Registry) -> None:
    task = choose_task(registry, "binary", table(2), {"target": "f1"})
    problem, metric = define(task, table(2), {"target": "f1"}, {"positive": "l0"}, "f1")
    assert (problem.metric, metric.name, problem.facts["positive"]) == ("f1", "f1", 0)
    assert problem.features == ("f0",)


def test_a_role_that_the_task_does_not_know_is_named(registry: Registry) -> None:
    task = choose_task(registry, "regression", table(0), {"target": "f1"})
    with pytest.raises(OptionError, match=r"no role 'user'.*target"):
        define(task, table(0), {"target": "f1", "user": "f0"}, {}, "auto")
    with pytest.raises(OptionError, match="positive"):
        define(task, table(0), {"target": "f1"}, {"positive": 1}, "auto")


def test_a_metric_may_be_a_function(registry: Registry) -> None:
    def mine(y_true: Any, y_pred: Any) -> float:
        return 1.0

    task = choose_task(registry, "regression", table(0), {"target": "f1"})
    problem, metric = define(task, table(0), {"target": "f1"}, {}, mine)
    assert (problem.metric, metric.name) == ("function mine", "function mine")
