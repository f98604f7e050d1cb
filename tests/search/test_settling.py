"""Models that stop by validation rows are judged by fits that did not see any, where rows are few."""

from __future__ import annotations

from typing import Any

import pytest

STEPS = {0: 10, 1: 30, 2: 70}


@pytest.fixture
def run(bench: Any, now: list[float]) -> Any:
    """A search of a minute with three folds, repeated thrice; a fit takes so many seconds."""

    def searched(families: Any, answer: Any, seconds: float = 0.01, **options: Any) -> Any:
        def answered(job: Any) -> Any:
            now[0] += seconds
            return answer(job)

        wanted = {"repeats": 3, "n_trials": None, "deadline": now[0] + 60, "seconds": 60.0, **options}
        return bench.search(families, answered, **wanted)

    return searched


def peeking(job: Any) -> Any:
    """Better on rows that it sees, and with steps found out on each fold."""
    return (0.2, {}) if job.blind else (0.1, {"steps": STEPS[job.fold % 3]})


def test_a_trial_is_judged_by_fits_that_did_not_see_the_validation_rows(bench: Any, run: Any) -> None:
    found = run([bench.family("a", knobs=False)], peeking)
    trial = found.trial("a")
    assert trial.score == pytest.approx(-0.2)
    assert trial.mean() == pytest.approx(-0.2)
    blind = [job for job in found.executor.jobs if job.blind]
    assert [job.fold for job in blind] == [3, 4, 5, 6, 7, 8]
    assert {job.candidate.params["steps"] for job in blind} == {30}
    assert [end.score for end in found.ends()] == [pytest.approx(-0.2)]


def test_no_fold_settles_before_all_of_the_first_repeat_are_back(bench: Any, run: Any) -> None:
    found = run([bench.family("a", knobs=False)], peeking, slots=4)
    assert {job.candidate.params["steps"] for job in found.executor.jobs if job.blind} == {30}


def test_a_model_that_did_not_peek_is_complete_after_the_first_repeat(bench: Any, run: Any) -> None:
    found = run([bench.family("a", knobs=False)], lambda job: 0.4 if job.fold < 3 else 0.0)
    assert not any(job.blind for job in found.executor.jobs)
    assert found.trial("a").score == pytest.approx(-0.4 / 3)


def test_with_many_rows_a_fit_by_the_validation_rows_is_all_there_is(bench: Any, run: Any) -> None:
    found = run([bench.family("a", knobs=False)], peeking, repeats=2)
    assert not any(job.blind for job in found.executor.jobs)
    assert found.trial("a").score == pytest.approx(-0.1)


def test_who_only_looked_good_by_peeking_is_not_the_best(bench: Any, run: Any) -> None:
    def answer(job: Any) -> Any:
        return peeking(job) if job.candidate.model == "a" else 0.15

    found = run([bench.family("a", knobs=False), bench.family("b", knobs=False)], answer)
    assert found.board.best().name == "b"


def test_where_there_is_no_time_to_settle_the_first_repeat_counts(bench: Any, run: Any) -> None:
    found = run([bench.family("a", knobs=False)], peeking, seconds=12.0)
    trial = found.trial("a")
    assert trial.state == "ok"
    assert trial.score == pytest.approx(-0.1)
    assert found.narrowed == [3]


def test_a_trial_that_can_no_longer_settle_is_given_up_beside_one_that_has(bench: Any, run: Any) -> None:
    families = [bench.family("a", knobs=False), bench.family("b", knobs=False)]
    found = run(families, peeking, seconds=6.0)
    states = {trial.name: (trial.state, len(trial.results)) for trial in found.board.trials}
    assert states["a"] == ("ok", 6)
    assert states["b"][0] == "pruned"
    assert found.narrowed == []
