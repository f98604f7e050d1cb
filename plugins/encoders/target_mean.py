"""Categories as the smoothed mean of the target among rows of the same category, out of fold in training."""

from __future__ import annotations

import numpy as np

from automl.contract import AnyArray, EncoderPlugin, Feature, FitContext, FloatArray, Matrix, Table

_SMOOTHING = 10.0
_FOLDS = 5
_MAX_CLASSES = 10


class TargetMean(EncoderPlugin):
    """One column per category column and target: the mean of its level, drawn to the overall mean by 10 rows' weight.

    Targets are the real value, the second of two classes, or each of the ten commonest classes. Training rows get means
    of the other four of five random folds, so that no row's own target, nor one of its group, is in its features.
    Missing is a level of its own; a level unseen in training gets the overall mean.

    Columns have mean 0 and deviation 1 over the training rows; 0 is the overall mean.

    means: (sum of levels + 1, targets); offset: (n_columns,) row of the missing level of each column.
    """

    name = "target-mean"
    kinds = ("category",)
    default_for = ("matrix",)
    priority = 5
    uses_target = True

    means: FloatArray
    offset: AnyArray
    levels: AnyArray

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Learn the means of all rows; return those of the other folds. Without y there is nothing but zeros."""
        targets = targets_of(y, len(columns), ctx)
        targets = targets - targets.mean(axis=0)
        self.levels = np.array([max(len(c.levels), int(c.values.max(initial=-1)) + 1) for c in columns], dtype=np.int64)
        self.offset = np.concatenate([[0], np.cumsum(self.levels + 1)[:-1]]).astype(np.int64)
        fold = ctx.parts(len(columns), _FOLDS)
        means, blocks = [], []
        for column, n_levels in zip(columns, self.levels, strict=True):
            block = out_of_fold(column.values, n_levels, targets, fold)
            spread = block.std(axis=0)
            spread[spread < 1e-9 * (targets.std() + 1e-300)] = 1.0
            means.append(level_means(column.values, n_levels, targets) / spread)
            blocks.append(block / spread)
        self.means = np.concatenate(means)
        return np.concatenate(blocks, axis=1).astype(np.float32)

    def transform(self, columns: Table) -> Matrix:
        """(n, n_columns x targets) float32."""
        known = columns.codes < self.levels
        means = self.means.take(np.where(known, columns.codes, 0) + (self.offset + 1), axis=0)
        if not known.all():
            means[~known] = 0.0
        return np.asarray(means.reshape(len(columns), -1), dtype=np.float32)

    def describe(self, columns: Table) -> list[Feature]:
        """A value per level and target."""
        found = []
        for column, n_levels, offset in zip(columns, self.levels, self.offset, strict=True):
            for target in self.means[offset : offset + n_levels + 1].T.tolist():
                levels = column.levels[:n_levels]
                values = tuple(target[1 : len(levels) + 1])
                found.append(Feature(column.label, "levels", levels=levels, values=values, missing=target[0]))
        return found


def targets_of(y: AnyArray | None, n_rows: int, ctx: FitContext) -> FloatArray:
    """(n, targets) what is averaged."""
    if y is None:
        return np.zeros((n_rows, 1))
    if ctx.kind != "class_proba":
        return np.asarray(y, dtype=np.float64).reshape(n_rows, -1)
    if ctx.n_outputs <= 2:
        return np.asarray(y == 1, dtype=np.float64)[:, None]
    counts = np.bincount(y, minlength=ctx.n_outputs)
    common = np.sort(np.argsort(-counts, kind="stable")[:_MAX_CLASSES])
    return np.asarray(y[:, None] == common, dtype=np.float64)


def level_means(codes: AnyArray, n_levels: int, targets: FloatArray) -> FloatArray:
    """(n_levels + 1, targets) means drawn to 0; row 0 is of missing values."""
    counts = np.bincount(codes + 1, minlength=n_levels + 1)[:, None]
    sums = np.stack([np.bincount(codes + 1, weights=t, minlength=n_levels + 1) for t in targets.T], axis=1)
    return np.asarray(sums / (counts + _SMOOTHING))


def out_of_fold(codes: AnyArray, n_levels: int, targets: FloatArray, fold: AnyArray) -> FloatArray:
    """(n, targets) where each fold's rows get the means of the other folds."""
    out = np.empty(targets.shape)
    for k in range(_FOLDS):
        inside = fold == k
        rest = targets[~inside]
        middle = rest.mean(axis=0) if len(rest) else np.zeros(targets.shape[1])
        out[inside] = level_means(codes[~inside], n_levels, rest - middle)[codes[inside] + 1]
    return out
