"""Plugins are listed by metadata alone, loaded when asked for, and a bad one harms nobody but itself."""

from __future__ import annotations

import importlib.util
import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contract import Batch, EncoderPlugin, FitContext, ModelPlugin, PluginError, Request
from automl.discovery import Registry, missing_requirement, strange_groups

Ship = Callable[..., Path]

MODELS, ENCODERS = "automl.models", "automl.encoders"
GOOD = """
from automl.contract import ModelPlugin

class Mine(ModelPlugin):
    name = "mine"
    produces = "real"
    def fit(self, train, valid, ctx):
        return None
    def predict(self, request):
        return [0.0] * len(request)
"""


class Inline(ModelPlugin):
    name = "inline-model"
    produces = "real"

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        return None

    def predict(self, request: Request) -> Any:
        return np.zeros(len(request))


def test_listing_imports_no_plugin(ship: Ship) -> None:
    ship("loud-models", "loud_models", "raise SystemExit('imported')", {MODELS: {"loud": "Loud"}})
    assert "loud" in Registry.installed().models.names()
    assert "loud_models" not in sys.modules


def test_listing_loads_no_heavy_library() -> None:
    code = (
        "import sys; from automl.discovery import Registry; r = Registry.installed(); r.models.names(); "
        "r.tasks.names(); r.encoders.names(); "
        "heavy = {'torch', 'ray', 'optuna', 'sklearn', 'pandas', 'lightgbm', 'xgboost', 'catboost', 'skops'}; "
        "own = [m for m in sys.modules if m.startswith('automl.plugins')]; "
        "print(sorted(heavy & set(sys.modules)), own)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_loading_every_shipped_plugin_class_loads_no_heavy_library() -> None:
    code = (
        "import sys; from automl.discovery import Registry; r = Registry.installed(); "
        "r.models.load_all(); r.tasks.load_all(); r.encoders.load_all(); "
        "assert not r.models.unavailable, r.models.unavailable; "
        "print(sorted({'torch', 'ray', 'optuna', 'sklearn', 'pandas', 'lightgbm', 'xgboost', 'catboost'} "
        "& set(sys.modules)))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "AUTOML_PLUGINS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_an_installed_distribution_is_enough_to_register_a_model(ship: Ship) -> None:
    ship("friendly-models", "friendly_models", GOOD, {MODELS: {"mine": "Mine"}})
    models = Registry.installed().models
    assert models.load("mine").name == "mine"
    listed = models.describe("mine")
    assert (listed.distribution, listed.version, listed.target) == ("friendly-models", "1.2", "friendly_models:Mine")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_library_at_all", "no_such_library_at_all"),
        ("Mine = 3", "is no ModelPlugin"),
        ("class Mine: name = 'mine'", "is no ModelPlugin"),
        (GOOD.replace('"mine"', '"other"'), "make them equal"),
        (GOOD.replace("def predict", "def predicts"), "predict"),
        (GOOD.replace('produces = "real"', "pass"), "produces"),
        (GOOD.replace('name = "mine"', "pass"), "has no name"),
        (GOOD.replace('produces = "real"', 'produces = "real"; space = {"k": (1, 9)}'), "SearchSpace"),
        ("raise SystemExit('no')", "SystemExit"),
    ],
    ids=[
        "import error",
        "no class",
        "no plugin",
        "other name",
        "abstract",
        "produces nothing",
        "no name",
        "a dict as its space",
        "exits",
    ],
)
def test_a_broken_plugin_is_named_with_its_distribution_and_the_others_survive(
    ship: Ship, request: pytest.FixtureRequest, code: str, said: str
) -> None:
    module = f"broken_{request.node.callspec.id.replace(' ', '_')}"
    ship("broken-models", module, code, {MODELS: {"mine": "Mine"}})
    models = Registry.installed().models
    found = models.load_all()
    assert len(found) >= 10
    assert "mine" not in found
    reason = models.unavailable["mine"]
    assert said in reason
    assert "'mine'" in reason
    with pytest.raises(PluginError, match="mine"):
        models.load("mine")


def test_an_import_error_names_the_distribution(ship: Ship) -> None:
    ship("broken-import", "broken_import", "import nothing_of_this_name", {MODELS: {"mine": "Mine"}})
    with pytest.raises(PluginError, match="broken-import"):
        Registry.installed().models.load("mine")


