"""Suggestions that another process keeps ready are as good as those made here, and never waited for."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator

import pytest

from automl.contract import Choice, Float, Int, Params, SearchSpace
from automl.search.settings import Settings
from automl.search.suggestions import Suggestions, SuggestionsAhead, suggestions_for

SPACE = SearchSpace(
    {"rate": Float(0.001, 1.0, log=True), "depth": Int(1, 9), "kind": Choice(("one", (1, 2), None))},
    {"rate": 0.1, "depth": 5, "kind": "one"},
)
SPACES = {"tree": SPACE, "line": SearchSpace(), "net": SPACE}


@pytest.fixture
def ahead() -> Iterator[SuggestionsAhead]:
    made = SuggestionsAhead(SPACES, "regression", 0, slots=8)
    yield made
    made.close()


def until(there: Callable[[], bool]) -> None:
    for _ in range(2400):
        if there():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about in two minutes")


def counted(ahead: SuggestionsAhead, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Families for which a suggestion was made here."""
    made, ask = list[str](), Suggestions.ask

    def noting(self: Suggestions, family: str, turn: int) -> Params:
        made.append(family)
        return ask(self, family, turn)

    monkeypatch.setattr(Suggestions, "ask", noting)
    return made


def test_the_first_is_made_here_and_later_ones_are_ready(
    ahead: SuggestionsAhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = counted(ahead, monkeypatch)
    assert SPACE.knobs["rate"].holds(ahead.ask("tree", 1)["rate"])
    assert made == ["tree"]
    until(lambda: ahead._other._heard.qsize() >= 8)
    found = [ahead.ask("tree", turn) for turn in range(2, 10)]
    assert made == ["tree"]
    assert all(knob.holds(params[name]) for params in found for name, knob in SPACE.knobs.items())
    assert len({str(params) for params in found}) > 1


def test_what_is_learnt_is_heeded_there(ahead: SuggestionsAhead) -> None:
    for n in range(60):
        ahead.learn("net", {"rate": 0.001 * 1.1**n, "depth": 1 + n % 9, "kind": "one"}, -abs(n - 30.0))
    ahead.ask("net", 1)
    until(lambda: ahead._other._heard.qsize() >= 8)
    rates = [ahead.ask("net", turn)["rate"] for turn in range(2, 10)]
    best = 0.001 * 1.1**30
    assert sum(best / 3 < rate < best * 3 for rate in rates) >= 5


def test_where_the_process_is_gone_suggestions_are_made_here(
    ahead: SuggestionsAhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead._other._process.kill()
    ahead._other._process.wait()
    made = counted(ahead, monkeypatch)
    for turn in range(5):
        ahead.learn("tree", ahead.ask("tree", turn), 0.5)
    assert made == ["tree"] * 5


def test_nothing_is_suggested_where_nothing_can_be_chosen(ahead: SuggestionsAhead) -> None:
    assert ahead.exhausted("line")
    assert not ahead.exhausted("tree")
    ahead.learn("line", {}, 1.0)
    ahead.learn("unknown", {}, 1.0)


def test_only_a_clocked_search_with_many_slots_asks_another_process() -> None:
    for settings in (Settings(slots=64, n_trials=9), Settings(slots=8, deadline=9.0, seconds=9.0)):
        assert type(suggestions_for(SPACES, "regression", settings)) is Suggestions
    many = suggestions_for(SPACES, "regression", Settings(slots=64, deadline=9.0, seconds=9.0))
    assert type(many) is SuggestionsAhead
    many.close()


def test_the_process_ends_with_a_driver_that_was_killed() -> None:
    code = """
        import os, signal
        from automl.contract import Float, SearchSpace
        from automl.search.suggestions import SuggestionsAhead
        ahead = SuggestionsAhead({"a": SearchSpace({"x": Float(0.0, 1.0)}, {"x": 0.5})}, "regression", 0, 64)
        print(ahead._other._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    pid = int(done.stdout)

    def gone() -> bool:
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True

    until(gone)
