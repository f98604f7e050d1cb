"""plugins/WRITING.md is true: its encoder runs and keeps its contract, and costs are asked for as it says."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_wine

from automl import AutoML
from automl.contract import KINDS, Estimate, Facts, ModelPlugin, Resources
from automl.testing import run_checks

PAGE = (Path(__file__).parents[2] / "plugins" / "WRITING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Fenced code of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Any]]:
    """The encoder of the page, in a module of its own as its author would have it."""
    (code,) = [block for block in blocks("python") if "(EncoderPlugin)" in block]
    (tmp_path / "ranks_package.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import ranks_package  # type: ignore[import-not-found]

    yield ranks_package.Ranks
    sys.modules.pop("ranks_package")


def test_the_encoder_of_the_page_keeps_its_contract(ranks: type[Any]) -> None:
    assert [result for result in run_checks("encoder", ranks) if not result.ok] == []


def test_models_read_through_the_encoder_of_the_page_and_come_back_with_it(ranks: type[Any], tmp_path: Path) -> None:
    data = load_wine(as_frame=True).frame
    engine = AutoML(extra_plugins=[ranks], models=["k-nearest"], n_trials=1, executor="inline", verbose=0)
    engine.fit(data, target="target").save(tmp_path / "model")
    (near,) = [m for m in engine._ready().plan.members if m.model == "k-nearest"]
    assert "ranks" in near.encoders
    again = AutoML.load(tmp_path / "model", extra_plugins=[ranks])
    assert np.array_equal(again.predict(data, model=near.name), engine.predict(data, model=near.name))


def test_its_entry_point_is_in_the_group_of_encoders() -> None:
    (table,) = [tomllib.loads(block) for block in blocks("toml")]
    assert table["project"]["entry-points"] == {"automl.encoders": {"ranks": "my_package:Ranks"}}


def test_the_kinds_of_columns_are_those_there_are() -> None:
    kinds = re.findall(r"^\| `(\w+)` \| .* \| (?:NaN|-1|None) \|$", PAGE, flags=re.MULTILINE)
    assert set(kinds) == set(KINDS) - {"image", "object"}


def test_the_costs_of_the_page_are_what_the_engine_asks_for() -> None:
    (code,) = [block for block in blocks("python") if "def estimate" in block]
    names: dict[str, Any] = {"ModelPlugin": ModelPlugin, "Estimate": Estimate, "Resources": Resources}
    exec(code, names)
    facts = Facts("binary", "class_proba", 1000, 10, 2, 2)
    found = names["Patient"].estimate(facts, {"rounds": 100})
    assert isinstance(found, Estimate)
    assert 0 < found.seconds < 1
    assert names["Patient"].resources(facts, {})[0].gpus == 1