def test_two_plugins_of_one_name_are_both_shown_and_harm_no_other(ship: Ship) -> None:
    ship("first-models", "first_models", GOOD, {MODELS: {"mine": "Mine"}})
    ship("second-models", "second_models", GOOD, {MODELS: {"mine": "Mine"}})
    registry = Registry.installed()
    assert {"mine", "lightgbm"} <= set(registry.models.names())
    assert "lightgbm" in registry.models.load_all()
    with pytest.raises(PluginError, match="first-models") as caught:
        registry.models.load("mine")
    assert "second-models" in str(caught.value)
    with pytest.raises(PluginError, match="two plugins are called 'mine'"):
        registry.refuse_clashes()


def test_the_remedies_that_a_name_clash_is_told_with_exist(ship: Ship, monkeypatch: pytest.MonkeyPatch) -> None:
    ship("first-models", "first_models", GOOD, {MODELS: {"mine": "Mine"}})
    ship("second-models", "second_models", GOOD, {MODELS: {"mine": "Mine"}})
    said = Registry.installed().models.unavailable["mine"]
    (blocked,) = re.findall(r'plugins=\["(\S+)"\]', said)
    assert Registry.installed([blocked]).models.load("mine").name == "mine"
    (variable, value) = re.findall(r"(AUTOML_PLUGINS)=(\S+)", said)[0]
    monkeypatch.setenv(variable, value)
    settled = Registry.installed()
    settled.refuse_clashes()
    assert settled.models.load("mine").name == "mine"


def test_a_class_given_for_a_name_that_clashes_settles_it(ship: Ship) -> None:
    ship("first-models", "first_models", GOOD, {MODELS: {"mine": "Mine"}})
    ship("second-models", "second_models", GOOD, {MODELS: {"mine": "Mine"}})
    own = type("Own", (Inline,), {"name": "mine"})
    registry = Registry.installed(extra=[own])
    registry.refuse_clashes()
    assert registry.models.load("mine") is own


def test_encoders_that_models_would_read_through_and_cannot_are_findings(ship: Ship) -> None:
    assert Registry.installed().findings() == ()
    ship("broken-encoders", "broken_encoders", "import nothing_of_this_name", {ENCODERS: {"days": "Days"}})
    lacking = "class Lacking(EncoderPlugin):\n    name = 'lacking'\n    requires = ('no_such_library',)\n"
    methods = (
        "    def fit_transform(self, columns, y, ctx):\n        ...\n    def transform(self, columns):\n        ...\n"
    )
    code = "from automl.contract import EncoderPlugin\n" + lacking + "    default_for = ('matrix',)\n" + methods
    ship("lacking-encoders", "lacking_encoders", code, {ENCODERS: {"lacking": "Lacking"}})
    broken, lacks = Registry.installed().findings()
    assert broken.where == "encoder 'days'"
    assert "nothing_of_this_name" in broken.what
    assert "broken-encoders" in broken.what
    assert lacks.where == "encoder 'lacking'"
    assert "no_such_library is not installed" in lacks.what


def test_an_entry_point_group_that_is_nearly_one_of_ours_is_told(ship: Ship) -> None:
    assert strange_groups() == []
    ship("misspelt", "misspelt", GOOD, {"automl.model": {"mine": "Mine"}})
    (said,) = strange_groups()
    assert "'mine'" in said
    assert "did you mean 'automl.models'?" in said


def test_blocking_one_distribution_settles_a_name_clash(ship: Ship) -> None:
    ship("first-models", "first_models", GOOD, {MODELS: {"mine": "Mine"}})
    ship("second-models", "second_models", GOOD, {MODELS: {"mine": "Mine"}})
    models = Registry.installed(["-second-models"]).models
    assert models.describe("mine").distribution == "first-models"


def test_a_distribution_installed_twice_is_no_clash(ship: Ship, monkeypatch: pytest.MonkeyPatch) -> None:
    site = ship("friendly-models", "friendly_models", GOOD, {MODELS: {"mine": "Mine"}})
    monkeypatch.syspath_prepend(str(site))
    assert "mine" in Registry.installed().models.names()


def test_plugins_are_allowed_by_name_or_distribution(ship: Ship) -> None:
    ship("friendly-models", "friendly_models", GOOD, {MODELS: {"mine": "Mine"}})
    assert Registry.installed(["friendly-models"]).models.names() == ["mine"]
    both = Registry.installed(["mine", "lightgbm", "regression"])
    assert both.models.names() == ["lightgbm", "mine"]
    assert both.tasks.names() == ["regression"]


def test_a_leading_minus_blocks_by_name_or_distribution(ship: Ship) -> None:
    ship("friendly-models", "friendly_models", GOOD, {MODELS: {"mine": "Mine"}})
    assert "mine" not in Registry.installed(["-friendly-models"]).models.names()
    assert "lightgbm" in Registry.installed(["-mine"]).models.names()
    assert "lightgbm" not in Registry.installed(["-lightgbm"]).models.names()


