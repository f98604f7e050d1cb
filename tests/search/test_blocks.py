"""A feature block is tested beside a family's best candidate on the same folds, and stays only where it helps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from automl.discovery import PluginRef
from automl.execution.job import Job

BLOCK = "pairs"


def with_block(family: Any) -> Any:
    return replace(family, blocks={BLOCK: PluginRef(BLOCK, "nowhere:Pairs")})


def chains(search: Any, name: str) -> list[tuple[str, ...]]:
    """Encoders of the family's trials, oldest first."""
    return [t.candidate.encoders for t in search.board.trials if t.family.name == name]


def answer_with(error: float, block_error: float) -> Any:
    """Wrong by `error`, or by `block_error` with the block; a little less wrong with a higher level."""

    def answer(job: Job) -> float:
        wrong = block_error if BLOCK in job.candidate.encoders else error
        return wrong - 0.001 * float(job.candidate.params["level"]) + 0.0001 * job.fold

    return answer


def test_a_block_that_helps_joins_the_candidates_that_follow(bench: Any) -> None:
    search = bench.search([with_block(bench.family("a", starts=3))], answer_with(1.0, 0.5), n_trials=8)
    found = chains(search, "a")
    assert found[:3] == [(), (), (BLOCK,)]
    assert set(found[3:]) == {(BLOCK,)}


def test_a_block_that_does_not_help_is_not_used_again(bench: Any) -> None:
    search = bench.search([with_block(bench.family("a", starts=3))], answer_with(0.5, 1.0), n_trials=8)
    assert chains(search, "a").count((BLOCK,)) == 1


def test_the_test_takes_the_settings_of_the_best_candidate_so_far(bench: Any) -> None:
    search = bench.search([with_block(bench.family("a", starts=3))], answer_with(1.0, 0.5), n_trials=4)
    plain = search.board.trials[:2]
    tested = search.board.trials[2]
    assert tested.phase == "features"
    assert tested.candidate.params == max(plain, key=lambda t: t.score).candidate.params


def test_what_helped_one_family_is_tested_by_the_next_and_what_did_not_is_not(bench: Any) -> None:
    families = [with_block(bench.family(name, starts=3)) for name in "ab"]
    helped = bench.search(families, answer_with(1.0, 0.5), n_trials=14)
    assert (BLOCK,) in chains(helped, "a")
    assert (BLOCK,) in chains(helped, "b")
    useless = bench.search(families, answer_with(0.5, 1.0), n_trials=14)
    assert sum(chain == (BLOCK,) for name in "ab" for chain in chains(useless, name)) == 1


def test_jobs_carry_the_references_of_their_chain(bench: Any) -> None:
    search = bench.search([with_block(bench.family("a", starts=3))], answer_with(1.0, 0.5), n_trials=4)
    for job in search.executor.jobs:
        assert tuple(ref.name for ref in job.encoders) == job.candidate.encoders


def test_with_one_fold_a_block_must_help_in_its_parts(bench: Any) -> None:
    """A mean error that is lower by luck alone, as some units are hit better and others worse, is no gain."""
    luck = np.tile([0.0, 0.0, 0.0, 0.69, 0.69, 0.69], 10)

    def answer(job: Job) -> Any:
        return helped if BLOCK in job.candidate.encoders else 0.5

    helped: Any = 0.4
    found = bench.search([with_block(bench.family("a", starts=3))], answer, n_trials=6, n_folds=1)
    assert set(chains(found, "a")[3:]) == {(BLOCK,)}
    helped = luck[: len(found.executor.dataset.folds[0].valid)]
    assert np.sqrt(np.mean(helped**2)) < 0.5
    found = bench.search([with_block(bench.family("a", starts=3))], answer, n_trials=6, n_folds=1)
    assert chains(found, "a").count((BLOCK,)) == 1


def test_with_a_clock_a_block_is_tried_on_one_fold_before_anybody_goes_deeper(bench: Any, now: list[float]) -> None:
    families = [with_block(bench.family(name, starts=3)) for name in "ab"]
    clock = {"deadline": now[0] + 1e6, "seconds": 1e6}
    helped = bench.search(families, answer_with(1.0, 0.5), n_trials=8, **clock)
    first = helped.executor.jobs[:3]
    assert [(job.fold, job.candidate.encoders) for job in first] == [(0, ()), (0, ()), (0, (BLOCK,))]
    tested = helped.board.trials[2]
    assert (tested.phase, tested.state) == ("features", "ok")
    assert {chain for name in "ab" for chain in chains(helped, name)[2:]} == {(BLOCK,)}


def test_with_a_clock_a_block_that_gains_nothing_costs_one_fold(bench: Any, now: list[float]) -> None:
    families = [with_block(bench.family(name, starts=3)) for name in "ab"]
    useless = bench.search(families, answer_with(0.5, 0.51), n_trials=8, deadline=now[0] + 1e6, seconds=1e6)
    tested = [trial for trial in useless.board.trials if trial.candidate.encoders]
    assert [(trial.state, list(trial.results)) for trial in tested] == [("pruned", [0])]
    assert tested[0].reason == "its feature block gains nothing"


def test_what_a_block_gained_is_known_when_what_it_was_compared_with_is_given_up(bench: Any, now: list[float]) -> None:
    """The predictions of a trial that was given up are let go, its scores are not."""
    families = [with_block(bench.family("a", starts=3))]
    found = bench.search(families, answer_with(1.0, 0.5), n_trials=4, deadline=now[0] + 1e6, seconds=1e6)
    base = found.board.trials[0]
    trial = next(t for t in found.board.trials if t.candidate.encoders)
    for each in (base, trial):
        each.results = {0: each.results[0]}
    parts = found.scorer.gains(trial, base)
    base.end("pruned")
    assert len(parts) > 1
    assert found.scorer.gains(trial, base) == [pytest.approx(np.mean(parts))]


def test_a_better_family_may_test_once_more_what_gained_nothing_before_it_was_seen(
    bench: Any, now: list[float]
) -> None:
    """Only for the last of four families, whose first fold comes last, is there a gain."""
    families = [with_block(bench.family(name, starts=3)) for name in "abcd"]

    def answer(job: Job) -> Any:
        if job.candidate.model != "d":
            return 0.6 if BLOCK in job.candidate.encoders else 0.5
        return 0.1 if BLOCK in job.candidate.encoders else 0.4

    found = bench.search(families, answer, n_trials=20, deadline=now[0] + 1e6, seconds=1e6, slots=2)
    early = next(trial for trial in found.board.trials if trial.candidate.encoders)
    assert early.candidate.model != "d"
    assert (BLOCK,) in chains(found, "d")
    assert sum((BLOCK,) in chains(found, name) for name in "abc") <= 1
