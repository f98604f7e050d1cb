"""The names that users and plugin authors rely on: changing one is a decision, not an accident."""

from __future__ import annotations

import inspect

import pytest

import automl
import automl.contract as contract
from automl import AutoML
from automl.contract import errors

SETTINGS = [
    *("task", "metric", "time_limit", "n_trials", "preset", "models", "executor", "ray_address", "n_jobs", "gpus"),
    *("memory_limit", "random_state", "path", "overwrite", "plugins", "extra_plugins", "callbacks", "offline"),
    *("allow_noncommercial", "verbose"),
]
METHODS = {
    "fit": ["data", "target", "roles", "groups", "time", "sample_weight", "folds"],
    "predict": ["X", "model"],
    "predict_proba": ["X", "model"],
    "score": ["data"],
    "leaderboard": ["data"],
    "score_interval": ["n", "level"],
    "permutation_importance": ["data"],
    "refit": [],
    "describe": ["model"],
    "save": ["path"],
    "load": ["path", "extra_plugins"],
}


def parameters(function: object) -> list[str]:
    assert callable(function)
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]


def test_the_package_exports_what_it_says() -> None:
    assert set(automl.__all__) == {"AutoML", "AutoMLClassifier", "AutoMLRegressor", "Preset", "__version__"}
    assert all(getattr(automl, name) for name in automl.__all__)
    assert dir(automl) == automl.__all__


def test_settings_are_keywords_with_defaults() -> None:
    known = inspect.signature(AutoML.__init__).parameters
    given = [name for name in known if name != "self"]
    assert given[: len(SETTINGS)] == SETTINGS or set(SETTINGS) <= set(given)
    assert all(known[name].kind is inspect.Parameter.KEYWORD_ONLY for name in given)
    assert all(known[name].default is not inspect.Parameter.empty for name in given)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_keeps_its_parameters(method: str) -> None:
    given = parameters(getattr(AutoML, method))
    assert given[: len(METHODS[method])] == METHODS[method]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_documented(method: str) -> None:
    assert inspect.getdoc(getattr(AutoML, method))


def test_the_contract_exports_what_it_says() -> None:
    assert contract.__all__ == sorted(contract.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(contract, name) for name in contract.__all__)


@pytest.mark.parametrize("name", [n for n in contract.__all__ if inspect.isclass(getattr(contract, n))])
def test_a_class_of_the_contract_says_what_its_implementer_owes(name: str) -> None:
    thing = getattr(contract, name)
    assert thing.__doc__
    assert not thing.__doc__.startswith(f"{name}(")
    undocumented = [
        method
        for method, value in vars(thing).items()
        if inspect.isfunction(value)
        and not method.startswith("_")
        and method not in getattr(thing, "__dataclass_fields__", {})
        if not inspect.getdoc(getattr(thing, method))
    ]
    assert undocumented == []


@pytest.mark.parametrize("name", [n for n in contract.__all__ if inspect.isfunction(getattr(contract, n))])
def test_a_function_of_the_contract_is_documented(name: str) -> None:
    assert getattr(contract, name).__doc__


def test_every_error_hangs_in_the_tree_that_is_drawn() -> None:
    tree = errors.__doc__ or ""
    for name, thing in vars(errors).items():
        if inspect.isclass(thing) and issubclass(thing, Exception):
            assert issubclass(thing, errors.AutoMLError)
            assert name in tree
            assert name in contract.__all__
