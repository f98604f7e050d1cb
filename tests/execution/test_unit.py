"""The unit of work: whatever a plugin does comes back as one event, and the cache changes nothing."""

from __future__ import annotations

import gc
import time
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from automl.plugins.tabular.binary import Binary
from automl.plugins.tabular.regression import Regression
from sklearn.metrics import mean_absolute_error

from automl.contract import EncoderPlugin, FitContext, FitInfo, FoldPlan, ModelPlugin, Table, with_metric
from automl.discovery import PluginRef, Registry
from automl.execution import unit
from automl.execution.fold_views import Kept, forget_views, views_of
from automl.execution.job import Candidate, Dataset, Event, Job
from automl.intake import ingest


@pytest.fixture
def dataset(whole: Dataset) -> Dataset:
    """Nothing is known of its folds."""
    return replace(whole)


@pytest.fixture(scope="module")
def whole() -> Dataset:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=120), "b": rng.choice(list("xyz"), 120), "c": rng.normal(size=120)})
    X.loc[::7, "c"] = np.nan
    intake = ingest(X, (X.a + rng.normal(size=120) > 0).to_numpy(), sample_weight=rng.exponential(size=120))
    task = Binary()
    problem = task.load(intake.table, intake.roles, np.arange(120))
    folds = tuple(task.folds(problem, intake.table, FoldPlan(3, seed=0)))
    return Dataset(intake.table, problem, folds, PluginRef.of(Binary))


class Model(ModelPlugin):
    """Always 1/2; subclasses misbehave."""

    name = "model"
    produces = "class_proba"

    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        self.seen = float(train.X.sum())
        return None

    def predict(self, request: Any) -> Any:
        return np.full((len(request), 2), 0.5)


class Raises(Model):
    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        raise {"value": ValueError, "memory": MemoryError, "exit": SystemExit, "stop": KeyboardInterrupt}[
            self.params["what"]
        ]("on purpose")


class Answers(Model):
    """Returns from fit what it is told to."""

    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        super().fit(train, valid, ctx)
        answers: dict[str, Any] = {
            "self": self,
            "dict": {"best_step": 3},
            "set": FitInfo(refit={"depth": {1, 2}}),
            "numpy": FitInfo(refit={"depth": np.int64(3), "weights": np.zeros(2)}),
        }
        return answers[self.params["what"]]  # type: ignore[no-any-return]


class Forgets(Model):
    """Learns something that its files do not hold."""

    def predict(self, request: Any) -> Any:
        share = 0.9 if hasattr(self, "seen") else 0.5
        return np.tile([share, 1 - share], (len(request), 1))

    def save(self, folder: Path) -> None:
        kept, self.__dict__ = self.__dict__, {"params": self.params}
        super().save(folder)
        self.__dict__ = kept


class Keeps(Model):
    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        self.handle = object()
        return None


class Infinite(Model):
    def predict(self, request: Any) -> Any:
        return np.full((len(request), 2), np.inf)


class Lacking(Model):
    requires = ("no_such_library",)


class Vandal(Model):
    """Writes into what it was given."""

    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        train.X[:] = 0.0
        return None


class Sees(Model):
    view = "columns"

    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        return FitInfo(notes={"first": float(train.X["f0"].values[0])})


class Doubles(EncoderPlugin):
    """A feature block: the double of every number."""

    name, kinds, missing, adds_to = "doubles", ("numeric",), True, ("columns",)

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        return self.transform(columns)

    def transform(self, columns: Table) -> Any:
        return 2 * columns.matrix()


class Tells(Model):
    """Notes what it was given."""

    view = "columns"
    kinds = ("numeric", "category")
    handles_weight = False

    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        stop = [ctx.report(step, 1.0 / (step + 1)) for step in range(5)]
        return FitInfo(
            notes={
                "rows": len(train.y),
                "held": None if valid is None else len(valid.y),
                "weight": train.weight is not None,
                "seed": ctx.seed,
                "threads": ctx.threads,
                "endless": ctx.time_left() == float("inf"),
                "stop": stop,
                "names": list(train.X.names),
            }
        )


