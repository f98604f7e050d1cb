"""Progress on a terminal, in a log, and on a display that breaks."""

from __future__ import annotations

import io
import math
import os
import re
import sys
from collections.abc import Callable, Iterator

import pytest

from automl.contract import Finding
from automl.execution.protocol import NodeUse
from automl.report import Progress
from automl.report.live import drawn
from automl.report.tally import Tally
from automl.search.events import (
    BudgetLeft,
    EnsembleImproved,
    Noticed,
    PhaseStarted,
    RunEvent,
    RunFinished,
    RunStarted,
    TrialFinished,
    TrialReported,
    TrialRetried,
    TrialStarted,
)

HOSTILE = "\x1b[31m[bold]evil\u202e\r\n"


def trial(model: str = "m", score: float | None = 0.8, **changes: object) -> TrialFinished:
    fields: dict[str, object] = {
        "model": model,
        "family": "f",
        "state": "ok",
        "score": score,
        "baseline": False,
        "reason": "",
        "wall": 0.5,
        "seconds_left": 42.0,
    }
    return TrialFinished(**{**fields, **changes})  # type: ignore[arg-type]


RUN: list[RunEvent] = [
    PhaseStarted("baselines", 60.0),
    Noticed(Finding("constant-column", "has one value", "f", "left out")),
    trial("floor", 0.6, baseline=True),
    trial("line", 0.7, baseline=True),
    PhaseStarted("search", 50.0),
    trial("forest", 0.8),
    trial("broken", None, state="failed", reason="error: boom"),
    trial("absent", None, state="skipped", reason="not installed"),
    EnsembleImproved(0.85, 0.7, 2, 30.0),
    RunFinished(0.85, 0.7, 4, 1, 30.5),
]


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def lines_of(events: list[RunEvent], verbose: int = 1, step: float = 10.0) -> list[str]:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(verbose, stream, clock)
    for event in events:
        clock.now += step
        progress(event)
    return stream.getvalue().splitlines()


def test_a_log_has_a_line_for_each_step_when_they_are_slow() -> None:
    lines = lines_of(RUN)
    assert all(line.startswith("automl: ") for line in lines)
    assert lines[0].startswith("automl: baselines · 60 s left")
    assert lines[1] == "automl: note [constant-column] has one value (f): left out"
    assert "best 0.8 · best baseline 0.7 · lift +0.1 · 3 trials" in lines[5]
    assert lines[-1].startswith("automl: done in 30 s · best 0.85 · best baseline 0.7 · lift +0.15")
    assert lines[-1].endswith("lift +0.15 · 4 trials · 1 failed")
    assert "2 in the ensemble" in lines[-2]


def test_the_first_line_names_the_task_and_what_scores_are() -> None:
    began = RunStarted("regression", "rmse", 1800, 5, 2, 60.0, None, negated=True)
    assert lines_of([began])[0].startswith(
        "automl: regression, scores are rmse, negated so that higher is better · 1,800 rows, 5 folds"
    )
    began = RunStarted("binary", "roc_auc", 1800, 1, 2, 60.0, None)
    assert lines_of([began])[0].startswith("automl: binary, scores are roc_auc · 1,800 rows, one held-out part")


def test_a_log_has_at_most_a_line_a_second_apart_from_phases() -> None:
    many: list[RunEvent] = [PhaseStarted("search", 60.0), *(trial() for _ in range(100)), PhaseStarted("finish", 1.0)]
    assert len(lines_of(many, step=0.1)) <= 2 + 10


def test_a_loud_log_says_what_became_of_every_trial() -> None:
    text = "\n".join(lines_of(RUN, verbose=2, step=0.0))
    assert "forest · 0.8 · 0.5 s" in text
    assert "broken · failed: error: boom" in text
    assert "absent · skipped: not installed" in text


def test_quiet_is_silent() -> None:
    assert lines_of(RUN, verbose=0) == []


