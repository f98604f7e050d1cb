"""Suggestions: inside the space, the same for the same seed, better than chance, of any JSON type."""

from __future__ import annotations

import json
from typing import Any

import pytest

from automl.contract import Choice, Float, Int, SearchSpace
from automl.search import proposer as door
from automl.search.proposer import Proposer

SPACE = SearchSpace(
    {
        "rate": Float(0.001, 1.0, log=True),
        "depth": Int(1, 9, step=2),
        "size": Float(0.0, 1.0, step=0.25),
        "kind": Choice((None, True, 1, 1.0, "one", (1, 2))),
    },
    {"rate": 0.1, "depth": 5, "size": 0.5, "kind": None, "fixed": 7},
    {"regression": {"fixed": 8}},
)


def suggestions(seed: int, n: int = 12) -> list[dict[str, Any]]:
    proposer, found = Proposer(SPACE, "regression", seed), []
    proposer.learn(SPACE.point("regression"), 0.1)
    for number in range(n):
        params = proposer.ask()
        proposer.learn(params, float("nan") if number == 3 else -abs(params["rate"] - 0.05))
        found.append(params)
    return found


def test_the_same_seed_and_order_give_the_same_suggestions() -> None:
    assert suggestions(0) == suggestions(0)
    assert suggestions(0) != suggestions(1)


def test_suggestions_lie_in_the_space_and_keep_what_is_no_knob() -> None:
    for params in suggestions(2, 30):
        assert set(params) == {"rate", "depth", "size", "kind", "fixed"}
        assert params["fixed"] == 8
        assert all(knob.holds(params[name]) for name, knob in SPACE.knobs.items())
        assert params["depth"] % 2 == 1
        assert params["size"] in (0.0, 0.25, 0.5, 0.75, 1.0)


def test_options_of_any_type_come_back_as_they_are_and_can_be_written_as_json() -> None:
    found = {repr(params["kind"]) for seed in range(3) for params in suggestions(seed, 40)}
    assert found == {"None", "True", "1", "1.0", "'one'", "(1, 2)"}
    json.dumps(suggestions(0))


@pytest.mark.parametrize("value", [None, True, 1, 1.0, "one", (1, 2)], ids=repr)
def test_a_known_result_counts_for_the_option_that_it_had(value: Any) -> None:
    proposer = Proposer(SPACE, "regression", 0)
    proposer.learn({**SPACE.point("regression"), "kind": value}, 1.0)
    proposer.ask()
    known = proposer._study.trials[0].params["kind"]
    option = SPACE.knobs["kind"].options[known]  # type: ignore[union-attr]
    assert type(option) is type(value)
    assert option == value


def test_results_told_in_between_are_learnt_from() -> None:
    proposer = Proposer(SPACE, "regression", 0)
    proposer.ask()
    proposer.learn(SPACE.point("regression"), 0.5)
    proposer.learn(SPACE.point("regression"), float("nan"))
    assert sum(trial.value == 0.5 for trial in proposer._study.trials) == 1


def test_suggestions_get_closer_to_what_was_good() -> None:
    proposer, rates = Proposer(SPACE, "regression", 0), []
    for _ in range(40):
        params = proposer.ask()
        rates.append(params["rate"])
        proposer.learn(params, -abs(params["rate"] - 0.03))
    early = sum(abs(rate - 0.03) for rate in rates[:10])
    late = sum(abs(rate - 0.03) for rate in rates[-10:])
    assert late < early / 2


def test_an_empty_space_has_nothing_to_suggest() -> None:
    assert Proposer(SearchSpace(), "regression", 0).exhausted
    assert not Proposer(SPACE, "regression", 0).exhausted


def test_a_knob_that_does_not_exist_here_stays_at_its_default() -> None:
    space = SearchSpace(
        {"kind": Choice(("tree", "line")), "depth": Int(1, 99, when={"kind": "tree"})}, {"kind": "line", "depth": 5}
    )
    proposer = Proposer(space, "regression", 0)
    for _ in range(20):
        params = proposer.ask()
        proposer.learn(params, 0.0)
        assert params["kind"] == "tree" or params["depth"] == 5


@pytest.mark.parametrize(
    ("knob", "outside"),
    [(Int(1, 5), 50), (Int(1, 9, step=2), 4), (Float(0.0, 1.0, step=0.25), 0.3), (Choice(("x", "y")), "z")],
)
def test_a_start_point_outside_the_space_is_not_learnt_from_and_harms_nothing(knob: Any, outside: Any) -> None:
    inside = knob.options[0] if isinstance(knob, Choice) else knob.low
    proposer = Proposer(SearchSpace({"a": knob}, {"a": inside}), "regression", 0)
    for value in (inside, outside):
        proposer.learn({"a": value}, 0.5)
    point = proposer.ask()
    assert knob.holds(point["a"])
    proposer.learn({"a": outside}, 0.5)
    proposer.learn(point, 0.1)
    assert [trial.value for trial in proposer._study.trials] == [0.5, 0.1]