def job(model: type[ModelPlugin], fold: int = 0, encoders: tuple[str, ...] = (), **more: Any) -> Job:
    params = more.pop("params", {})
    fidelity = more.pop("fidelity", 1.0)
    registry = Registry.installed([])
    chain = encoders or ("one-hot", "scaled-numeric")
    references = tuple(registry.encoders.reference(name) for name in chain)
    candidate = Candidate(model.name, params, chain, fidelity, seed=5)
    return Job(1, candidate, fold, PluginRef.of(model), references, **more)


def run(wanted: Job, dataset: Dataset) -> Event:
    return unit.run(wanted, dataset, lambda step, value: None)


def test_a_job_gives_predictions_and_files_that_predict_the_same(dataset: Dataset) -> None:
    event = run(job(Model), dataset)
    assert event.kind == "done", event.detail
    assert event.outcome is not None
    assert event.outcome.predictions is not None
    assert len(event.outcome.predictions) == len(dataset.folds[0].valid)
    assert {name.split("/")[0] for name in event.outcome.files} == {"model", "view"}
    assert event.outcome.wall > 0


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("self", "fit returned Answers, not FitInfo or None"),
        ("dict", "fit returned dict, not FitInfo or None"),
        ("set", "FitInfo.refit['depth'] is {1, 2}, which is no JSON value: give settings of the model"),
    ],
)
def test_what_a_fit_may_not_return_is_named_and_ends_that_trial_alone(dataset: Dataset, what: str, said: str) -> None:
    event = run(job(Answers, params={"what": what}), dataset)
    assert (event.kind, event.message) == ("invalid", said)
    assert run(job(Answers, params={"what": "numpy"}), dataset).kind == "done"


def test_a_fit_on_all_rows_has_no_predictions_and_no_validation(dataset: Dataset) -> None:
    event = run(job(Tells, fold=-1), dataset)
    assert event.outcome is not None
    assert event.outcome.predictions is None
    assert event.outcome.info.notes["rows"] == 120
    assert event.outcome.info.notes["held"] is None


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        ("value", "error", "ValueError: on purpose"),
        ("memory", "oom", "out of memory"),
        ("exit", "error", "SystemExit: on purpose"),
        ("stop", "error", "KeyboardInterrupt"),
    ],
)
def test_whatever_a_model_raises_is_an_event(dataset: Dataset, what: str, kind: str, said: str) -> None:
    event = run(job(Raises, params={"what": what}), dataset)
    assert event.kind == kind
    assert said in event.message
    assert "on purpose" in event.detail
    assert event.outcome is None


def test_a_model_that_forgets_what_it_learnt_is_invalid(dataset: Dataset) -> None:
    event = run(job(Forgets), dataset)
    assert event.kind == "invalid"
    assert "predicts differently after save and load" in event.message


def test_state_that_cannot_be_saved_is_invalid_and_named(dataset: Dataset) -> None:
    event = run(job(Keeps), dataset)
    assert event.kind == "invalid"
    assert "'handle'" in event.message


def test_bad_predictions_are_invalid(dataset: Dataset) -> None:
    event = run(job(Infinite), dataset)
    assert event.kind == "invalid"
    assert "not finite" in event.message


def test_a_class_that_cannot_be_imported_is_invalid(dataset: Dataset) -> None:
    lost = replace(job(Model), model=PluginRef("lost", "no_such_module_anywhere:Lost"))
    event = run(lost, dataset)
    assert event.kind == "invalid"
    assert "no_such_module_anywhere" in event.message


def test_a_missing_library_is_one_event(dataset: Dataset) -> None:
    event = run(job(Lacking), dataset)
    assert event.kind == "error"
    assert "no_such_library" in event.message


