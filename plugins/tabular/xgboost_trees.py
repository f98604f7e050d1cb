"""XGBoost's trees as the text that LightGBM's code sums: one row is predicted in a tenth of the time.

XGBoost sends x left when ``x < threshold`` in float32, and a category unless it is in the node's set. Here x goes left
when ``x <= threshold``, and a category when it is in the set.

symbol    meaning
N         nodes of a tree, leaves included
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.contract import AnyArray, IntArray, Matrix, PluginError

from .tree_text import TreeSums, TreeText, between, decision_types, leaf_block, tree_block

_PROBES = 100
_TOLERANCE = 1e-4


def tree_text(booster: Any, X: Matrix, levels: Sequence[int]) -> TreeText:
    """The trees of a fitted booster, tried on some rows.

    Args:
        booster: an `xgboost.Booster` of single-output trees.
        X: (n, d) float32 rows to try it on.
        levels: (d,) number of levels of a category, 0 for a number.

    Raises PluginError when the sums differ from what the booster says.
    """
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    model = learner["gradient_booster"]["model"]
    sums: list[list[str]] = [[] for _ in range(max(1, int(learner["learner_model_param"]["num_class"])))]
    for tree, output in zip(model["trees"], model["tree_info"], strict=True):
        sums[output].append(_block(tree, levels))
    few = np.ascontiguousarray(X[:: max(1, len(X) // _PROBES)])
    wanted = np.asarray(booster.inplace_predict(few, predict_type="margin"), dtype=np.float64).reshape(len(few), -1)
    rest = wanted - TreeSums([TreeText(X.shape[1], tuple(map(tuple, sums)))])(few)
    base = rest.mean(axis=0)
    if float(np.max(np.abs(rest - base), initial=0.0)) > _TOLERANCE * (1.0 + float(np.abs(wanted).max(initial=0.0))):
        import xgboost

        raise PluginError(
            f"the trees of xgboost {xgboost.__version__} are read wrongly; install another version, or block it"
        )
    return TreeText(X.shape[1], tuple((leaf_block(float(b)), *blocks) for b, blocks in zip(base, sums, strict=True)))


def _block(tree: Mapping[str, Any], levels: Sequence[int]) -> str:
    """One tree. Inner nodes and leaves are numbered apart, in XGBoost's order, so that the root stays first."""
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    condition = np.array(tree["split_conditions"], dtype=np.float32)
    inner = left >= 0
    if not inner[0]:
        return leaf_block(float(condition[0]))
    place = np.where(inner, np.cumsum(inner) - 1, 0 - np.cumsum(~inner))
    feature = np.array(tree["split_indices"])[inner]
    category = np.array(tree["split_type"])[inner] == 1
    to_left = np.array(tree["default_left"])[inner].astype(bool)
    first, second = place[left[inner]], place[right[inner]]
    swapped = category & to_left
    threshold = between(np.nextafter(condition[inner], np.float32(-np.inf)))
    threshold[category] = np.arange(category.sum())
    sets = _left_sets(tree, inner, category, to_left, feature, levels)
    nodes = {
        "split_feature": feature,
        "threshold": threshold,
        "decision_type": decision_types(category, to_left),
        "left_child": np.where(swapped, second, first),
        "right_child": np.where(swapped, first, second),
    }
    return tree_block(nodes, condition[~inner], sets)


def _left_sets(
    tree: Mapping[str, Any],
    inner: AnyArray,
    category: AnyArray,
    to_left: AnyArray,
    feature: AnyArray,
    levels: Sequence[int],
) -> list[IntArray]:
    """Codes that go left at each node about a category. Missing ones go right there, which decides what is left.

    Where XGBoost sends missing ones left, with the codes that are not in its set, the set itself becomes the left side;
    where it sends them right, with its set, all other codes do.
    """
    numbers = np.cumsum(inner) - 1
    codes = np.array(tree["categories"], dtype=np.int64)
    sets: dict[int, IntArray] = {}
    pairs = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    for node, start, size in pairs:
        at, own = int(numbers[node]), codes[start : start + size]
        sets[at] = own if to_left[at] else np.setdiff1d(np.arange(levels[feature[at]]), own)
    return [sets[int(at)] for at in np.flatnonzero(category)]
