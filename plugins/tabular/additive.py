"""An additive model: boosted stumps, kept as one table of effects per column.

A stump asks about one column, so the sum of all of them is a sum of one function per column, which can be read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from automl.contract import AnyArray, Batch, Estimate, Facts, Feature, FitContext, FitInfo, Formula

from .base import RowModel, two_columns
from .lightgbm import dataset, objective, stopper
from .shapes import Shapes, Stump, scores, tabulate, terms
from .watch import Watch

_ROUNDS, _PATIENCE = 3000, 100
_FIXED: Mapping[str, Any] = {
    "verbosity": -1,
    "deterministic": True,
    "num_leaves": 2,
    "bagging_freq": 1,
    "min_sum_hessian_in_leaf": 1e-7,
    "force_col_wise": True,
}


class AdditiveTrees(RowModel):
    """A boosted sum of stumps, or the mean of several: a step function per number, an effect per category level."""

    name = "additive-trees"
    view = "columns"
    requires = ("lightgbm",)
    license = "MIT"
    handles_missing = True
    handles_weight = True
    truncatable = True
    readable = True
    on_request = True

    shapes: Shapes

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Boost `bags` times with other random choices, and add all up."""
        settings = self._settings(train, ctx)
        data = dataset(train, settings)
        held = None if valid is None else dataset(valid, settings, data)
        for binned in (data, held):  # else the first step's time is that of binning too
            if binned is not None:
                binned.construct()
        found: list[tuple[dict[str, Any], int]] = []
        for bag in range(self.params["bags"]):
            left = ctx.time_left() / (self.params["bags"] - bag)
            watch = Watch(replace(ctx, deadline=time.monotonic() + left), _PATIENCE)
            found.append(self._boosted({**settings, "seed": ctx.seed + 1 + bag}, data, held, watch))
            if ctx.time_left() < left:
                break
        stumps, base = [], np.zeros(settings.get("num_class", 1))
        for model, _ in found:
            for tree in model["tree_info"]:
                score, root = tree["tree_index"] % len(base), tree["tree_structure"]
                if "split_feature" in root:
                    stumps.append(_stump(root, score, 1.0 / len(found)))
                else:
                    base[score] += root["leaf_value"] / len(found)
        self.shapes = tabulate(stumps, base, train.X, train.weight)
        steps = round(float(np.mean([step for _, step in found])))
        return FitInfo(steps, {"n_estimators": steps}, {"bags": len(found)})

    def raw(self, X: Any) -> AnyArray:
        """Look up, add, and the link."""
        total = scores(self.shapes, X)
        if not self.classifies:
            return np.asarray(total[:, 0])
        if total.shape[1] == 1:
            return two_columns(1.0 / (1.0 + np.exp(-np.clip(total[:, 0], -500.0, 500.0))))
        total -= total.max(axis=1, keepdims=True)
        np.exp(total, out=total)
        return np.asarray(total / total.sum(axis=1, keepdims=True))

    def told(self, features: Sequence[Feature]) -> Formula:
        """A term per column."""
        scale, shift = (1.0, 0.0) if self.classifies else (self.scale, self.center)
        link: Literal["identity", "logistic", "softmax"] = "identity"
        if self.classifies:
            link = "logistic" if len(self.shapes["base"]) == 1 else "softmax"
        classes = tuple(self.seen.tolist()) if self.classifies else ()
        found = tuple(terms(self.shapes, features, scale))
        return self.unlogged(Formula(scale * self.shapes["base"] + shift, found, link, classes))

    def _settings(self, train: Batch, ctx: FitContext) -> dict[str, Any]:
        """Tuned and fixed settings in LightGBM's words."""
        own = {name: value for name, value in self.tuned.items() if name not in ("bags", "n_estimators")}
        settings = {**_FIXED, **own, "num_threads": ctx.threads}
        settings["min_data_in_leaf"] = min(settings["min_data_in_leaf"], max(1, len(train.X) // 8))
        return settings | objective(len(self.seen) if self.classifies else 0, self.absolute)

    def _boosted(self, settings: dict[str, Any], data: Any, held: Any, watch: Watch) -> tuple[dict[str, Any], int]:
        """One boosted sum as LightGBM describes it, and its number of rounds."""
        import lightgbm

        rounds = self.params.get("n_estimators", _ROUNDS)
        booster = lightgbm.train(
            settings,
            data,
            rounds,
            valid_sets=[] if held is None else [held],
            valid_names=[] if held is None else ["valid"],
            callbacks=[stopper(watch)],
            keep_training_booster=True,
        )
        return booster.dump_model(num_iteration=watch.best_step), watch.best_step

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Rounds x rows, per class and bag."""
        rounds = min(_ROUNDS, 50 / params.get("learning_rate", 0.1)) * params.get("bags", 1)
        outputs = facts.n_outputs if facts.n_outputs > 2 else 1
        per_round = 6e-5 + 3e-9 * facts.n_rows * (facts.n_features + 4)
        return Estimate(0.03 + rounds * outputs * per_round, memory=16 * facts.n_rows * (facts.n_features + outputs))


def _stump(root: Mapping[str, Any], score: int, share: float) -> Stump:
    """A tree of two leaves as LightGBM describes it."""
    left, right = share * root["left_child"]["leaf_value"], share * root["right_child"]["leaf_value"]
    if root["decision_type"] == "==":
        codes = tuple(int(code) for code in root["threshold"].split("||"))
        return Stump(root["split_feature"], score, left, right, codes=codes)
    strays = left if root["default_left"] else right
    return Stump(root["split_feature"], score, left, right, bound=float(root["threshold"]), strays=strays)
