"""A whole search over scripted answers: what is tried, in which order, and what is given up."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from automl.contract import ArtifactError, ExecutionError
from automl.execution.job import Event
from automl.execution.protocol import Capacity


def wrong_by(levels: dict[str, float]) -> Any:
    """An answer that is wrong by a number for each model, a bit more with every further trial."""
    return lambda job: levels[job.candidate.model] + 0.01 * abs(job.candidate.params.get("level", 0.5) - 0.5)


def test_baselines_come_first_on_all_their_folds(bench: Any) -> None:
    families = [bench.family("new"), bench.family("plain", baseline=True), bench.family("simple", baseline=True)]
    found = bench.search(families, wrong_by({"new": 0.1, "plain": 1.0, "simple": 2.0}), n_trials=2)
    assert {name for name, _ in found.order[:6]} == {"plain", "simple"}
    assert found.order[6][0] == "new"
    assert [t.state for t in found.board.trials[:3]] == ["ok"] * 3


def test_every_family_is_seen_once_before_any_is_looked_at_closely(bench: Any) -> None:
    families = [bench.family(name) for name in "abcd"]
    found = bench.search(families, wrong_by({"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}), n_trials=4)
    assert found.order[:4] == [("a", 0), ("b", 0), ("c", 0), ("d", 0)]
    assert found.order[4] == ("d", 1)


def test_the_best_first_fold_goes_deeper_first(bench: Any) -> None:
    families = [bench.family(name) for name in "abc"]
    found = bench.search(families, wrong_by({"a": 0.2, "b": 0.1, "c": 0.3}), n_trials=3)
    assert next(name for name, fold in found.order if fold > 0) == "b"


def test_a_hopeless_trial_is_given_up_with_its_reason_and_its_models_dropped(bench: Any) -> None:
    def answer(job: Any) -> float:
        if job.candidate.model == "bad":
            return 0.5 if job.candidate.params["level"] == 0.5 else 9.0
        return {"good": 0.1, "base": 1.0}[job.candidate.model]

    families = [bench.family("good", knobs=False), bench.family("bad", starts=1), bench.family("base", baseline=True)]
    found = bench.search(families, answer, n_trials=3)
    assert found.trial("bad").state == "ok"  # a family's first trial is shown on all folds
    bad = found.trial("bad-2")
    assert bad.state == "pruned"
    assert len(bad.results) == 1
    assert "worst fold" in bad.reason
    assert "good" in bad.reason
    assert bad in found.dropped
    assert [e.state for e in found.ends() if e.model == "bad-2"] == ["pruned"]


def test_a_candidate_that_is_behind_goes_on_when_mixing_it_in_helps(bench: Any) -> None:
    def answer(job: Any) -> float:  # errors on the other side cancel out
        if job.candidate.model != "odd":
            levels: dict[str, float] = {"good": 0.1 + 0.01 * job.fold, "base": 1.0}
            return levels[job.candidate.model]
        return -0.3 if job.candidate.params["level"] != 0.5 else -0.2

    families = [bench.family("good", knobs=False), bench.family("odd", starts=1), bench.family("base", baseline=True)]
    found = bench.search(families, answer, n_trials=3)
    assert found.trial("odd-2").score < found.trial("good").score
    assert found.trial("odd-2").state == "ok"


def test_a_baseline_is_never_given_up(bench: Any) -> None:
    families = [bench.family("good"), bench.family("base", baseline=True)]
    found = bench.search(families, wrong_by({"good": 0.1, "base": 99.0}), n_trials=2)
    assert found.trial("base").state == "ok"


@pytest.mark.parametrize("n_trials", [1, 2, 5, 9])
@pytest.mark.parametrize("slots", [1, 3])
def test_exactly_as_many_trials_are_made_as_asked_for_beside_the_baselines(
    bench: Any, n_trials: int, slots: int
) -> None:
    families = [bench.family("a"), bench.family("b"), bench.family("base", baseline=True)]
    found = bench.search(families, wrong_by({"a": 0.1, "b": 0.2, "base": 1.0}), n_trials=n_trials, slots=slots)
    tried = [trial for trial in found.board.trials if not trial.baseline]
    assert len(tried) == n_trials
    assert all(not trial.running for trial in found.board.trials)


def test_a_number_of_trials_is_meant_also_where_time_is_limited(bench: Any, now: list[float]) -> None:
    limit = {"deadline": now[0] + 1e6, "seconds": 1e6}
    found = bench.search([bench.family("a")], wrong_by({"a": 0.1}), n_trials=70, rows=60, **limit)
    assert len(found.board.trials) == 70


def test_the_search_ends_when_there_is_nothing_new_to_try(bench: Any) -> None:
    found = bench.search([bench.family("a", knobs=False)], wrong_by({"a": 0.1}), n_trials=50)
    assert len(found.board.trials) == 1


def test_no_configuration_is_tried_twice(bench: Any) -> None:
    found = bench.search([bench.family("a", starts=3)], wrong_by({"a": 0.1}), n_trials=12)
    keys = [trial.candidate.key for trial in found.board.trials]
    assert len(set(keys)) == len(keys) == 12
    assert len({trial.name for trial in found.board.trials}) == 12


def test_start_points_come_before_suggestions(bench: Any) -> None:
    found = bench.search([bench.family("a", starts=3)], wrong_by({"a": 0.1}), n_trials=6)
    assert [trial.phase for trial in found.board.trials] == ["start"] * 4 + ["search"] * 2
    assert [trial.candidate.params["level"] for trial in found.board.trials[:4]] == pytest.approx([0.5, 0.1, 0.2, 0.3])


def test_counted_trials_depend_on_nothing_but_the_seed(bench: Any, now: list[float]) -> None:
    def run(step: float, seed: int) -> list[Any]:
        def answer(job: Any) -> Any:
            now[0] += step
            return 0.1 + abs(job.candidate.params["level"] - 0.3)

        found = bench.search([bench.family("a"), bench.family("b", seconds=50.0)], answer, n_trials=10, seed=seed)
        return [(t.name, t.candidate.params, t.score, t.state) for t in found.board.trials]

    assert run(0.0, 1) == run(1e5, 1)
    assert run(0.0, 1) != run(0.0, 2)


def test_time_ends_the_search(bench: Any, now: list[float]) -> None:
    def answer(job: Any) -> Any:
        now[0] += 1.0
        return 0.1 + abs(job.candidate.params["level"] - 0.3)

    found = bench.search([bench.family("a")], answer, n_trials=None, deadline=now[0] + 40.0, seconds=40.0)
    assert 30 < len(found.executor.jobs) <= 40
    assert now[0] <= 1040.0
    assert all(not trial.running for trial in found.board.trials)


def test_where_no_contender_can_have_all_folds_in_time_fewer_count(bench: Any, now: list[float]) -> None:
    def answer(job: Any) -> float:
        now[0] += 0.1 if job.candidate.model == "base" else 12.0
        return {"a": 0.2, "b": 0.1, "base": 1.0}[job.candidate.model]

    families = [bench.family("base", baseline=True), bench.family("a"), bench.family("b")]
    found = bench.search(families, answer, n_folds=4, n_trials=None, deadline=now[0] + 40.0, seconds=40.0)
    assert found.narrowed
    folds = found.narrowed[-1]
    assert folds < 4
    assert found.trial("b").state == "ok"
    assert sorted(found.trial("b").results) == list(range(folds))
    assert sorted(found.trial("base").results) == list(range(folds))


def test_with_more_slots_than_scouts_the_search_waits_for_them_and_goes_on_with_the_best(
    bench: Any, now: list[float]
) -> None:
    def answer(job: Any) -> float:
        now[0] += 1.0
        return float("abcdef".index(job.candidate.model) + 0.1 * abs(job.candidate.params["level"] - 0.3))

    families = [bench.family(name) for name in "abcdef"]
    limit = {"n_trials": None, "deadline": now[0] + 200.0, "seconds": 200.0}
    found = bench.search(families, answer, slots=64, rows=100_000, **limit)
    scouts = [trial for trial in found.board.trials if trial.scout]
    assert {trial.family.name for trial in scouts} == set("abcdef")
    others = {trial.family.name for trial in found.board.trials if not trial.scout}
    assert "a" in others
    assert 4 <= len(others) < 6


def test_folds_stay_as_they_are_once_a_contender_has_them_all(bench: Any, now: list[float]) -> None:
    def answer(job: Any) -> float:
        now[0] += 1.0
        return 0.1

    found = bench.search([bench.family("a")], answer, n_folds=4, n_trials=None, deadline=now[0] + 12.0, seconds=12.0)
    assert found.narrowed == []
    assert found.board.best().name == "a"


def test_a_run_that_is_stopped_keeps_all_folds_for_the_process_that_goes_on(bench: Any, now: list[float]) -> None:
    done: list[int] = []

    def answer(job: Any) -> float:
        now[0] += 1.0
        done.append(job.fold)
        return 0.1

    stopped = lambda: len(done) >= 2  # noqa: E731
    limit = {"n_trials": None, "deadline": now[0] + 40.0, "seconds": 40.0}
    found = bench.search([bench.family("a")], answer, n_folds=4, stopped=stopped, **limit)
    assert found.narrowed == []
    assert found.trial("a").state == "pruned"


def test_a_family_that_is_too_dear_for_the_time_is_not_begun(bench: Any, now: list[float]) -> None:
    def answer(job: Any) -> Any:
        now[0] += 0.5
        return 0.1 + abs(job.candidate.params["level"] - 0.3)

    families = [bench.family("cheap", seconds=0.5), bench.family("dear", seconds=1e4)]
    found = bench.search(families, answer, n_trials=None, deadline=now[0] + 30.0, seconds=30.0)
    assert {trial.family.name for trial in found.board.trials} == {"cheap"}


def test_a_failure_is_recorded_and_the_others_go_on(bench: Any) -> None:
    def answer(job: Any) -> Any:
        return "crashed" if job.candidate.model == "bad" and job.fold == 1 else 0.2

    families = [bench.family("bad", knobs=False), bench.family("good", knobs=False)]
    found = bench.search(families, answer, n_trials=2)
    bad = found.trial("bad")
    assert (bad.state, bad.kind) == ("failed", "crashed")
    assert bad.reason.startswith("crashed: crashed on purpose")
    assert found.trial("good").state == "ok"
    assert found.board.failures() == 1
    assert bad in found.dropped
    assert {note["state"] for note in found.notes if note["type"] == "trial"} == {"failed", "ok"}


@pytest.mark.parametrize("kind", ["error", "invalid", "oom", "timeout", "crashed"])
def test_a_family_that_always_fails_is_left_alone_after_two_starts(bench: Any, kind: str) -> None:
    families = [bench.family("bad", starts=5), bench.family("good", starts=5)]
    found = bench.search(families, lambda job: kind if job.candidate.model == "bad" else 0.2, n_trials=12)
    bad = found.board.of(families[0])
    assert len(bad) == 2
    assert {trial.kind for trial in bad} == {kind}


def test_what_failed_after_a_good_fold_is_no_example(bench: Any) -> None:
    """A family is not thought the better for a setting that is good on its first fold and never comes back."""

    def answer(job: Any) -> Any:
        level = job.candidate.params["level"]
        return "timeout" if job.fold and level > 0.5 else 0.5 - 0.4 * level

    family = bench.family("a")
    found = bench.search([family], answer, n_trials=30)
    failed = [trial for trial in found.board.trials if trial.state == "failed"]
    complete = max(trial.mean() for trial in found.board.ok())
    assert max(trial.mean() for trial in failed) > complete
    assert found.board.account(family).best_mean() == complete


def test_what_waits_of_a_candidate_that_is_given_up_is_called_off(bench: Any, now: list[float]) -> None:
    """Its fits that have not begun never run."""
    ran: list[tuple[int, int]] = []

    def answer(job: Any) -> Any:
        now[0] += 1.0
        ran.append((job.id, job.fold))
        good = job.candidate.params["level"] < 0.3 or job.fold == 0
        return 0.1 if good else 5.0

    families = [bench.family(name, starts=4) for name in "ab"]
    limit = {"n_trials": None, "deadline": now[0] + 120.0, "seconds": 120.0}
    found = bench.search(families, answer, n_folds=8, slots=2, **limit)
    pruned = [trial for trial in found.board.trials if trial.state == "pruned" and len(trial.results) > 1]
    assert pruned
    assert len(found.executor.jobs) > len(ran)
    assert not found.executor.killed or len(found.executor.killed) <= 4


def losing(times: int, kind: str, on: tuple[int, ...] = (1,), own: bool = True) -> Any:
    """Answers that end so many jobs on these folds with a loss."""
    seen: list[int] = []

    def answer(job: Any) -> Any:
        if job.fold in on and len(seen) < times:
            seen.append(job.id)
            return Event(job.id, kind, message="lost on purpose", own=own)  # type: ignore[arg-type]
        return 0.2

    return answer


def test_a_lost_node_is_tried_again_five_times_and_no_more(bench: Any) -> None:
    family = [bench.family("a", knobs=False)]
    survived = bench.search(family, losing(5, "node_lost"), n_trials=1)
    assert survived.trial("a").state == "ok"
    assert [fold for _, fold in survived.order].count(1) == 6
    lost = bench.search(family, losing(99, "node_lost"), n_trials=1)
    assert (lost.trial("a").state, lost.trial("a").kind) == ("failed", "node_lost")
    assert [fold for _, fold in lost.order].count(1) == 6
    assert "6th time" in lost.trial("a").reason


@pytest.mark.parametrize(("kind", "own"), [("crashed", True), ("oom", False)])
def test_a_candidate_is_given_another_worker_once_and_put_away_when_it_kills_that_too(
    bench: Any, kind: str, own: bool
) -> None:
    family = [bench.family("a", knobs=False)]
    survived = bench.search(family, losing(1, kind, own=own), n_trials=1)
    assert survived.trial("a").state == "ok"
    assert sorted(fold for _, fold in survived.order) == [0, 1, 1, 2]
    poison = bench.search(family, losing(99, kind, on=(1, 2), own=own), n_trials=1)
    assert (poison.trial("a").state, poison.trial("a").kind) == ("failed", kind)
    assert len([fold for _, fold in poison.order if fold]) <= 3
    assert "tried no more" in poison.trial("a").reason


def test_what_is_over_its_own_memory_cap_is_not_tried_again(bench: Any) -> None:
    found = bench.search([bench.family("a", knobs=False)], losing(1, "oom"), n_trials=1)
    assert (found.trial("a").state, len(found.order)) == ("failed", 2)


def test_a_scout_whose_worker_was_lost_is_scouted_again_however_dear_its_family_is(
    bench: Any, now: list[float]
) -> None:
    """On all rows it could not be had in time; the search goes on with the others."""
    families = [bench.family(name) for name in "abc"] + [bench.family("dear", seconds=500.0)]
    seen: list[int] = []

    def answer(job: Any) -> Any:
        now[0] += 1.0
        if job.candidate.model == "dear" and not seen:
            seen.append(job.id)
            return Event(job.id, "crashed", message="lost on purpose")
        return 0.3

    limit = {"n_trials": None, "deadline": now[0] + 100.0, "seconds": 100.0}
    found = bench.search(families, answer, slots=8, rows=100_000, **limit)
    assert next(t.state for t in found.board.trials if t.family.name == "dear" and t.scout) == "pruned"
    assert {t.family.name for t in found.board.ok()} >= set("abc")


def test_a_lost_cluster_ends_the_search_with_what_there_is(bench: Any) -> None:
    class Perishable(bench.executor):  # type: ignore[misc]
        """Is lost after four jobs."""

        def capacity(self) -> Capacity:
            return Capacity(1, 0, lost="the head is gone" if len(self.jobs) >= 4 else "")

    families = [bench.family("base", baseline=True), bench.family("a")]
    found = bench.search(families, lambda job: 0.2, n_trials=9, executor=Perishable)
    assert len(found.order) == 4
    assert found.trial("base").state == "ok"
    assert found.trial("a").reason == "the run ended with 1 of 3 folds done"
    ended = [note["trial"] for note in found.notes if note["type"] == "trial"]
    assert ended == [found.trial("base").number]  # a resumed run goes on with the other, whose fold is kept
    assert found.dropped == []


def test_the_search_follows_a_cluster_that_grows_and_shrinks(bench: Any) -> None:
    class Breathing(bench.executor):  # type: ignore[misc]
        """Has other slots after each job."""

        most = 0

        def capacity(self) -> Capacity:
            self.most = max(self.most, len(self._queue))
            return Capacity(1 + len(self.jobs) % 4, 0)

    found = bench.search([bench.family("a")], lambda job: 0.2, n_trials=9, executor=Breathing)
    assert found.executor.most > 1
    assert found.board.settings.slots > 1
    assert len(found.board.trials) == 9


@pytest.mark.parametrize("slots", [1, 3])
def test_a_node_lost_with_the_first_fold_of_a_trial_does_not_lose_the_trial(bench: Any, slots: int) -> None:
    seen: list[int] = []

    def answer(job: Any) -> Any:
        if job.candidate.model == "a" and not seen:
            seen.append(job.id)
            return "node_lost"
        return 0.2

    found = bench.search(
        [bench.family("a", knobs=False), bench.family("b", knobs=False)], answer, n_trials=2, slots=slots
    )
    assert [trial.state for trial in found.board.trials] == ["ok", "ok"]


def test_a_job_that_can_never_run_here_costs_only_its_trial(bench: Any) -> None:
    class Small(bench.executor):  # type: ignore[misc]
        def submit(self, job: Any) -> None:
            if job.candidate.model == "big":
                raise ExecutionError("no node has 99 cores")
            super().submit(job)

    families = [bench.family("big", knobs=False), bench.family("a", knobs=False)]
    found = bench.search(families, lambda job: 0.2, n_trials=2, executor=Small)
    assert (found.trial("big").state, found.trial("big").reason) == ("failed", "invalid: no node has 99 cores")
    assert found.trial("a").state == "ok"


def test_a_model_that_cannot_be_kept_costs_only_its_trial(bench: Any) -> None:
    def keep(trial: Any, fold: int, outcome: Any) -> dict[str, Any]:
        if trial.family.name == "bad":
            raise ArtifactError("'a:b' is no name for a file of an artifact")
        return {}

    families = [bench.family("bad", knobs=False), bench.family("a", knobs=False)]
    found = bench.search(families, lambda job: 0.2, n_trials=2, keep=keep)
    assert (found.trial("bad").state, found.trial("bad").kind) == ("failed", "invalid")
    assert "no name for a file" in found.trial("bad").reason
    assert found.trial("a").state == "ok"


def test_other_folds_of_a_failed_trial_are_called_off(bench: Any) -> None:
    found = bench.search([bench.family("a", knobs=False)], lambda job: "error", n_trials=1, slots=3, n_folds=3)
    assert len(found.executor.jobs) <= 3
    assert found.trial("a").state == "failed"
    running = {job.id for job in found.executor.jobs[1:]}
    assert set(found.executor.killed) == running


def test_predictions_without_a_score_make_the_trial_fail(bench: Any) -> None:
    found = bench.search([bench.family("a", knobs=False)], lambda job: math.nan, n_trials=1)
    trial = found.trial("a")
    assert (trial.state, trial.kind) == ("failed", "invalid")
    assert "undefined" in trial.reason or "scored" in trial.reason


def test_a_stop_ends_the_search_and_unfinished_trials_are_pruned(bench: Any) -> None:
    count = [0]

    def answer(job: Any) -> Any:
        count[0] += 1
        return 0.2

    found = bench.search([bench.family("a")], answer, n_trials=9, stopped=lambda: count[0] >= 4)
    assert count[0] == 4
    states = [trial.state for trial in found.board.trials]
    assert states[0] == "ok"
    assert set(states[1:]) <= {"pruned"}
    assert all("run was stopped" in trial.reason for trial in found.board.trials[1:])


def test_every_trial_is_told_once_and_every_fold_kept(bench: Any) -> None:
    found = bench.search([bench.family("a"), bench.family("b")], wrong_by({"a": 0.1, "b": 0.2}), n_trials=5)
    assert len(found.ends()) == len({event.model for event in found.ends()}) == 5
    complete = [trial for trial in found.board.trials if trial.state == "ok"]
    assert {(trial.name, fold) for trial in complete for fold in range(3)} <= set(found.kept)
    assert [trial.name for trial in found.finished] == [e.model for e in found.ends() if e.state == "ok"]


def test_slots_are_kept_busy(bench: Any) -> None:
    busy: list[int] = []

    class Watched(bench.executor):  # type: ignore[misc]
        def wait(self, timeout: float) -> Any:
            busy.append(len(self._queue))
            return super().wait(timeout)

    families = [bench.family("a"), bench.family("b")]
    found = bench.search(families, lambda job: 0.2, n_trials=12, slots=4, executor=Watched)
    assert max(busy) == 4
    assert sorted(busy)[len(busy) // 2] >= 3
    assert len({job.id for job in found.executor.jobs}) == len(found.executor.jobs)


def test_a_baseline_with_knobs_that_the_user_named_is_tuned_like_any_family(bench: Any) -> None:
    families = [bench.family("a"), bench.family("base", baseline=True, knobs=True)]
    found = bench.search(families, wrong_by({"a": 0.2, "base": 0.1}), n_trials=8)
    tuned = [trial for trial in found.board.trials if trial.family.name == "base"]
    assert [trial.baseline for trial in tuned][:2] == [True, False]
    assert found.board.best(baseline=True).name == "base"


def test_a_score_is_over_all_rows_and_higher_is_better(bench: Any) -> None:
    found = bench.search([bench.family("a", knobs=False)], lambda job: 0.25, n_trials=1)
    assert found.trial("a").score == pytest.approx(-0.25)
    assert found.board.best() is found.trial("a")


def test_further_repeats_steady_a_good_trial_without_counting_its_rows_twice(bench: Any, now: list[float]) -> None:
    def answer(job: Any) -> Any:
        now[0] += 0.01
        return 0.4 if job.fold < 3 else 0.0

    found = bench.search(
        [bench.family("a", knobs=False)], answer, repeats=2, n_trials=None, deadline=now[0] + 60, seconds=60.0
    )
    trial = found.trial("a")
    assert len(trial.results) == 6
    assert trial.score == pytest.approx(-0.2)
    assert sum(len(p) for p in trial.judged) == 60


def test_repeats_go_to_the_best_two_of_each_family_not_to_many_that_are_alike(bench: Any, now: list[float]) -> None:
    def answer(job: Any) -> Any:
        now[0] += 0.01
        worse = {"a": 0.1, "b": 0.11, "c": 0.12}[job.candidate.model]
        return worse + 0.3 * (job.fold % 3) + 0.001 * abs(job.candidate.params["level"] - 0.5)

    families = [bench.family(name, starts=4) for name in "abc"]
    found = bench.search(families, answer, repeats=2, n_trials=None, deadline=now[0] + 60, seconds=60.0)
    jobs = found.executor.jobs
    begun = next(n for n, job in enumerate(jobs) if job.fold >= 3)
    keys = list(dict.fromkeys(job.candidate.key for job in jobs[begun:] if job.fold >= 3))[:6]
    for name in "abc":
        known = [t for t in found.board.trials[:14] if t.family.name == name]
        best = sorted(known, key=lambda t: (-t.mean([0, 1, 2]), t.number))[:2]
        assert len(known) > 2
        assert {t.candidate.key for t in best} == {key for key in keys if key in {t.candidate.key for t in known}}


def test_models_are_saved_only_where_they_are_wanted(bench: Any) -> None:
    found = bench.search([bench.family("a", knobs=False)], lambda job: 0.1, n_trials=1, wants=lambda t, fold: fold < 2)
    assert [(job.fold, job.save) for job in found.executor.jobs] == [(0, True), (1, True), (2, False)]


def test_what_is_clearly_behind_or_has_failed_in_a_repeat_is_repeated_no_more(bench: Any, now: list[float]) -> None:
    def answer(job: Any) -> Any:
        now[0] += 0.01
        if job.candidate.model == "breaks" and job.fold >= 3:
            return "error"
        return {"good": 0.1, "breaks": 0.11, "plain": 9.0}[job.candidate.model] + 0.01 * (job.fold % 3)

    families = [bench.family(name, knobs=False) for name in ("good", "breaks")]
    families.append(bench.family("plain", baseline=True))
    found = bench.search(families, answer, repeats=3, n_trials=None, deadline=now[0] + 60, seconds=60.0)
    assert {t.name: len(t.results) for t in found.board.trials} == {"good": 9, "breaks": 3, "plain": 3}
    assert [t.name for t in found.board.trials if t.closed] == ["breaks"]
    assert sum(job.candidate.model == "breaks" for job in found.executor.jobs) <= 5


def test_a_repeat_is_whole_in_whatever_order_its_folds_come_back(bench: Any, now: list[float]) -> None:
    """The last fold of the second repeat comes after the first of the third, and makes the predictions steadier."""

    class Late(bench.executor):  # type: ignore[misc]
        def wait(self, timeout: float) -> list[Event]:
            if len(self._queue) > 1 and self._queue[0].fold == 5:
                self._queue.reverse()
            events: list[Event] = super().wait(timeout)
            return events

    def answer(job: Any) -> Any:
        now[0] += 0.01
        order.append(job.fold)
        return [0.4, 0.2, 0.0][job.fold // 3] if job.fold != 7 else "error"

    order: list[int] = []
    options = {"n_trials": None, "deadline": now[0] + 60, "seconds": 60.0, "executor": Late, "slots": 2}
    found = bench.search([bench.family("a", knobs=False)], answer, repeats=3, **options)
    assert order.index(6) < order.index(5)
    assert found.trial("a").closed
    assert found.trial("a").score == pytest.approx(-0.3)


@pytest.mark.parametrize(("first", "tried"), [(20.0, 3), (42.0, 2), (46.0, 1)])
def test_a_dear_trial_gets_the_rest_of_the_time_when_nobody_else_wants_it(
    bench: Any, now: list[float], first: float, tried: int
) -> None:
    """A fit of 14 s is more than a fifth of the minute."""

    class Slow(bench.executor):  # type: ignore[misc]
        isolates = False  # no job waits beside the one that runs

        def wait(self, timeout: float) -> list[Event]:
            events = super().wait(timeout)
            return [replace(e, outcome=replace(e.outcome, wall=14.0)) if e.outcome else e for e in events]

    def answer(job: Any) -> Any:
        now[0] += 14.0 if job.id else first
        return 0.1

    options = {"n_folds": 1, "n_trials": None, "deadline": now[0] + 60, "seconds": 60.0, "executor": Slow}
    found = bench.search([bench.family("a", seconds=14.0)], answer, **options)
    states = [trial.state for trial in found.board.trials]
    assert states == ["ok"] * tried


def test_the_score_on_one_fold_has_a_standard_error_too(bench: Any) -> None:
    def varied(job: Any) -> Any:
        units = len(bench.table()) if job.fold < 0 else len(executors[-1].dataset.folds[job.fold].valid)
        return np.linspace(0.0, 1.0, units)

    executors: list[Any] = []

    class Known(bench.executor):  # type: ignore[misc]
        def open(self, dataset: Any) -> None:
            super().open(dataset)
            executors.append(self)

    alike = bench.search([bench.family("a", knobs=False)], lambda job: 0.2, n_folds=1, n_trials=1).trial("a")
    apart = bench.search([bench.family("a", knobs=False)], varied, n_folds=1, n_trials=1, executor=Known).trial("a")
    assert alike.spread(1) == pytest.approx(0.0, abs=1e-9)
    assert 0.02 < apart.spread(1) < 0.5