def test_a_model_is_told_its_seed_threads_and_rows_but_no_weights_that_it_cannot_use(dataset: Dataset) -> None:
    event = run(job(Tells), dataset)
    assert event.outcome is not None, event.detail
    notes = event.outcome.info.notes
    assert (notes["seed"], notes["threads"], notes["endless"]) == (5, 1, True)
    assert (notes["rows"], notes["held"]) == (80, 40)
    assert notes["weight"] is False
    assert notes["names"] == ["f0", "f1", "f2"]


def test_a_part_of_the_rows_is_the_same_part_each_time(dataset: Dataset) -> None:
    one, _ = unit.rows_of(job(Model, fidelity=0.5), dataset)
    two, valid = unit.rows_of(job(Model, fidelity=0.5), dataset)
    assert len(one) == 40
    assert one.tolist() == two.tolist()
    assert valid is not None
    assert set(one) <= set(dataset.folds[0].train)
    assert len(valid) == 40


def test_the_soft_limit_reaches_the_model(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    event = run(job(Tells, seconds=-1.0), dataset)
    assert event.outcome is not None
    assert event.outcome.info.notes["stop"] == [True] * 5


def test_a_job_that_had_to_wait_ends_with_the_run_all_the_same(dataset: Dataset) -> None:
    late, early = (run(job(Tells, until=time.monotonic() + ahead), dataset) for ahead in (-1.0, 1e6))
    assert late.outcome is not None
    assert late.outcome.info.notes["stop"] == [True] * 5
    assert early.outcome is not None
    assert early.outcome.info.notes["stop"] == [False] * 5


def test_progress_is_thinned_out(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, float]] = []
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    unit.run(job(Tells), dataset, lambda step, value: told.append((step, value)))
    assert told == [(0, 1.0)]


@pytest.mark.parametrize("name", ["linear-baseline", "tree-baseline", "lightgbm"])
def test_the_cache_of_views_changes_no_result(dataset: Dataset, name: str) -> None:
    model = Registry.installed([]).models.load(name)
    from automl.discovery import space_of

    params = space_of(model, "tabular").point("binary")
    wanted = [job(model, fold, model.encoders, params=params) for fold in (0, 1, 0, 1, 0)]
    warm = [run(one, dataset) for one in wanted]
    cold = []
    for one in wanted[:2]:
        forget_views(dataset)
        cold.append(run(one, dataset))
    for position, event in enumerate(warm):
        fresh = cold[position % 2]
        assert event.outcome is not None, event.detail
        assert fresh.outcome is not None
        assert event.outcome.predictions is not None
        assert fresh.outcome.predictions is not None
        assert event.outcome.predictions.distance(fresh.outcome.predictions) == 0.0
        assert event.outcome.files == fresh.outcome.files


def test_a_feature_block_is_added_to_the_view_that_is_known_and_saved_with_the_model(dataset: Dataset) -> None:
    plain = run(job(Sees), dataset)
    wanted = job(Sees)
    event = run(replace(wanted, encoders=(*wanted.encoders, PluginRef.of(Doubles))), dataset)
    assert event.outcome is not None, event.detail
    assert plain.outcome is not None
    assert event.outcome.info == plain.outcome.info
    known, more = views_of(dataset).views.values()
    assert more.train.columns[: len(known.train.columns)] == known.train.columns
    np.testing.assert_allclose(more.train.columns[-1].values, 2 * known.train["f2"].values, rtol=1e-6)
    assert more.view.parts[:-1] == known.view.parts
    assert more.view.parts[-1].columns == ("f0", "f2")
    assert len(event.outcome.files) > len(plain.outcome.files)


def test_a_model_that_writes_into_its_matrix_harms_no_other(dataset: Dataset) -> None:
    before = run(job(Model), dataset)
    event = run(job(Vandal), dataset)
    assert event.kind == "error"
    assert "read-only" in event.message
    after = run(job(Model), dataset)
    assert before.outcome is not None
    assert after.outcome is not None
    assert before.outcome.files == after.outcome.files


