"""What a run writes down while it goes on."""

from __future__ import annotations

from pathlib import Path

from sklearn.datasets import load_iris

from automl import AutoML
from automl.execution.job import Candidate
from automl.store import Journal


def test_the_journal_tells_all_that_a_resumed_run_needs(tmp_path: Path) -> None:
    data = load_iris(as_frame=True).frame
    AutoML(n_trials=1, executor="inline", path=tmp_path / "run", random_state=3, verbose=0).fit(data, "target")
    records = Journal.read(tmp_path / "run" / "journal.jsonl")
    (run,) = [r for r in records if r["type"] == "run"]
    starts = {r["trial"]: r for r in records if r["type"] == "start"}
    ended = {r["trial"]: r for r in records if r["type"] == "trial"}
    assert (run["seed"], run["folds"]) == (3, 5)
    assert set(starts) == set(ended)
    for number, start in starts.items():
        folds = sorted(r["fold"] for r in records if r["type"] == "fold" and r["trial"] == number)
        assert (
            Candidate(start["model"], start["params"], tuple(start["encoders"]), seed=start["seed"]).key == start["key"]
        )
        assert folds == list(range(5)) or ended[number]["state"] != "ok"
