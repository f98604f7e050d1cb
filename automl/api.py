"""AutoML: the whole run, top to bottom. `AutoML.fit` is its table of contents."""

from __future__ import annotations

import time as clocks
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from automl.contract import ArtifactError, Finding, OptionError
from automl.discovery import Registry
from automl.execution.limits import available_memory
from automl.intake import Intake, Schema, ingest
from automl.interrupts import interruptible
from automl.options import Parameters, told_names
from automl.portable import Portable
from automl.predictor import Predictor, importances
from automl.preparing import continued, prepared, reopened
from automl.report import Description, build_leaderboard
from automl.search.choosing import task_settings
from automl.search.events import RunEvent
from automl.search.run import Run
from automl.search.settings import Preset
from automl.session import Session, resources, session
from automl.store import export
from automl.studies import to_optuna

if TYPE_CHECKING:
    import pandas as pd


class AutoML(Parameters, Portable):
    """Fit many models to a table within a time limit, and keep the ensemble that is honestly best.

    Args:
        task: name of a task plugin; ``"auto"`` takes the one that claims the data most surely.
        metric: a name (scikit-learn's work), or a function ``(y_true, y_pred) -> float``; ``"auto"`` takes the task's.
            Of a function lower is better if its name ends in ``_error``, ``_loss`` or ``_deviance``, or if it has an
            attribute ``greater_is_better = False``; with ``needs_proba = True`` it is given probabilities.
        time_limit: seconds for the whole of `fit`; None means 300, unless `n_trials` is given.
        n_trials: candidates to try beside the baselines; without a `time_limit` nothing then depends on the clock.
        preset: ``"fast"``, ``"balanced"``, ``"best"``, ``"interpretable"`` for a single model that `describe` puts in
            words, or a `Preset`.
        models: names of models to try; None for all. Baselines always run.
        max_latency_ms: milliseconds that predicting one row may take, as measured on this machine; None leaves it to
            the preset.
        max_size_mb: megabytes that the saved model may take; None sets no limit.
        executor: ``"auto"``, ``"inline"``, ``"local"`` or ``"ray"``.
        ray_address: of a Ray cluster, as ``"head:6379"``, or ``"auto"`` for the one of this machine; None takes that of
            RAY_ADDRESS or the Ray that this program has initialised, else ``executor="ray"`` starts one for itself.
        n_jobs: trials at once; None for one a core, negative counts back from all cores (of a cluster, its own).
        gpus: how many GPUs may be used; ``"auto"`` for all there are.
        memory_limit: of one trial's process, in bytes or as ``"4GiB"``; None divides what is free (on a cluster, what
            the smallest node has), 0 sets no limit.
        random_state: seed; the same seed, data and `n_trials` give the same models on one slot.
        path: folder to commit to while fitting; None keeps the model in a private temporary folder.
        overwrite: replace a run that is at `path`.
        plugins: names or distributions of plugins to allow; with a leading ``-`` to block.
        extra_plugins: plugin classes that are not installed, of a notebook or script.
        callbacks: functions called with every event of the run (`automl.events`).
        offline: leave out plugins that need the network.
        allow_noncommercial: False leaves out plugins whose licence forbids commercial use.
        verbose: 0 silent, 1 progress, 2 more.

    Attributes:
        classes_: labels in the order of `predict_proba`'s columns (tasks with probabilities only).
        ensemble_: pairs (model name, weight) of what answers.
        score_: the ensemble's honest score, higher is better.
        metric_: name of the metric that decided; a score is its value, negated where lower is better.
        score_interval_: where the score on as many new rows as were trained on will lie, with 90 % probability.
        findings_: what was noticed in the data.
        interrupted_: did a signal end the run early?
    """

    @told_names
    def __init__(
        self,
        *,
        task: str = "auto",
        metric: str | Callable[..., float] = "auto",
        time_limit: float | None = None,
        n_trials: int | None = None,
        preset: str | Preset = "balanced",
        models: Sequence[str] | None = None,
        max_latency_ms: float | None = None,
        max_size_mb: float | None = None,
        executor: str = "auto",
        ray_address: str | None = None,
        n_jobs: int | None = None,
        gpus: str | float = "auto",
        memory_limit: int | str | None = None,
        random_state: Any = None,
        path: str | Path | None = None,
        overwrite: bool = False,
        plugins: Sequence[str] | None = None,
        extra_plugins: Sequence[type[Any]] | None = (),
        callbacks: Sequence[Callable[[RunEvent], None]] | None = (),
        offline: bool = False,
        allow_noncommercial: bool = True,
        verbose: int = 1,
    ) -> None:
        self.task = task
        self.metric = metric
        self.time_limit = time_limit
        self.n_trials = n_trials
        self.preset = preset
        self.models = models
        self.max_latency_ms = max_latency_ms
        self.max_size_mb = max_size_mb
        self.executor = executor
        self.ray_address = ray_address
        self.n_jobs = n_jobs
        self.gpus = gpus
        self.memory_limit = memory_limit
        self.random_state = random_state
        self.path = path
        self.overwrite = overwrite
        self.plugins = plugins
        self.extra_plugins = extra_plugins
        self.callbacks = callbacks
        self.offline = offline
        self.allow_noncommercial = allow_noncommercial
        self.verbose = verbose

    _kinds: Sequence[str] | None = None

    # -- fitting ---------------------------------------------------------------------------------------------------

    def fit(
        self,
        data: Any,
        target: Any = None,
        *,
        roles: dict[str, Any] | None = None,
        groups: Any = None,
        time: Any = None,
        sample_weight: Any = None,
        folds: Any = None,
    ) -> Self:
        """Search for models of `target` and keep the best ensemble. `fit(X, y)` works too.

        Args:
            data: a table of pandas, polars or pyarrow, an array, records, or the path or URL of a CSV or Parquet file.
            target: label of the target column, or its values.
            roles: role -> column label, for tasks with roles of their own; also settings such as ``positive``.
            groups: column or values; rows of one group are never on both sides of a fold.
            time: column or values; folds then learn from the past and validate on what follows.
            sample_weight: column or values.
            folds: (train, valid) pairs of row numbers, a fold number per row, or a scikit-learn splitter.

        Raises DataError, OptionError or PluginError before any training, NothingFitted when every model failed.
        """
        with session(self.get_params()) as running:
            columns, asked = task_settings(running.registry, self.task, roles)
            intake = self._read(data, target, columns, groups, time, sample_weight)
            run, inputs = prepared(running, self.get_params(), intake, asked, folds, data, self._kinds)
            run.search()
            run.finish()
            self._adopt(running, run, intake.schema, intake.findings, inputs.names)
        return self

    @classmethod
    def resume(
        cls,
        path: str | Path,
        *,
        time_limit: float | None = None,
        n_trials: int | None = None,
        **changes: Any,
    ) -> Self:
        """Go on with a run that was broken off, where `fit` with ``path=`` left it, on this machine or another one.

        Nothing that was finished is done again. The folder holds the data and the options.

        Args:
            path: folder of the run.
            time_limit: seconds from now; None for what was left of the run's own limit.
            n_trials: candidates of the whole run; None for the run's own.
            changes: other options that shall differ, such as ``executor``; a `metric` that is a function, `callbacks`
                and `extra_plugins` are not kept and must be given again.

        Raises ArtifactError when the folder holds no run that can be resumed, OptionError when the run is still going
        on, or has ended and is given neither time nor trials.
        """
        with reopened(path) as (folder, inputs, history):
            params, spent = history.options({**inputs.params, **changes}, time_limit, n_trials)
            model = cls(**{**params, "path": path})
            with session(model.get_params(), spent) as running:
                running.folder = folder
                run = continued(running, model.metric, inputs, history)
                run.search()
                run.finish()
                model._adopt(running, run, Schema.from_state(inputs.schema), (), inputs.names)
        return model

    def _read(self, data: Any, target: Any, roles: Any, groups: Any, time: Any, weight: Any) -> Intake:
        """The caller's data as a typed table. Raises DataError."""
        y = None if target is None or _is_label(target) else target
        label = target if y is None else None
        room = available_memory()
        return ingest(data, y, target=label, roles=roles, groups=groups, time=time, sample_weight=weight, room=room)

    def _adopt(
        self, running: Session, run: Run, schema: Schema, findings: Sequence[Finding], names: Sequence[str] | None
    ) -> None:
        """Take over what the run found."""
        run.keeper.rest()
        for name in ("classes_", "feature_names_in_"):  # of an earlier fit
            vars(self).pop(name, None)
        self._folder, self._run, self._registry = run.folder, run, running.registry
        self._serve(run, running.registry)
        self.findings_ = (*findings, *run.problem.findings)
        self.interrupted_ = running.stopped()
        self.n_features_in_ = schema.n_features_in
        if names is not None:
            self.feature_names_in_ = np.asarray(names, dtype=object)

    def _serve(self, run: Run, registry: Registry) -> None:
        """Answer with what the run committed; until it is saved and loaded, by any model that the run completed."""
        predictor = Predictor.open(run.folder.path, registry)
        predictor.admit(run.everyone(), run.folder)
        self._take(predictor)

    def _take(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.score_ = predictor.plan.score
        self.metric_ = predictor.problem.metric
        self.ensemble_ = list(zip(predictor.plan.chosen, predictor.plan.weights, strict=True))
        labels = predictor.class_labels()
        if labels is not None:
            self.classes_ = labels

    # -- using -----------------------------------------------------------------------------------------------------

    def predict(self, X: Any, *, model: str | None = None) -> Any:
        """Labels or values, one per row, in the caller's kind of container; other tasks give their own answers.

        Args:
            X: as in `fit`; extra columns are ignored, a missing one raises DataError, and values that are there but
                cannot be read are warned of (`automl.intake.UnreadValues`).
            model: name on the leaderboard; None for the ensemble. After `load`, the ensemble's members, the baselines
                and the best single model.
        """
        return self._ready().predict(X, model)

    def predict_proba(self, X: Any, *, model: str | None = None) -> Any:
        """(n, K) probabilities with the original labels as columns. Raises DataError for tasks without."""
        return self._ready().predict_proba(X, model)

    def score(self, data: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The metric on labelled data, higher is better: `score(data)` with the target inside, or `score(X, y)`."""
        predictor = self._ready()
        table, truth, _ = predictor.labelled(data, y, sample_weight)
        return predictor.scored(self._metric(), table, truth)

    def leaderboard(self, data: Any = None, y: Any = None) -> pd.DataFrame:
        """Every model tried, best first, beside the baselines; on data labelled as for `score` also ``score_test``.

        `automl.report.leaderboard_text` makes a table of it that fits a page.
        """
        predictor = self._ready()
        rows, about = [dict(row) for row in predictor.board], predictor.about(self.metric)
        if data is None:
            return build_leaderboard(rows, about=about)
        table, truth, _ = predictor.labelled(data, y)
        known = set(predictor.names())
        for row in rows:
            if row["state"] == "ok" and row["model"] in known:
                row["score_test"] = predictor.scored(self._metric(), table, truth, row["model"])
        return build_leaderboard(rows, with_test=True, about=about)

    def score_interval(self, n: int, level: float = 0.9) -> tuple[float, float]:
        """Where the score on `n` new rows will lie with probability `level`; the search's optimism is included."""
        if n < 1 or not 0 < level < 1:
            raise OptionError(f"n={n!r} must be at least 1 and level={level!r} between 0 and 1")
        return self._ready().honest().interval(self._metric(), n, level)

    @property
    def score_interval_(self) -> tuple[float, float]:
        """`score_interval` for as many rows as were trained on, at 90 %."""
        return self.score_interval(self._ready().honest().n_rows)

    def permutation_importance(
        self, data: Any, y: Any = None, *, n_repeats: int = 5, random_state: int = 0
    ) -> pd.DataFrame:
        """How much `score` on labelled data drops when a column is shuffled: feature, importance, std."""
        import pandas as pd

        predictor = self._ready()
        table, truth, _ = predictor.labelled(data, y)
        return pd.DataFrame(importances(predictor, self._metric(), table, truth, n_repeats, random_state))

    def describe(self, model: str | None = None) -> Description:
        """A readable model in words: print it, or take its `to_frame()`.

        Args:
            model: name on the leaderboard; None for the only model that answers, as after ``preset="interpretable"``.
        """
        return self._ready().describe(model)

    def refit(self) -> Self:
        """Fit the ensemble's members again, each on all rows: smaller and faster, with the same weights.

        Raises ArtifactError on a loaded model, which has no training data.
        """
        self._ready()
        if getattr(self, "_run", None) is None:
            raise ArtifactError("a loaded model has no training data; call refit() on the fitted object before saving")
        settings, executor = resources(self.get_params(), clocks.monotonic(), self._registry)
        try:
            with interruptible() as stopped:
                self._run.refit_all(executor, settings, stopped)
        finally:
            executor.close()
        self._serve(self._run, self._registry)
        return self

    # -- keeping ---------------------------------------------------------------------------------------------------

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the model to a folder, without pickle. Raises OptionError when something else is there."""
        export(self._ready().manifest, Path(path), overwrite)

    def to_optuna(self, storage: Any, study_name: str | None = None) -> list[str]:
        """Write the trials as Optuna studies, for optuna-dashboard: one of all, and one of each model with its knobs.

        Args:
            storage: URL such as ``sqlite:///runs.db``, or an Optuna storage.
            study_name: of the study of all trials; None for the name of the model's folder.

        Returns the studies' names. After `load` of what `save` wrote, trials have scores but no settings. Raises
        OptionError when the storage cannot be used, or holds another run under this name.
        """
        return to_optuna(self._ready().manifest.folder, self._registry, storage, study_name)

    @classmethod
    def load(cls, path: str | Path, *, extra_plugins: Sequence[type[Any]] | None = ()) -> Self:
        """The model in a folder that `save` or a run with `path=` wrote.

        Raises ArtifactError when it is damaged, or needs a plugin or library that is not here.
        """
        registry = Registry.installed(None, extra_plugins or ())
        predictor = Predictor.open(path, registry)
        predictor.check_plugins()
        model = cls(task=predictor.task.name, metric=predictor.problem.metric, extra_plugins=extra_plugins)
        model._registry, model._run = registry, None
        model._take(predictor)
        model.findings_ = predictor.problem.findings
        model.interrupted_ = False
        model.n_features_in_ = predictor.schema.n_features_in
        return model

    # -- conventions -----------------------------------------------------------------------------------------------

    def _ready(self) -> Predictor:
        predictor: Predictor | None = getattr(self, "_predictor", None)
        if predictor is None:
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(f"this {type(self).__name__} instance is not fitted yet; call fit first")
        return predictor

    def _metric(self) -> Any:
        predictor = self._ready()
        if isinstance(self.metric, str):
            return predictor.metric()
        return predictor.task.metric(predictor.problem, self.metric)

    def __sklearn_is_fitted__(self) -> bool:
        return getattr(self, "_predictor", None) is not None

    def __sklearn_tags__(self) -> Any:
        from automl.tags import tags_of

        return tags_of(self)


def _is_label(target: Any) -> bool:
    """A column's name rather than its values?"""
    return isinstance(target, str | int | tuple) or not hasattr(target, "__len__")
