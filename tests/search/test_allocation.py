"""Whose turn it is depends on how good a family is and on what it has been given."""

from __future__ import annotations

import math

from automl.search.allocation import Claim, choose


def turns(bests: dict[str, float], spread: float, rounds: int) -> dict[str, int]:
    """How often each family is chosen when every trial costs 1."""
    given = dict.fromkeys(bests, 0)
    for _ in range(rounds):
        name = choose([Claim(n, b, float(given[n]), 1.0) for n, b in bests.items()], spread)
        assert name is not None
        given[name] += 1
    return given


def test_nobody_claims_nothing() -> None:
    assert choose([], 0.1) is None


def test_equally_good_families_get_equal_shares() -> None:
    assert turns({"a": 0.8, "b": 0.8, "c": 0.8}, 0.1, 30) == {"a": 10, "b": 10, "c": 10}


def test_a_family_gets_the_less_the_further_it_lies_behind_but_is_not_forgotten() -> None:
    shares = [turns({"good": 0.8, "behind": 0.8 - gap}, 0.1, 400)["behind"] for gap in (0.02, 0.1, 0.3)]
    assert 200 > shares[0] > shares[1] > shares[2] > 0


def test_a_family_far_behind_waits_until_the_others_have_had_very_much() -> None:
    assert turns({"good": 0.8, "hopeless": -5.0}, 0.01, 200)["hopeless"] == 0


def test_a_cheap_family_gets_more_turns_than_a_dear_one() -> None:
    claims = [Claim("cheap", 0.8, 10.0, 1.0), Claim("dear", 0.8, 10.0, 100.0)]
    assert choose(claims, 0.1) == "cheap"


def test_without_a_known_spread_all_count_as_equally_good() -> None:
    for spread in (math.nan, math.inf, 0.0):
        assert turns({"a": 0.8, "b": 0.1}, spread, 10) == {"a": 5, "b": 5}


def test_a_family_without_a_score_is_given_a_chance() -> None:
    assert choose([Claim("new", math.nan, 0.0, 1.0), Claim("old", 0.9, 5.0, 1.0)], 0.01) == "new"


def test_ties_are_settled_by_name_so_that_order_does_not_matter() -> None:
    claims = [Claim("a", 0.5, 1.0, 1.0), Claim("b", 0.5, 1.0, 1.0)]
    assert choose(claims, 0.1) == choose(claims[::-1], 0.1)


def test_claims_of_no_cost_are_no_division_by_zero() -> None:
    assert choose([Claim("a", 0.5, 0.0, 0.0)], 0.1) == "a"
