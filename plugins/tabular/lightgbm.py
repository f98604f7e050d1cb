"""LightGBM with native categories, early stopping, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from automl.contract import Batch, Estimate, Facts, FitContext, FitInfo

from .base import numbers
from .boosted import TEXT_SHARE, BoostedTrees, most_rounds
from .tree_text import TreeText
from .watch import Watch

_PATIENCE = 60
_FIXED: Mapping[str, Any] = {
    "verbosity": -1,
    "deterministic": True,
    "bagging_freq": 1,
    "min_sum_hessian_in_leaf": 1e-7,
    "feature_pre_filter": False,
}


class LightGBM(BoostedTrees):
    """Leaf-wise gradient boosting on the typed columns."""

    name = "lightgbm"
    requires = ("lightgbm",)
    license = "MIT"

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Boost until patience or time runs out, and keep the best iteration."""
        import lightgbm

        self.threads = ctx.threads
        settings = self._settings(train, ctx)
        data = dataset(train, settings)
        held = [] if valid is None else [dataset(valid, settings, data)]
        for binned in (data, *held):  # else the first step's time is that of binning too
            binned.construct()
        watch = Watch(ctx, _PATIENCE, after=TEXT_SHARE)
        rounds = self.params.get("n_estimators") or most_rounds(self.params["learning_rate"])
        callback = stopper(watch)
        booster = lightgbm.train(
            settings,
            data,
            rounds,
            valid_sets=held,
            valid_names=["valid"],
            callbacks=[callback],
            keep_training_booster=True,  # else the trees go through text and back before they are asked for
        )
        self.trees = TreeText.read(booster.model_to_string(num_iteration=watch.best_step))
        return FitInfo(watch.best_step, {"n_estimators": watch.best_step}, {"truncated": watch.truncated})

    def _settings(self, train: Batch, ctx: FitContext) -> dict[str, Any]:
        """Tuned and fixed settings in LightGBM's words."""
        settings = {**_FIXED, **self.tuned, "num_threads": ctx.threads, "seed": ctx.seed + 1}
        settings.pop("n_estimators", None)
        settings["min_data_in_leaf"] = min(settings["min_data_in_leaf"], max(1, len(train.X) // 8))
        settings["force_col_wise" if len(train.X) < 10_000 or len(train.X.columns) > 100 else "force_row_wise"] = True
        return settings | objective(len(self.seen) if self.classifies else 0, self.absolute)

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Rounds x (rows x columns + leaves), per class; low learning rates use all their rounds."""
        rounds = 20 / params.get("learning_rate", 0.05)
        outputs = facts.n_outputs if facts.n_outputs > 2 else 1
        leaves = min(params.get("num_leaves", 31), facts.n_rows / params.get("min_data_in_leaf", 20) + 1)
        per_round = 2e-5 + 2e-5 * leaves + 6e-9 * facts.n_rows * (facts.n_features + 4)
        return Estimate(0.03 + rounds * outputs * per_round, memory=16 * facts.n_rows * (facts.n_features + outputs))


def objective(classes: int, absolute: bool = False) -> dict[str, Any]:
    """What LightGBM lessens, and watches; no classes for numbers."""
    if not classes:
        name = "l1" if absolute else "l2"
        return {"objective": name, "metric": name}
    if classes == 2:
        return {"objective": "binary", "metric": "binary_logloss"}
    return {"objective": "multiclass", "metric": "multi_logloss", "num_class": classes}


def dataset(batch: Batch, settings: Mapping[str, Any], reference: Any = None) -> Any:
    """The batch as LightGBM's dataset."""
    import lightgbm

    categories = list(batch.X.categorical())
    return lightgbm.Dataset(
        numbers(batch.X),
        label=batch.y,
        weight=batch.weight,
        reference=reference,
        categorical_feature=categories,
        params=dict(settings),
        free_raw_data=True,
    )


def stopper(watch: Watch) -> Callable[[Any], None]:
    """A callback that ends training when the watch says so; never an error."""
    from lightgbm.callback import EarlyStopException

    def after(env: Any) -> None:
        losses = env.evaluation_result_list
        if watch.ends(env.iteration + 1, losses[0][2] if losses else float("nan")):
            raise EarlyStopException(watch.best_step - 1, losses or [])

    return after