def test_lines_go_to_stderr_and_never_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    for event in RUN:
        progress(event)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "done in" in captured.err


def test_a_run_without_a_clock_names_no_time_left() -> None:
    assert "left" not in lines_of([PhaseStarted("search", math.inf)])[0]


@pytest.mark.parametrize("verbose", [1, 2])
def test_hostile_names_are_shown_not_obeyed(verbose: int) -> None:
    events: list[RunEvent] = [
        PhaseStarted(HOSTILE, 5.0),
        Noticed(Finding(HOSTILE, HOSTILE, HOSTILE, HOSTILE)),
        trial(HOSTILE),
        trial(HOSTILE, None, state="failed", reason=HOSTILE),
    ]
    for line in lines_of(events, verbose):
        assert line.isprintable()
        assert "[bold]evil" in line or "trials" in line


@pytest.mark.parametrize("name", ["CI", "NO_COLOR"])
def test_ci_and_no_color_get_plain_lines_even_on_a_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    terminal = Terminal()
    Progress(1, terminal)(RUN[0])
    assert "\x1b" not in terminal.getvalue()
    assert terminal.getvalue().startswith("automl: baselines")


@pytest.fixture
def live() -> Iterator[tuple[Progress, Terminal]]:
    terminal = Terminal()
    with Progress(2, terminal) as progress:
        yield progress, terminal


def test_a_terminal_gets_a_live_display_that_is_removed_at_the_end(live: tuple[Progress, Terminal]) -> None:
    progress, terminal = live
    before = sys.stderr
    for event in RUN:
        progress(event)
    written = terminal.getvalue()
    assert "\x1b[?25l" in written
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    assert "note [constant-column]" in shown
    assert "done in 30 s" in shown
    assert sys.stderr is before


def test_hostile_names_do_not_reach_a_live_display(live: tuple[Progress, Terminal]) -> None:
    progress, terminal = live
    progress(PhaseStarted("search", 5.0))
    progress(trial("\x1b]0;owned\x07[bold]x[/bold]"))
    progress(RunFinished(0.8, None, 1, 0, 1.0))
    assert "\x1b]0;" not in terminal.getvalue()
    assert "[bold]x[/bold]" in terminal.getvalue()


def test_a_display_that_is_left_early_gives_the_terminal_back() -> None:
    terminal = Terminal()
    with Progress(1, terminal) as progress:
        progress(PhaseStarted("search", 5.0))
        assert "\x1b[?25h" not in terminal.getvalue()
    assert "\x1b[?25h" in terminal.getvalue()


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError("the pipe is gone")


def test_a_broken_stream_never_reaches_the_run() -> None:
    progress = Progress(1, Broken())
    for event in RUN:
        progress(event)
    progress.close()


def test_a_program_without_stderr_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    progress = Progress(2)
    for event in RUN:
        progress(event)


def test_a_closed_stream_is_survived() -> None:
    stream = io.StringIO()
    stream.close()
    Progress(1, stream)(RUN[0])


def test_a_real_pipe_gets_plain_lines() -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        Progress(1, stream)(RUN[0])
    with os.fdopen(read) as stream:
        assert stream.read().startswith("automl: baselines")


def tallied(events: list[RunEvent], clock: Callable[[], float]) -> Tally:
    tally = Tally(clock)
    for event in events:
        tally.take(event)
    return tally


def test_the_time_left_counts_down_between_events() -> None:
    clock = Clock()
    tally = tallied([PhaseStarted("search", 60.0)], clock)
    clock.now += 45
    assert tally.seconds_left() == 15
    clock.now += 45
    assert tally.seconds_left() == 0


def test_skipped_models_are_no_trials_and_pruned_scores_are_no_best() -> None:
    tally = tallied([trial("a", 0.5), trial("b", 0.9, state="pruned"), trial("c", None, state="skipped")], Clock())
    assert (tally.best, tally.trials, tally.failures) == (0.5, 2, 0)


