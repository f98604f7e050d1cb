"""XGBoost with native categories, early stopping, and a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl.contract import Batch, Estimate, Facts, FitContext, FitInfo, Resources

from .base import numbers
from .boosted import TEXT_SHARE, BoostedTrees, most_rounds
from .watch import Watch
from .xgboost_trees import tree_text

_PATIENCE = 60


class XGBoost(BoostedTrees):
    """Depth-wise or leaf-wise gradient boosting on histograms of the typed columns."""

    name = "xgboost"
    requires = ("xgboost",)
    license = "Apache-2.0"

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Boost until patience or time runs out, and keep the best iteration."""
        import xgboost

        self.threads = ctx.threads
        data = _matrix(train, ctx.threads)
        held = [] if valid is None else [(_matrix(valid, ctx.threads, data), "valid")]
        watch = Watch(ctx, _PATIENCE, after=TEXT_SHARE)
        rounds = self.params.get("n_estimators") or most_rounds(self.params["learning_rate"])
        with xgboost.config_context(verbosity=0):
            booster = xgboost.train(
                self._settings(ctx), data, rounds, evals=held, callbacks=[_stopper(watch)], verbose_eval=False
            )
        booster.set_param({"device": "cpu", "nthread": ctx.threads})
        self.trees = tree_text(booster[: watch.best_step], numbers(train.X), [len(column.levels) for column in train.X])
        return FitInfo(watch.best_step, {"n_estimators": watch.best_step}, {"truncated": watch.truncated})

    def _settings(self, ctx: FitContext) -> dict[str, Any]:
        """Tuned and fixed settings in XGBoost's words."""
        settings = {**self.tuned, "tree_method": "hist", "nthread": ctx.threads, "device": ctx.device}
        settings.pop("n_estimators", None)
        if settings["grow_policy"] != "lossguide":
            settings.pop("max_leaves")
        settings["seed"] = ctx.seed
        if not self.classifies:
            loss = ("reg:absoluteerror", "mae") if self.absolute else ("reg:squarederror", "rmse")
            return {**settings, "objective": loss[0], "eval_metric": loss[1], "base_score": 0.0}
        if len(self.seen) == 2:
            return {**settings, "objective": "binary:logistic", "eval_metric": "logloss"}
        return {**settings, "objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": len(self.seen)}

    @classmethod
    def resources(cls, facts: Facts, params: Mapping[str, Any]) -> Sequence[Resources]:
        """One thread; a graphics card only pays for very many rows, and then half of one is enough."""
        return (Resources(cpus=1, gpus=0.5), Resources()) if facts.n_rows > 200_000 else (Resources(),)

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Rounds x (rows x columns + nodes), per class."""
        rounds = 20 / params.get("learning_rate", 0.08)
        outputs = facts.n_outputs if facts.n_outputs > 2 else 1
        nodes = min(2 ** params.get("max_depth", 6), facts.n_rows / 2 + 1)
        per_round = 5e-5 + 1e-5 * nodes + 1.1e-8 * facts.n_rows * (facts.n_features + 4)
        return Estimate(0.03 + rounds * outputs * per_round, memory=20 * facts.n_rows * (facts.n_features + outputs))


def _matrix(batch: Batch, threads: int, reference: Any = None) -> Any:
    """Binned columns; categories are marked, their codes stay as they are."""
    import xgboost

    categories = set(batch.X.categorical())
    types = ["c" if i in categories else "q" for i in range(len(batch.X.columns))]
    return xgboost.QuantileDMatrix(
        numbers(batch.X),
        label=batch.y,
        weight=batch.weight,
        feature_types=types,
        enable_categorical=True,
        nthread=threads,
        ref=reference,
    )


def _stopper(watch: Watch) -> Any:
    """A callback that ends training when the watch says so; never an error."""
    from xgboost.callback import TrainingCallback

    class Stopper(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            losses = next(iter(evals_log["valid"].values())) if evals_log else [float("nan")]
            return watch.ends(epoch + 1, losses[-1])

    return Stopper()
