"""What a stranger's distribution that cannot be imported, or takes a taken name, does to runs and saved models."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris

from automl import AutoML
from automl.contract import ArtifactError, PluginError
from automl.discovery import Registry
from automl.predictor import Predictor
from automl.store import load_manifest

Ship = Callable[..., Path]

MODEL = """
from automl.contract import ModelPlugin

class Mine(ModelPlugin):
    name = "NAME"
    produces = "class_proba"
    def fit(self, train, valid, ctx):
        return None
    def predict(self, request):
        return None
"""


def engine(**more: Any) -> AutoML:
    return AutoML(n_trials=1, executor="inline", verbose=0, models=["tree-baseline"], **more)


def test_an_installed_encoder_that_cannot_be_imported_is_a_finding_that_says_why(ship: Ship, tmp_path: Path) -> None:
    ship("broken-encoders", "broken_encoders", "import nothing_of_this_name", {"automl.encoders": {"days": "Days"}})
    data = load_iris(as_frame=True).frame
    heard: list[Any] = []
    model = engine(callbacks=[heard.append]).fit(data, target="target")
    (found,) = [finding for finding in model.findings_ if finding.code == "encoder-lost"]
    assert found.where == "encoder 'days'"
    assert "nothing_of_this_name" in found.what
    assert found in [event.finding for event in heard if hasattr(event, "finding")]
    model.save(tmp_path / "model")
    assert found in AutoML.load(tmp_path / "model").findings_


def test_a_name_clash_ends_a_fit_but_no_saved_model_that_does_without_the_name(ship: Ship, tmp_path: Path) -> None:
    data = load_iris(as_frame=True).frame
    engine().fit(data, target="target").save(tmp_path / "model")
    for number, name in enumerate(("mine", "mine", "tree-baseline")):
        points = {"automl.models": {name: "Mine"}}
        ship(f"stranger-{number}", f"stranger_{number}", MODEL.replace("NAME", name), points)
        if number == 1:
            assert len(AutoML.load(tmp_path / "model").predict(data)) == len(data)
            with pytest.raises(PluginError, match=r"two plugins are called 'mine'.*AUTOML_PLUGINS=-stranger"):
                engine().fit(data, target="target")
            assert engine(plugins=["-stranger-0"]).fit(data, target="target").score_ is not None
    with pytest.raises(ArtifactError, match=r"needs the plugin 'tree-baseline': two plugins.*AUTOML_PLUGINS=-"):
        AutoML.load(tmp_path / "model")


MEAN = """
from automl.contract import ModelPlugin
import numpy as np

class Mine(ModelPlugin):
    name = "mine"
    baseline = True
    produces = "class_proba"
    def fit(self, train, valid, ctx):
        self.shares = np.bincount(train.y, minlength=ctx.n_outputs) / len(train.y)
    def predict(self, request):
        return np.tile(self.shares, (len(request), 1))
"""


def test_a_saved_model_says_from_which_distribution_the_plugin_came_that_is_missing(
    ship: Ship, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.syspath_prepend(str(ship("kind-models", "kind_models", MEAN, {"automl.models": {"mine": "Mine"}})))
        model = AutoML(
            n_trials=1, executor="inline", verbose=0, models=["mine"], plugins=["kind-models", "cairn-automl"]
        )
        model.fit(load_iris(as_frame=True).frame, target="target").save(tmp_path / "model")
    assert load_manifest(tmp_path / "model").versions["kind-models"] == "1.2"
    monkeypatch.setattr(sys, "path", [place for place in sys.path if "kind-models" not in place])
    predictor = Predictor.open(tmp_path / "model", Registry.installed())
    with pytest.raises(ArtifactError, match=r"plugin 'mine' of kind-models 1\.2: no plugin.*install kind-models==1\.2"):
        predictor.predict(load_iris(as_frame=True).data, model="mine")
