"""An encoder that keeps its contract, and one that breaks each promise: `BAD` names the check that must catch it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract import EncoderPlugin, Feature, FitContext, Table


class Frequencies(EncoderPlugin):
    """How often each level occurs among the training rows. Keeps every promise."""

    name = "frequencies"
    kinds: ClassVar[tuple[str, ...]] = ("category",)

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        self.counts = [np.bincount(c.values + 1, minlength=len(c.levels) + 1) / len(columns) for c in columns]
        return self.transform(columns)

    def transform(self, columns: Table) -> Any:
        parts = [counts[column.values + 1] for counts, column in zip(self.counts, columns, strict=True)]
        return np.column_stack(parts).astype(np.float32)


class TargetMeans(Frequencies):
    """Mean target per level, two halves of the rows encoding each other. Keeps every promise too."""

    name = "target-means"
    uses_target = True

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        if y is None:
            y = np.zeros(len(columns))
        self.tables = [_means(c.values, y, len(c.levels)) for c in columns]
        halves = np.random.default_rng(ctx.seed).permutation(len(columns)) % 2
        out = np.zeros((len(columns), len(columns.columns)), dtype=np.float32)
        for position, column in enumerate(columns):
            for half in (0, 1):
                other = halves != half
                means = _means(column.values[other], y[other], len(column.levels))
                out[halves == half, position] = means[column.values[halves == half] + 1]
        return out

    def transform(self, columns: Table) -> Any:
        parts = [table[column.values + 1] for table, column in zip(self.tables, columns, strict=True)]
        return np.column_stack(parts).astype(np.float32)


def _means(codes: Any, y: Any, n_levels: int) -> Any:
    """(n_levels + 1,) mean target per level, missing first; one half where a level is not seen."""
    sums, counts = np.zeros(n_levels + 1), np.zeros(n_levels + 1)
    np.add.at(sums, codes + 1, y)
    np.add.at(counts, codes + 1, 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), 0.5)


class BadlyNamed(Frequencies):
    name = "Bad Name"


class BusyConstructor(Frequencies):
    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.ready = False


class UnknownKind(Frequencies):
    kinds = ("category", "smell")


class DoublePrecision(Frequencies):
    def transform(self, columns: Table) -> Any:
        return super().transform(columns).astype(np.float64)


class LeavesHoles(Frequencies):
    def transform(self, columns: Table) -> Any:
        holes = np.column_stack([column.values < 0 for column in columns])
        return np.where(holes, np.float32(np.nan), super().transform(columns))


class LooksAtTheBatch(Frequencies):
    def transform(self, columns: Table) -> Any:
        out = super().transform(columns)
        return out - out.mean(axis=0)


class AfraidOfHoles(Frequencies):
    def transform(self, columns: Table) -> Any:
        if all((column.values < 0).all() for column in columns):
            raise KeyError("unknown level")
        return super().transform(columns)


class WantsManyRows(Frequencies):
    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        if len(columns) < 2:
            raise ValueError("at least two rows, please")
        return super().fit_transform(columns, y, ctx)


class Pickler(Frequencies):
    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "encoder.bin").write_bytes(pickle.dumps(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        back: Self = pickle.loads((folder / "encoder.bin").read_bytes())
        return back


class Unseeded(Frequencies):
    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        return super().fit_transform(columns, y, ctx) + np.random.default_rng().random(dtype=np.float32)


class EditsParameters(Frequencies):
    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        self.params["rows"] = len(columns)
        return super().fit_transform(columns, y, ctx)


class PeeksAtTheTarget(TargetMeans):
    uses_target = False


class Leaks(TargetMeans):
    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        super().fit_transform(columns, y, ctx)
        return self.transform(columns)


class AddsToNothing(Frequencies):
    adds_to = ("columns",)

    @classmethod
    def can_add(cls, columns: Any, params: dict[str, Any]) -> bool:
        return True


class SaysWhatIsNot(Frequencies):
    def describe(self, columns: Table) -> list[Feature]:
        return [Feature(c.label, "levels", levels=c.levels, values=(1.0,) * len(c.levels)) for c in columns]


class SaysStateless(Frequencies):
    stateless = True


class DefaultForNothing(Frequencies):
    default_for = ("matrx",)


class HandsTheTargetOn(EncoderPlugin):
    """It reads numbers, in which the check for categories would not have seen it."""

    name = "hands-the-target-on"
    kinds = ("numeric",)
    uses_target = True
    missing = True

    def fit_transform(self, columns: Table, y: Any, ctx: FitContext) -> Any:
        return np.column_stack([columns.matrix(), y]).astype(np.float32)

    def transform(self, columns: Table) -> Any:
        return np.column_stack([columns.matrix(), np.zeros(len(columns))]).astype(np.float32)


BAD: dict[type[EncoderPlugin], str] = {
    DefaultForNothing: "what_it_declares_makes_sense",
    HandsTheTargetOn: "training_rows_do_not_see_their_own_target",
    BadlyNamed: "it_has_a_name_of_its_own",
    BusyConstructor: "the_constructor_only_stores",
    UnknownKind: "what_it_declares_makes_sense",
    DoublePrecision: "it_gives_a_float32_matrix_of_constant_width",
    LeavesHoles: "its_output_is_finite_unless_it_says_missing",
    LooksAtTheBatch: "rows_are_encoded_independently",
    AfraidOfHoles: "it_survives_missing_values_and_unseen_categories",
    WantsManyRows: "a_single_training_row_is_enough",
    Pickler: "it_is_the_same_after_save_and_load",
    Unseeded: "the_same_seed_gives_the_same_output",
    EditsParameters: "inputs_and_parameters_are_left_alone",
    PeeksAtTheTarget: "the_target_is_used_only_if_it_says_so",
    Leaks: "training_rows_do_not_see_their_own_target",
    AddsToNothing: "a_feature_block_says_to_what_it_adds",
    SaysWhatIsNot: "what_it_describes_is_what_it_returns",
    SaysStateless: "it_needs_no_fit_if_it_says_stateless",
}