def test_another_data_set_never_meets_the_views_of_the_last(dataset: Dataset) -> None:
    """Also when it happens to lie at the same place in memory."""
    for scale in range(1, 9):
        columns = tuple(
            replace(c, values=c.values * 0 + scale) if c.kind == "numeric" and c.name == "f0" else c
            for c in dataset.table
        )
        other = Dataset(replace(dataset.table, columns=columns), dataset.problem, dataset.folds, dataset.task)
        event = run(job(Sees), other)
        assert event.outcome is not None, event.detail
        assert event.outcome.info.notes["first"] == scale
        del other


def test_views_go_with_their_data_set(dataset: Dataset) -> None:
    other = replace(dataset)
    run(job(Model), other)
    assert len(views_of(other).views) == 1
    known = weakref.ref(views_of(other))
    del other
    gc.collect()
    assert known() is None


class Counts(EncoderPlugin):
    """Numbers as they are; counts how often it was fitted."""

    name, kinds, missing = "counts", ("numeric", "category"), True
    fits = 0

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        type(self).fits += 1
        return self.transform(columns)

    def transform(self, columns: Table) -> Any:
        return columns.matrix()


class TakesGaps(Model):
    handles_missing = True


class Loose(Counts):
    """Sparse, though not as CSR."""

    name = "loose"

    def transform(self, columns: Table) -> Any:
        return scipy.sparse.coo_matrix(columns.matrix())


class Sparse(Model):
    """Exchanges the values of what it is given."""

    sparse = True

    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        total = [float(np.nansum(part.X.data)) for part in (train, valid)]
        train.X.data = train.X.data * 0.0
        valid.X.data = valid.X.data * 0.0
        return FitInfo(notes={"format": train.X.format, "total": total})

    def predict(self, request: Any) -> Any:
        assert np.nansum(abs(request.X.data)) > 0
        request.X.data = request.X.data * 0.0
        return super().predict(request)


class Writes(Model):
    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        valid.X[0] = 0.0
        return None


class Opaque:
    __slots__ = ()


class Holds(Counts):
    """Holds something whose size nobody can tell."""

    name = "holds"

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        self.engine = Opaque()
        return super().fit_transform(columns, y, ctx)

    def save(self, folder: Path) -> None:
        engine = vars(self).pop("engine")
        super().save(folder)
        self.engine = engine


def test_sparse_blocks_of_any_format_reach_models_as_rows_that_are_theirs_alone(dataset: Dataset) -> None:
    notes = []
    for _ in range(2):
        event = run(replace(job(Sparse), encoders=(PluginRef.of(Loose),)), dataset)
        assert event.outcome is not None, event.detail
        notes.append(event.outcome.info.notes)
    assert notes[0] == notes[1]
    assert notes[0]["format"] == "csr"
    assert notes[0]["total"][0] != 0.0


def test_rows_to_judge_on_are_shared_too_so_nobody_may_write_into_them(dataset: Dataset) -> None:
    event = run(job(Writes), dataset)
    assert event.kind == "error"
    assert "read-only" in event.message
    sight = views_of(dataset).views.values()[0]
    fold = dataset.folds[0]
    features = dataset.table.select(dataset.problem.features)
    assert np.array_equal(sight.valid, sight.view.transform(features.take(fold.valid)))
    assert np.array_equal(sight.train, sight.view.transform(features.take(fold.train)))


def test_a_fit_on_fewer_rows_or_on_all_learns_encoders_of_its_own(dataset: Dataset) -> None:
    Counts.fits = 0
    for wanted in (job(Model), job(Model, fidelity=0.5), job(Model, fold=-1), job(Model)):
        assert run(replace(wanted, encoders=(PluginRef.of(Counts),)), dataset).kind == "done"
    assert Counts.fits == 3


def test_encoders_of_unknown_size_are_not_hoarded(dataset: Dataset) -> None:
    for fold in (0, 1, 2):
        for model in (Model, TakesGaps):
            assert run(replace(job(model, fold), encoders=(PluginRef.of(Holds),)), dataset).kind == "done"
    known = views_of(dataset)
    assert len(known.views) == 4
    assert len(known.parts) == 1


