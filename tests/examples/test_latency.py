"""The script that says what a saved model takes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from latency import main
from sklearn.datasets import load_wine

from automl import AutoML


def test_every_member_of_a_saved_model_has_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wine = load_wine(as_frame=True).frame
    model = AutoML(n_trials=1, models=["tree-baseline"], executor="inline", random_state=0, verbose=0)
    model.fit(wine, "target").save(tmp_path / "model")
    wine[:20].to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.setattr(sys, "argv", ["latency.py", str(tmp_path / "model"), str(tmp_path / "new.csv")])
    main()
    head, *lines = capsys.readouterr().out.splitlines()
    assert "row, ms" in head
    assert {line.split()[0] for line in lines} >= {"ensemble", *(name for name, _ in model.ensemble_)}
    assert all(float(figure) > 0 for line in lines for figure in line.split()[2:])