def test_a_study_that_has_grown_gives_way_to_one_of_the_best_and_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_BEST", 4)
    monkeypatch.setattr(door, "_LATEST", 4)
    monkeypatch.setattr(door, "_GROWN", 16)
    proposer, sizes, pending = Proposer(SPACE, "regression", 0), [], []
    studies = set()
    for number in range(60):
        pending.append(proposer.ask())
        if number >= 3:  # answers come three suggestions late, also across a change of study
            params = pending.pop(0)
            proposer.learn(params, -abs(params["rate"] - 0.03))
        studies.add(proposer._study)
        sizes.append(len(proposer._study.trials) if proposer._study else 0)
    assert max(sizes) < 16
    assert len(studies) > 4
    assert proposer._known == door.worth_knowing(proposer._known) or len(proposer._known) < 16


def test_the_best_and_the_latest_are_worth_knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_BEST", 2)
    monkeypatch.setattr(door, "_LATEST", 2)
    results = [({"n": n}, score) for n, score in enumerate([0.1, 0.9, 0.3, 0.8, 0.2, 0.0])]
    assert [params["n"] for params, _ in door.worth_knowing(results)] == [1, 3, 4, 5]
    assert door.worth_knowing(results[:4]) == results[:4]


@pytest.mark.parametrize("knob", [Int(1, 1), Int(1, 1000, log=True), Int(0, 7, step=3), Int(-4, 4)], ids=repr)
def test_whole_numbers_reach_both_ends_and_never_leave_them(knob: Any) -> None:
    proposer = Proposer(SearchSpace({"n": knob}, {"n": knob.low}), "regression", 0)
    ends = proposer._plain("n", -1e9), proposer._plain("n", 1e9)
    top = knob.low + (knob.high - knob.low) // (knob.step or 1) * (knob.step or 1)
    assert ends == (knob.low, top)
    for _ in range(30):
        point = proposer.ask()
        assert knob.holds(point["n"])
        assert type(point["n"]) is int
        proposer.learn(point, float(point["n"]))


@pytest.mark.parametrize("grown", [512, 6], ids=["one study", "several"])
def test_another_process_with_the_same_results_suggests_the_same(grown: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_BEST", grown // 3)
    monkeypatch.setattr(door, "_LATEST", grown // 3)
    monkeypatch.setattr(door, "_GROWN", grown)
    first = Proposer(SPACE, "regression", 4)
    results = [(SPACE.point("regression"), 0.1)]
    first.learn(*results[0])
    for turn in range(1, 12):
        params = first.ask(turn)
        other = Proposer(SPACE, "regression", 4)
        for point, score in results:
            other.learn(point, score)
        assert other.ask(turn) == params
        results.append((params, -abs(params["rate"] - 0.05)))
        first.learn(*results[-1])
    assert first.ask(12) != first.ask(13)


def test_a_suggestion_leaves_nothing_behind() -> None:
    proposer = Proposer(SPACE, "regression", 0)
    for number in range(12):
        params = proposer.ask()
        if number % 2:
            proposer.learn(params, params["rate"])
    assert [trial.state.name for trial in proposer._study.trials] == ["COMPLETE"] * 6


def test_anything_lies_in_the_space_reaches_all_of_it_and_is_another_each_time() -> None:
    proposer = Proposer(SPACE, "regression", 0)
    proposer.learn(SPACE.point("regression"), 0.1)
    found = [proposer.anything() for _ in range(200)]
    assert all(knob.holds(params[name]) for params in found for name, knob in SPACE.knobs.items())
    assert {params["size"] for params in found} == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert {params["depth"] for params in found} == {1, 3, 5, 7, 9}
    assert len({repr(params["kind"]) for params in found}) == 6
    assert sum(params["rate"] < 0.03 for params in found) == pytest.approx(100, abs=25)
    assert len({params["rate"] for params in found}) == 200


def test_results_are_kept_while_nothing_is_asked() -> None:
    proposer = Proposer(SPACE, "regression", 0)
    proposer.learn(proposer.ask(), 0.3)
    proposer.rest()
    proposer.learn(proposer.anything(), 0.5)
    proposer.ask()
    assert sorted(trial.value for trial in proposer._study.trials) == [0.3, 0.5]
