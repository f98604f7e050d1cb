"""Events as lines of JSON: whole, readable by anybody, and still readable after a crash."""

from __future__ import annotations

import copy
import json
import math
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from automl.contract import ArtifactError, Finding, OptionError
from automl.events import (
    BudgetLeft,
    EnsembleImproved,
    JsonLines,
    Noticed,
    PhaseStarted,
    RunEvent,
    RunFinished,
    RunStarted,
    TrialFailed,
    TrialFinished,
    TrialReported,
    TrialRetried,
    TrialStarted,
    read_events,
)
from automl.execution.protocol import NodeUse

RUN: list[RunEvent] = [
    RunStarted("binary", "roc_auc", 100, 5, 2, math.inf, 3),
    Noticed(Finding("constant-column", "has one value", "f\n\u2028é", "left out")),
    PhaseStarted("baselines", math.inf),
    TrialStarted("floor", "floor", True, "baseline", 10.0),
    TrialReported("floor", 0, 10, math.nan),
    TrialRetried("floor", 0, 1, "node_lost: gone", 9.0),
    TrialFinished("floor", "floor", "ok", 0.6, True, "", 0.5, 8.0),
    TrialFailed("bad", "bad", "failed", None, False, "error: boom", 0.0, 7.0, "Traceback\n  …", "error"),
    BudgetLeft(6.0, 10.0, 2, 1, 0, ("floor",), 2, None, 0.6),
    EnsembleImproved(0.8, 0.6, 2, 5.0),
    RunFinished(0.8, 0.6, 2, 1, 5.0, 0.9, (NodeUse("here", 2, 7, 8.0, 7.5),)),
]


def write(path: Path, events: list[RunEvent]) -> Path:
    sink = JsonLines(path)
    for event in events:
        sink(event)
    sink.close()
    return path


def test_every_event_is_a_line_with_its_name_its_time_and_its_fields(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    lines = write(tmp_path / "run.jsonl", RUN).read_text(encoding="utf-8").split("\n")
    assert {type(event) for event in RUN} == set(get_args(RunEvent))
    assert lines.pop() == ""
    records = [json.loads(line) for line in lines]
    assert [record["event"] for record in records] == [
        *("run_started", "noticed", "phase_started", "trial_started", "trial_reported", "trial_retried"),
        *("trial_finished", "trial_failed", "budget_left", "ensemble_improved", "run_finished"),
    ]
    for event, record in zip(RUN, records, strict=True):
        assert set(record) == {"event", "time", *vars(event)}
        time = datetime.fromisoformat(record["time"])
        assert time.utcoffset() == timedelta(0)
        assert before <= time <= datetime.now(UTC)
    assert records[1]["finding"]["where"] == "f\n\u2028é"
    assert records[-1]["nodes"] == [{"name": "here", "slots": 2, "jobs": 7, "busy_seconds": 8.0, "cpu_seconds": 7.5}]


def test_what_json_cannot_say_is_null(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", RUN)
    assert "NaN" not in path.read_text(encoding="utf-8")
    assert "Infinity" not in path.read_text(encoding="utf-8")
    records = list(read_events(path))
    assert records[0]["seconds"] is None
    assert records[4]["value"] is None


def test_a_line_is_there_as_soon_as_the_event_is(tmp_path: Path) -> None:
    sink = JsonLines(tmp_path / "run.jsonl")
    for count, event in enumerate(RUN, 1):
        sink(event)
        assert len(list(read_events(tmp_path / "run.jsonl"))) == count


def test_a_file_cut_anywhere_gives_its_whole_lines_and_another_run_goes_on_behind_it(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.jsonl", RUN[:3]).read_bytes()
    path = tmp_path / "run.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n")
        assert len(list(read_events(path))) == kept
        if cut % 7 == 0 or cut == len(whole):
            write(path, RUN[3:5])
            names = [record["event"] for record in read_events(path)]
            known = kept + (cut > 0 and whole[:cut].endswith(b"}"))  # only its line end was lost, which was put there
            assert len(names) == known + 2
            assert names[-2:] == ["trial_started", "trial_reported"]


def test_a_file_of_something_else_is_refused_with_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", RUN[:1])
    with path.open("a", encoding="utf-8") as file:
        file.write("a,b,c\n")
    with pytest.raises(ArtifactError, match="line 2 of"):
        list(read_events(path))
    with pytest.raises(ArtifactError, match="cannot read"):
        list(read_events(tmp_path / "absent.jsonl"))


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="it is a folder"):
        JsonLines(tmp_path)
    with pytest.raises(OptionError, match="there is no folder"):
        JsonLines(tmp_path / "absent" / "run.jsonl")


def test_it_can_be_copied_as_estimators_are(tmp_path: Path) -> None:
    sink = JsonLines(tmp_path / "run.jsonl")
    sink(RUN[0])
    for other in (copy.deepcopy(sink), pickle.loads(pickle.dumps(sink))):
        other(RUN[2])
        other.close()
    sink(RUN[-1])
    names = [record["event"] for record in read_events(tmp_path / "run.jsonl")]
    assert names == ["run_started", "phase_started", "phase_started", "run_finished"]


def test_nothing_is_made_before_the_first_event(tmp_path: Path) -> None:
    JsonLines(tmp_path / "run.jsonl").close()
    assert not (tmp_path / "run.jsonl").exists()