def test_the_ensemble_is_what_stands_once_there_is_one() -> None:
    tally = tallied([trial("a", 0.9), EnsembleImproved(0.88, 0.7, 3, 10.0), trial("b", 0.95)], Clock())
    assert (tally.best, tally.best_baseline, tally.members) == (0.88, 0.7, 3)


def test_a_baseline_that_just_finished_is_no_loss_until_the_run_ends_so() -> None:
    events: list[RunEvent] = [EnsembleImproved(0.5, 0.5, 1, 10.0), trial("line", 0.9, baseline=True)]
    assert "best 0.9 · best baseline 0.9 · lift 0" in tallied(events, Clock()).standing()
    events.append(RunFinished(0.89, 0.9, 2, 0, 5.0))
    assert "best 0.89 · best baseline 0.9 · lift -0.01" in tallied(events, Clock()).standing()


def budget(running: tuple[str, ...] = ("forest", "line"), busy: int = 2, waiting: int = 3) -> BudgetLeft:
    return BudgetLeft(30.0, 60.0, 4, busy, waiting, running, 5, 0.8, 0.7)


def test_the_display_shows_the_time_as_a_bar_and_what_runs() -> None:
    events: list[RunEvent] = [RunStarted("binary", "auc", 100, 5, 4, 60.0, None), PhaseStarted("search", 45.0)]
    events += [trial("line", 0.7, baseline=True), budget(), TrialReported("forest", 0, 120, 0.4)]
    tally = tallied(events, Clock())
    first, second = drawn(tally)
    assert "search · 30 s left · best 0.7 · best baseline 0.7" in first
    assert second == "  ▕████████        ▏ forest (step 120), line · 2 of 4 slots busy · 3 waiting"


def test_what_ended_runs_no_more_and_many_are_counted() -> None:
    tally = tallied([budget(tuple("abcdef"), busy=6)], Clock())
    assert tally.at_work().startswith("a, b, c, d, 2 more · 6 of 4")
    for name in "abcdef":
        tally.take(trial(name))
    assert tally.at_work() == ""
    tally.take(TrialStarted("g", "g", False, "search", 1.0))
    assert tally.at_work().startswith("g")


def test_a_run_without_a_clock_has_no_bar() -> None:
    tally = tallied([RunStarted("binary", "auc", 100, 5, 1, math.inf, 3), PhaseStarted("search", math.inf)], Clock())
    assert len(drawn(tally)) == 1
    assert "▕" not in drawn(tally)[0]


def test_a_log_hears_once_a_minute_that_a_long_fit_goes_on_and_with_what() -> None:
    lines = lines_of([PhaseStarted("search", 600.0), *[budget()] * 130], step=1.0)
    assert len(lines) == 3
    assert lines[1].endswith("forest, line · 2 of 4 slots busy · 3 waiting")


def test_folds_that_run_again_are_counted_and_told_when_asked() -> None:
    events: list[RunEvent] = [PhaseStarted("search", 60.0), TrialRetried("forest", 2, 1, "node_lost: gone", 50.0)]
    loud = lines_of(events, verbose=2)
    assert loud[1] == "automl: forest · fold 2 runs again · node_lost: gone"
    quiet = lines_of(events)
    assert quiet[1].endswith("1 run again")
    assert not any("gone" in line for line in quiet)


def test_the_last_lines_tell_what_several_nodes_did() -> None:
    nodes = (NodeUse("a", 2, 9, 18.0, 17.0), NodeUse("b", 2, 3, 5.0, 4.0))
    lines = lines_of([RunFinished(0.8, 0.7, 4, 0, 10.0, 0.6, nodes)])
    assert lines[0].startswith("automl: done in 10 s")
    assert [line.split()[1] for line in lines[1:]] == ["node", "a", "b"]
    assert "90%" in lines[2]
    assert len(lines_of([RunFinished(0.8, 0.7, 4, 0, 10.0, 0.6, nodes[:1])])) == 1