def test_the_environment_variable_rules_unless_the_argument_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_PLUGINS", " lightgbm , binary ")
    assert Registry.installed().models.names() == ["lightgbm"]
    assert "xgboost" in Registry.installed(["xgboost"]).models.names()


def test_a_string_of_plugins_is_refused() -> None:
    with pytest.raises(PluginError, match="list of names"):
        Registry.installed("lightgbm")


def test_an_extra_plugin_joins_its_group_and_replaces_an_installed_one(ship: Ship) -> None:
    assert Registry.installed(extra=[Inline]).models.load("inline-model") is Inline
    replacing = type("Replacing", (Inline,), {"name": "lightgbm"})
    registry = Registry.installed(extra=[replacing])
    assert registry.models.load("lightgbm") is replacing
    assert registry.models.names().count("lightgbm") == 1


def test_an_extra_plugin_may_replace_one_that_is_broken(ship: Ship) -> None:
    ship("broken-models", "broken_again", "import nope", {MODELS: {"inline-model": "Mine"}})
    assert Registry.installed(extra=[Inline]).models.load_all()["inline-model"] is Inline


@pytest.mark.parametrize("thing", [Inline(), "Inline", int, object()], ids=["instance", "string", "int", "object"])
def test_an_extra_plugin_must_be_a_plugin_class(thing: Any) -> None:
    with pytest.raises(PluginError, match="derive it from one of"):
        Registry.installed(extra=[thing])


def test_an_extra_plugin_must_keep_the_contract_too() -> None:
    with pytest.raises(PluginError, match="lacks"):
        Registry.installed(extra=[type("Half", (ModelPlugin,), {"name": "half", "produces": "real"})])
    with pytest.raises(PluginError, match="has no name"):
        Registry.installed(extra=[type("Nameless", (Inline,), {"name": ""})])
    with pytest.raises(PluginError, match="transform"):
        Registry.installed(extra=[type("Half", (EncoderPlugin,), {"name": "half"})])


def test_an_unknown_name_comes_with_the_nearest_ones() -> None:
    with pytest.raises(PluginError, match=r"did you mean \['lightgbm'"):
        Registry.installed().models.load("lightgmb")


def test_a_missing_library_is_explained_with_what_to_install() -> None:
    assert missing_requirement(Inline) == ""
    lacking = type("Lacking", (Inline,), {"requires": ("no_such_library",)})
    assert missing_requirement(lacking) == "no_such_library is not installed: install no_such_library"
    wants = {"requires": ("no_such_library.part",), "extra": "torch"}
    ours = type("Lacking", (Inline,), {**wants, "__module__": "automl.plugins.lacking"})
    assert 'pip install "cairn-automl[torch]"' in missing_requirement(ours)
    theirs = type("Lacking", (Inline,), {**wants, "__module__": "strangers"})
    assert "cairn-automl" not in missing_requirement(theirs)


def test_a_class_where_a_list_of_classes_belongs_is_told_how_to_write_it() -> None:
    with pytest.raises(PluginError, match=r"extra_plugins=\[Inline\]"):
        Registry.installed(extra=Inline)  # type: ignore[arg-type]


def test_a_class_that_holds_what_cannot_travel_says_so() -> None:
    locked = type("Locked", (Inline,), {"lock": threading.Lock()})
    with pytest.raises(PluginError, match=r"cannot be sent to workers.*lock"):
        Registry.installed(extra=[locked]).models.reference("inline-model")


def test_an_installed_class_travels_by_name_and_an_extra_one_by_value() -> None:
    registry = Registry.installed(extra=[Inline])
    assert registry.models.reference("lightgbm").payload == b""
    assert registry.models.reference("inline-model").payload


def test_a_reference_by_value_loads_where_the_module_does_not_exist(tmp_path: Path) -> None:
    module = tmp_path / "nowhere_else.py"
    module.write_text("from automl.contract import ModelPlugin\n" + GOOD.split("import ModelPlugin")[1])
    spec = importlib.util.spec_from_file_location("nowhere_else", module)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["nowhere_else"] = loaded
    try:
        spec.loader.exec_module(loaded)
        reference = Registry.installed(extra=[loaded.Mine]).models.reference("mine")
    finally:
        del sys.modules["nowhere_else"]
    file = tmp_path / "reference"
    file.write_bytes(pickle.dumps(reference))
    code = f"import pickle; print(pickle.load(open({str(file)!r}, 'rb')).load().name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert done.stdout.strip() == "mine", done.stderr