def test_an_encoder_is_fitted_once_a_fold_for_all_models_that_have_it_read_the_same_columns(dataset: Dataset) -> None:
    Counts.fits = 0
    for fold in (0, 1, 0, 1):
        for model in (Model, TakesGaps):
            event = run(replace(job(model, fold), encoders=(PluginRef.of(Counts),)), dataset)
            assert event.outcome is not None, event.detail
    assert Counts.fits == 2


def test_what_was_not_asked_for_longest_goes_when_all_takes_too_much() -> None:
    kept = Kept(100)
    for key in "abc":
        kept.put(key, key.upper(), 40)
    assert kept.values() == ["B", "C"]
    assert kept.get("b") == "B"
    kept.put("d", "D", 40)
    assert kept.values() == ["B", "D"]
    kept.put("large", "LARGE", 1000)  # in vain: it would drive out all others, and then go itself
    assert kept.values() == ["B", "D"]
    assert (len(kept), kept.bytes) == (2, 80)


def test_the_latest_stay_whatever_they_take() -> None:
    kept = Kept(100, least=2)
    for key in "abc":
        kept.put(key, key.upper(), 1000)
    assert kept.values() == ["B", "C"]


class NoSave(Model):
    def save(self, folder: Path) -> None:
        raise ValueError("cannot be saved")


def test_a_model_that_is_not_wanted_is_judged_and_not_saved(dataset: Dataset) -> None:
    kept, judged = run(job(Model), dataset), run(job(Model, save=False, measure=True), dataset)
    assert kept.outcome is not None
    assert judged.outcome is not None
    assert kept.outcome.predictions is not None
    assert judged.outcome.predictions is not None
    assert judged.outcome.predictions.distance(kept.outcome.predictions) == 0.0
    assert judged.outcome.files == {}
    assert judged.outcome.row_s > 0
    assert run(job(NoSave), dataset).message == "ValueError: cannot be saved"
    assert run(job(NoSave, save=False), dataset).kind == "done"


def test_one_row_predictions_are_timed_only_when_asked(dataset: Dataset) -> None:
    plain, timed = run(job(Model), dataset), run(job(Model, measure=True), dataset)
    assert plain.outcome is not None
    assert timed.outcome is not None
    assert np.isnan(plain.outcome.row_s)
    assert timed.outcome.row_s > 0


class Heeds(Model):
    """Notes what it was told of the metric and of the groups."""

    def fit(self, train: Any, valid: Any, ctx: FitContext) -> FitInfo | None:
        groups = [] if ctx.groups is None else ctx.groups.tolist()
        return FitInfo(refit={"depth": np.int64(3)}, notes={"groups": groups, "aim": ctx.aim})


class Numbers(Heeds):
    name, produces = "numbers", "real"

    def predict(self, request: Any) -> Any:
        return np.zeros(len(request))


def test_a_fit_is_told_the_groups_of_its_rows_and_what_the_metric_aims_at() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=60), "who": np.repeat(np.arange(12), 5)})
    intake, task, told = ingest(X, rng.normal(size=60)), Regression(), {}
    names = {column.label: column.name for column in intake.table}
    problem = task.load(intake.table, {**intake.roles, "groups": names["who"]}, np.arange(60))
    folds = tuple(task.folds(problem, intake.table, FoldPlan(3, seed=0)))
    for metric in ("rmse", "mae", "mape", mean_absolute_error):
        decided = with_metric(problem, task.metric(problem, metric))
        dataset = Dataset(intake.table, decided, folds, PluginRef.of(Regression))
        event = run(job(Numbers), dataset)
        assert event.outcome is not None, event.detail
        told[decided.metric] = event.outcome.info.notes["aim"]
        assert type(event.outcome.info.refit["depth"]) is int
        groups = event.outcome.info.notes["groups"]
        assert len(groups) == len(folds[0].train)
        assert len(set(groups)) == 8
    medians = {"mae": "median", "mape": "relative-median", "function mean_absolute_error": "median"}
    assert told == {"rmse": "mean", **medians}
