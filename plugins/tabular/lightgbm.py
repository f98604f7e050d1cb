"""LightGBM with native categories, early stopping, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from automl.contract import AnyArray, Batch, Estimate, Facts, FitContext, FitInfo, Table

from .base import NativeModel, numbers, two_columns
from .watch import Watch

_ROUNDS, _PATIENCE = 1000, 60
_FEW_ROWS = 1000
_FIXED: Mapping[str, Any] = {
    "verbosity": -1,
    "deterministic": True,
    "bagging_freq": 1,
    "min_sum_hessian_in_leaf": 1e-7,
    "feature_pre_filter": False,
}


class LightGBM(NativeModel):
    """Leaf-wise gradient boosting on the typed columns."""

    name = "lightgbm"
    native = "model.txt"
    view = "columns"
    requires = ("lightgbm",)
    license = "MIT"
    handles_missing = True
    handles_weight = True
    truncatable = True

    threads: int

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Boost until patience or time runs out, and keep the best iteration."""
        import lightgbm

        self.threads = ctx.threads
        settings = self._settings(train, ctx)
        data = _dataset(train, settings)
        held = [] if valid is None else [_dataset(valid, settings, data)]
        watch = Watch(ctx, _PATIENCE)
        rounds = self.params.get("n_estimators", _ROUNDS)
        callback = _stopper(watch)
        booster = lightgbm.train(settings, data, rounds, valid_sets=held, valid_names=["valid"], callbacks=[callback])
        text = booster.model_to_string(num_iteration=watch.best_step)
        self.booster = self.parse(text.encode())
        return FitInfo(watch.best_step, {"n_estimators": watch.best_step}, {"truncated": watch.truncated})

    def raw(self, X: Table) -> AnyArray:
        """The booster's answer, in one thread for few rows."""
        threads = 1 if len(X) < _FEW_ROWS else self.threads
        answer = np.asarray(self.booster.predict(numbers(X), num_threads=threads))
        return two_columns(answer) if self.classifies and answer.ndim == 1 else answer

    def dump(self) -> bytes:
        """LightGBM's text format."""
        return str(self.booster.model_to_string()).encode()

    def parse(self, blob: bytes) -> Any:
        """A booster ready to predict."""
        import lightgbm

        return lightgbm.Booster(model_str=blob.decode())

    def _settings(self, train: Batch, ctx: FitContext) -> dict[str, Any]:
        """Tuned and fixed settings in LightGBM's words."""
        settings = {**_FIXED, **self.params, "num_threads": ctx.threads, "seed": ctx.seed + 1}
        settings.pop("n_estimators", None)
        settings["min_data_in_leaf"] = min(settings["min_data_in_leaf"], max(1, len(train.X) // 8))
        settings["force_col_wise" if len(train.X) < 10_000 or len(train.X.columns) > 100 else "force_row_wise"] = True
        if not self.classifies:
            settings |= {"objective": "regression", "metric": "l2"}
        elif len(self.seen) == 2:
            settings |= {"objective": "binary", "metric": "binary_logloss"}
        else:
            settings |= {"objective": "multiclass", "metric": "multi_logloss", "num_class": len(self.seen)}
        return settings

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Rounds x (rows x columns + leaves), per class; low learning rates use all their rounds."""
        rounds = min(_ROUNDS, 20 / params.get("learning_rate", 0.05))
        outputs = facts.n_outputs if facts.n_outputs > 2 else 1
        leaves = min(params.get("num_leaves", 31), facts.n_rows / params.get("min_data_in_leaf", 20) + 1)
        per_round = 2e-5 + 2e-5 * leaves + 6e-9 * facts.n_rows * (facts.n_features + 4)
        return Estimate(0.03 + rounds * outputs * per_round, memory=16 * facts.n_rows * (facts.n_features + outputs))


def _dataset(batch: Batch, settings: Mapping[str, Any], reference: Any = None) -> Any:
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


def _stopper(watch: Watch) -> Callable[[Any], None]:
    """A callback that ends training when the watch says so; never an error."""
    from lightgbm.callback import EarlyStopException

    def after(env: Any) -> None:
        losses = env.evaluation_result_list
        if watch.ends(env.iteration + 1, losses[0][2] if losses else float("nan")):
            raise EarlyStopException(watch.best_step - 1, losses or [])

    return after
