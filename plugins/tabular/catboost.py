"""CatBoost with native categories, early stopping, and a clock."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from automl.contract import AnyArray, Batch, Estimate, Facts, FitContext, FitInfo, IntArray, Table

from .base import NativeModel, numbers
from .watch import Watch

_ROUNDS, _PATIENCE, _FIRST = 1000, 60, 0.5
_FEW_ROWS = 1000
_SMALL = 5000
_FIXED: Mapping[str, Any] = {
    "boosting_type": "Plain",
    "bootstrap_type": "Bernoulli",
    "max_ctr_complexity": 1,
    "allow_writing_files": False,
    "logging_level": "Silent",
}


class CatBoost(NativeModel):
    """Ordered target statistics and symmetric trees; single categories only, which is 3 to 8 times as fast on CPUs."""

    name = "catboost"
    native = "model.cbm"
    view = "columns"
    requires = ("catboost",)
    extra = "catboost"
    license = "Apache-2.0"
    handles_missing = True
    handles_weight = True
    truncatable = True

    threads: int
    trees: int

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Boost until patience or time runs out, and keep the best iteration."""
        import catboost

        self.threads = ctx.threads
        watch = Watch(ctx, _PATIENCE, first=_FIRST)
        model = catboost.CatBoost(self._settings(len(train.X), ctx))
        held = None if valid is None else _pool(valid.X, valid)
        model.fit(_pool(train.X, train), eval_set=held, use_best_model=False, callbacks=[_Stopper(watch)])
        if watch.best_step < model.tree_count_ and self.params["grow_policy"] == "SymmetricTree":
            model.shrink(watch.best_step)
        self.booster, self.trees = model, watch.best_step
        return FitInfo(watch.best_step, {"n_estimators": watch.best_step}, {"truncated": watch.truncated})

    def raw(self, X: Table) -> AnyArray:
        """The booster's answer, in one thread for few rows."""
        return self._answer(_pool(X), 1 if len(X) < _FEW_ROWS else self.threads)

    @classmethod
    def raws(cls, models: Sequence[Self], threads: int) -> Callable[[Any], AnyArray | Sequence[AnyArray]]:
        """All boosters on one pool."""

        def found(X: Table) -> AnyArray | Sequence[AnyArray]:
            pool = _pool(X)
            answers = [model._answer(pool, 1 if len(X) < _FEW_ROWS else threads) for model in models]
            return np.stack(answers) if len({answer.shape for answer in answers}) == 1 else answers

        return found

    def _answer(self, pool: Any, threads: int) -> AnyArray:
        wanted = "Probability" if self.classifies else "RawFormulaVal"
        answer = self.booster.predict(pool, prediction_type=wanted, ntree_end=self.trees, thread_count=threads)
        return np.asarray(answer)

    def dump(self) -> bytes:
        """CatBoost's binary format."""
        with tempfile.TemporaryDirectory(prefix="cairn-") as folder:
            file = Path(folder) / self.native
            self.booster.save_model(str(file), format="cbm")
            return file.read_bytes()

    def parse(self, blob: bytes) -> Any:
        """A booster ready to predict."""
        import catboost

        booster = catboost.CatBoost()
        booster.load_model(blob=blob)
        return booster

    def _settings(self, n_rows: int, ctx: FitContext) -> dict[str, Any]:
        """Tuned and fixed settings in CatBoost's words."""
        settings = {**_FIXED, **self.tuned, "thread_count": ctx.threads, "random_seed": ctx.seed}
        settings["border_count"] = _borders(n_rows)
        settings["iterations"] = settings.pop("n_estimators", _ROUNDS)
        if not self.classifies:
            return {**settings, "loss_function": "MAE" if self.absolute else "RMSE"}
        return {**settings, "loss_function": "Logloss" if len(self.seen) == 2 else "MultiClass"}

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Rounds x (rows x columns + leaves), per class; a category costs as much as three numbers."""
        rounds = min(_ROUNDS, 40 / params.get("learning_rate", 0.08))
        outputs = facts.n_outputs if facts.n_outputs > 2 else 1
        columns = facts.n_features + 2 * facts.n_categories
        splits = 1.5e-8 * 2 ** params.get("depth", 6) * columns * _borders(facts.n_rows)
        per_round = 2e-4 + outputs * (splits + 7e-9 * facts.n_rows * (columns + 4))
        return Estimate(0.05 + rounds * per_round, memory=24 * facts.n_rows * (columns + outputs))


def _borders(n_rows: int) -> int:
    """Split points per column: trying them is most of the cost of small fits, and few rows tell few apart."""
    return 64 if n_rows < _SMALL else 128


class _Stopper:
    """CatBoost's callback: go on?"""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def after_iteration(self, info: Any) -> bool:
        held = info.metrics.get("validation") if info.metrics else None
        loss = next(iter(held.values()))[-1] if held else float("nan")
        return not self.watch.ends(info.iteration, loss)


def _pool(X: Table, batch: Batch | None = None) -> Any:
    """CatBoost's input: numbers as float32, categories as the digits of their codes."""
    import catboost

    label, weight = (None, None) if batch is None else (batch.y, batch.weight)
    plain = [c for c in X if c.kind != "category"]
    categories = [c for c in X if c.kind == "category"]
    matrix = numbers(Table(tuple(plain), len(X))) if plain else None
    if not categories:
        return catboost.Pool(matrix, label=label, weight=weight, thread_count=1)
    codes = np.stack([c.values for c in categories], axis=1)
    words, codes = _words(codes)
    data = catboost.FeaturesData(num_feature_data=matrix, cat_feature_data=words[codes])
    return catboost.Pool(data, label=label, weight=weight, thread_count=1)


def _words(codes: IntArray) -> tuple[AnyArray, IntArray]:
    """The digits of codes from -1 up, and where among them each code's are."""
    highest = int(codes.max(initial=-1))
    if codes.size > highest:
        return np.array([str(code).encode() for code in range(-1, highest + 1)], dtype=object), codes + 1
    present, places = np.unique(codes, return_inverse=True)
    return np.array([str(code).encode() for code in present.tolist()], dtype=object), places.reshape(codes.shape)
