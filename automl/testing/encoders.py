"""The conformance kit for encoders: every promise of `EncoderPlugin`, tried on generated columns of its kinds."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract import KINDS, AnyArray, Column, EncoderPlugin, Facts, FitContext, Table
from automl.discovery import Registry, missing_requirement
from automl.execution.views import TABULAR
from automl.testing.checks import Check, Kit, require, run_all
from automl.testing.compare import fingerprint
from automl.testing.plugins import (
    require_constructor_only_stores,
    require_declarations,
    require_installed_under_its_name,
    require_light_import,
    require_no_code,
    require_trusted_types_of_its_own,
)
from automl.testing.spaces import SPACE_CHECKS

ROWS = 90
WORDS = ("red", "green", "blue", "small", "large", "fast", "slow", "old", "new", "cheap")


@dataclass
class EncoderScene:
    """An encoder and columns for it: `train` and `other` rows, `y` of the training rows (two classes)."""

    encoder: type[EncoderPlugin]

    @cached_property
    def train(self) -> Table:
        """Training columns of every kind it accepts, some values missing, one column constant."""
        return columns_for(self.encoder, ROWS, seed=1)

    @cached_property
    def other(self) -> Table:
        """More rows of the same columns."""
        return columns_for(self.encoder, 30, seed=2)

    @cached_property
    def y(self) -> AnyArray:
        """(ROWS,) int64 codes of two classes."""
        return np.random.default_rng(3).integers(0, 2, ROWS)

    def context(self, seed: int = 7) -> FitContext:
        """What a fit is told."""
        return FitContext(Facts("any", "class_proba", ROWS, len(self.train.columns), 0, 2), seed=seed)

    def fit(self, table: Table | None = None, y: AnyArray | None = None) -> tuple[EncoderPlugin, AnyArray]:
        """A fitted encoder and the dense matrix of its training rows."""
        encoder = self.encoder()
        y = self.y if y is None else y
        return encoder, dense(encoder.fit_transform(self.train if table is None else table, y, self.context()))

    @cached_property
    def fitted(self) -> tuple[EncoderPlugin, AnyArray]:
        """Fitted once; checks that only look share it."""
        return self.fit()


def columns_for(encoder: type[EncoderPlugin], n: int, seed: int) -> Table:
    """Generated columns (n rows) of the kinds it accepts."""
    params = encoder().params
    return Table(tuple(column for column in columns_of_all_kinds(n, seed) if encoder.accepts(column, params)), n)


def columns_of_all_kinds(n: int, seed: int) -> tuple[Column, ...]:
    """Generated columns (n rows); pictures and objects cannot be made up and are left out."""
    rng = np.random.default_rng(seed)
    numbers = np.where(rng.random(n) < 0.1, np.nan, rng.normal(5.0, 2.0, n))
    days = np.where(rng.random(n) < 0.1, np.nan, 1.6e9 + rng.integers(0, 1000, n) * 86400.0)
    codes = np.where(rng.random(n) < 0.1, -1, rng.integers(0, 5, n)).astype(np.int32)
    texts = np.empty(n, dtype=object)
    texts[:] = [" ".join(rng.choice(WORDS, 6)) if rng.random() > 0.1 else None for _ in range(n)]
    return (
        Column("f0", "number", "numeric", numbers, origin="float64"),
        Column("f1", "constant", "numeric", np.full(n, 3.0), origin="float64"),
        Column("f2", "level", "category", codes, ("a", "b", "c", "d", "e"), "str"),
        Column("f3", "day", "datetime", days, origin="datetime64"),
        Column("f4", "remark", "text", texts, origin="str"),
    )


def dense(block: Any) -> AnyArray:
    """An encoder's output as an array."""
    return np.asarray(block.toarray() if hasattr(block, "tocsr") else block)


def require_same_matrix(one: AnyArray, other: AnyArray, what: str) -> None:
    """Equal to 1e-5, missing where missing."""
    require(one.shape == other.shape, f"{what}: shape {one.shape} became {other.shape}")
    same = np.allclose(one, other, rtol=1e-5, atol=1e-5, equal_nan=True)
    require(same, f"{what}: values differ by up to {np.nanmax(np.abs(one - other), initial=0.0):.3g}")


def check_it_has_a_name_of_its_own(scene: EncoderScene) -> None:
    """The entry point and the class agree on the name."""
    require_installed_under_its_name(scene.encoder, Registry.installed().encoders)


def check_importing_it_is_light(scene: EncoderScene) -> None:
    """Its libraries are imported when it works, not when it is listed."""
    require_light_import(scene.encoder)


def check_the_constructor_only_stores(scene: EncoderScene) -> None:
    """Parameters go in, nothing else happens."""
    require_constructor_only_stores(scene.encoder)


def check_what_it_declares_makes_sense(scene: EncoderScene) -> None:
    """Kinds are known ones, at least one; flags are of the right types; its libraries are there."""
    flags = dict.fromkeys(("stateless", "uses_target", "missing"), bool)
    others = {"kinds": tuple, "default_for": tuple, "adds_to": tuple, "priority": int}
    require_declarations(scene.encoder, {**flags, **others})
    require_trusted_types_of_its_own(scene.encoder)
    strange = set(scene.encoder.kinds) - set(KINDS)
    require(not strange, f"kinds names {sorted(strange)}; a column is one of {KINDS}")
    nowhere = set(scene.encoder.default_for) - set(TABULAR)
    require(not nowhere, f"default_for names {sorted(nowhere)}; a view of columns is one of {TABULAR}")
    chooses = scene.encoder.accepts.__func__ is not EncoderPlugin.accepts.__func__  # type: ignore[attr-defined]
    require(scene.encoder.kinds or chooses, f"it takes no column; set kinds to some of {KINDS}")
    require(not missing_requirement(scene.encoder), f"it cannot run here: {missing_requirement(scene.encoder)}")
    for result in run_all(SPACE_CHECKS, scene.encoder.space) if scene.encoder.space is not None else []:
        require(result.ok, f"its space: {result.check}: {result.message}")


def check_it_gives_a_float32_matrix_of_constant_width(scene: EncoderScene) -> None:
    """(n, d) float32 from `fit_transform` and `transform`, with one d."""
    encoder = scene.encoder()
    blocks = [encoder.fit_transform(scene.train, scene.y, scene.context()), encoder.transform(scene.other)]
    for block, table in zip(blocks, (scene.train, scene.other), strict=True):
        require(getattr(block, "ndim", 0) == 2, f"got {type(block).__name__}, not a two-dimensional matrix")
        require(block.dtype == np.float32, f"got {block.dtype}, not float32")
        require(block.shape[0] == len(table), f"got {block.shape[0]} rows for {len(table)}")
    widths = [block.shape[1] for block in blocks]
    require(widths[0] == widths[1], f"fit_transform gives {widths[0]} columns, transform {widths[1]}")


def check_its_output_is_finite_unless_it_says_missing(scene: EncoderScene) -> None:
    """Missing values in, numbers out; NaN only with ``missing = True``, infinity never."""
    encoder, train = scene.fitted
    for matrix in (train, dense(encoder.transform(scene.other))):
        require(not np.isinf(matrix).any(), "it gives infinite values")
        require(scene.encoder.missing or not np.isnan(matrix).any(), "it gives NaN without declaring `missing`")


def check_rows_are_encoded_independently(scene: EncoderScene) -> None:
    """A row alone is encoded as in a batch."""
    encoder, _ = scene.fitted
    together = dense(encoder.transform(scene.other))
    for row in range(5):
        alone = dense(encoder.transform(scene.other.take(np.array([row]))))
        require_same_matrix(together[row : row + 1], alone, f"row {row} in a batch and alone")


def check_it_survives_missing_values_and_unseen_categories(scene: EncoderScene) -> None:
    """A table of nothing but missing values is encoded to the usual width."""
    encoder, train = scene.fitted
    empty = {"numeric": np.nan, "datetime": np.nan, "category": -1}
    holes = []
    for column in scene.other:
        values = column.values.copy()
        values[:] = empty.get(column.kind)
        holes.append(replace(column, values=values))
    matrix = dense(encoder.transform(Table(tuple(holes), len(scene.other))))
    require(matrix.shape == (len(scene.other), train.shape[1]), f"all missing: shape {matrix.shape}")
    require(scene.encoder.missing or np.isfinite(matrix).all(), "all missing: values are not finite")


def check_a_single_training_row_is_enough(scene: EncoderScene) -> None:
    """Tiny folds happen."""
    matrix = scene.fit(scene.train.take(np.array([0])), scene.y[:1])[1]
    require(matrix.shape[0] == 1, f"one row gives shape {matrix.shape}")


def check_it_is_the_same_after_save_and_load(scene: EncoderScene) -> None:
    """What is read back encodes the same, and its files hold no code."""
    encoder, _ = scene.fitted
    with tempfile.TemporaryDirectory() as place:
        encoder.save(Path(place) / "encoder")
        back = scene.encoder.load(Path(place) / "encoder")
        require_no_code(Path(place), scene.encoder.name)
    one, other = (dense(fitted.transform(scene.other)) for fitted in (encoder, back))
    require_same_matrix(one, other, "after save and load")


def check_the_same_seed_gives_the_same_output(scene: EncoderScene) -> None:
    """Two fits with one seed encode the same."""
    one, other = scene.fitted, scene.fit()
    require_same_matrix(one[1], other[1], "fitted twice with the same seed")
    again = dense(other[0].transform(scene.other))
    require_same_matrix(dense(one[0].transform(scene.other)), again, "fitted twice with the same seed")


def check_inputs_and_parameters_are_left_alone(scene: EncoderScene) -> None:
    """Neither columns nor targets nor `params` change."""
    table, y = copy.deepcopy(scene.train), scene.y.copy()
    encoder = scene.encoder()
    before = fingerprint([table, y, encoder.params])
    encoder.fit_transform(table, y, scene.context())
    require(fingerprint([table, y, encoder.params]) == before, "fit_transform changed its columns, y or params")
    before = fingerprint(table)
    encoder.transform(table)
    require(fingerprint(table) == before, "transform changed its columns")


def check_the_target_is_used_only_if_it_says_so(scene: EncoderScene) -> None:
    """Other targets, or none, give the same matrix."""
    other = scene.fit(y=1 - scene.y)[1]
    require_same_matrix(scene.fitted[1], other, "with other targets, though `uses_target` is False")
    none = dense(scene.encoder().fit_transform(scene.train, None, scene.context()))
    require_same_matrix(scene.fitted[1], none, "without targets")


def check_training_rows_do_not_see_their_own_target(scene: EncoderScene) -> None:
    """With targets that are random, no column may tell those of the training rows, though categories have a level for
    each row."""
    n = 400
    key = Column("f2", "key", "category", np.arange(n, dtype=np.int32), tuple(f"level {i}" for i in range(n)), "str")
    columns, params = [*columns_of_all_kinds(n, seed=6), key], scene.encoder().params
    kept = {column.name: column for column in columns if scene.encoder.accepts(column, params)}
    y = np.random.default_rng(5).integers(0, 2, n)
    facts = Facts("any", "class_proba", n, len(kept), "f2" in kept, 2)
    matrix = dense(scene.encoder().fit_transform(Table(tuple(kept.values()), n), y, FitContext(facts, seed=1)))
    for position, values in enumerate(matrix.T):
        known = np.isfinite(values)
        if known.sum() > n // 10 and np.ptp(values[known]) > 1e-9:
            seen = abs(float(np.corrcoef(values[known], y[known])[0, 1]))
            require(
                seen < 0.5, f"column {position} tells the training targets (correlation {seen:.2f}); go out-of-fold"
            )


def check_a_feature_block_says_to_what_it_adds(scene: EncoderScene) -> None:
    """It adds to known views, to a table that has columns for it and to no other, and is no default."""
    block, params = scene.encoder, scene.encoder().params
    strange = set(block.adds_to) - set(TABULAR)
    require(not strange, f"adds_to names {sorted(strange)}; a view of columns is one of {TABULAR}")
    require(not block.default_for, "a feature block is used where it helps; leave default_for empty")
    require(not block.can_add([], params), "can_add says that it could add to a table without columns")
    for column in columns_of_all_kinds(ROWS, seed=1):
        wanted = block.accepts(column, params)
        require(
            wanted or not block.can_add([column], params), f"can_add says yes to a {column.kind} it does not accept"
        )


def check_what_it_describes_is_what_it_returns(scene: EncoderScene) -> None:
    """`describe` has a feature per output column, of an input column, and those that can be worked out are right."""
    encoder, known = scene.fitted[0], {column.label: column for column in scene.other}
    told = encoder.describe(scene.other.take(np.zeros(0, dtype=np.int64)))
    if told is None:
        return
    block = dense(encoder.transform(scene.other))
    require(len(told) == block.shape[1], f"describe() tells of {len(told)} columns, transform() gives {block.shape[1]}")
    for position, feature in enumerate(told):
        if feature.column not in known or (
            feature.kind == "number" and (feature.part or known[feature.column].kind != "numeric")
        ):
            continue
        what = f"column {position}, described as {feature.kind} of {feature.column!r},"
        require_same_matrix(feature.of(known[feature.column]), block[:, position], what)


def check_it_needs_no_fit_if_it_says_stateless(scene: EncoderScene) -> None:
    """A fresh encoder transforms as a fitted one does."""
    fresh = dense(scene.encoder().transform(scene.train))
    require_same_matrix(fresh, scene.fitted[1], "transform without fit")


def _any(scene: EncoderScene) -> bool:
    return True


def _has_columns(scene: EncoderScene) -> bool:
    return bool(scene.train.columns)


def _leaks_could_happen(scene: EncoderScene) -> bool:
    return scene.encoder.uses_target and _has_columns(scene)


def notes_on(encoder: type[EncoderPlugin]) -> list[str]:
    """What its author should know, though no promise is broken."""
    if encoder.default_for or encoder.adds_to:
        return []
    return [
        "it has neither default_for nor adds_to: it is used only by models that name it in `encoders`; set "
        f"default_for to some of {TABULAR} to have it used by all models of a view"
    ]


ENCODER_CHECKS: tuple[Check, ...] = tuple(
    Check(run.__name__.removeprefix("check_"), run, applies)
    for run, applies in (
        (check_it_has_a_name_of_its_own, _any),
        (check_importing_it_is_light, _any),
        (check_the_constructor_only_stores, _any),
        (check_what_it_declares_makes_sense, _any),
        (check_it_gives_a_float32_matrix_of_constant_width, _has_columns),
        (check_its_output_is_finite_unless_it_says_missing, _has_columns),
        (check_rows_are_encoded_independently, _has_columns),
        (check_it_survives_missing_values_and_unseen_categories, _has_columns),
        (check_a_single_training_row_is_enough, _has_columns),
        (check_it_is_the_same_after_save_and_load, _has_columns),
        (check_the_same_seed_gives_the_same_output, lambda s: _has_columns(s) and s.encoder.deterministic),
        (check_inputs_and_parameters_are_left_alone, _has_columns),
        (check_the_target_is_used_only_if_it_says_so, lambda s: _has_columns(s) and not s.encoder.uses_target),
        (check_training_rows_do_not_see_their_own_target, _leaks_could_happen),
        (check_what_it_describes_is_what_it_returns, _has_columns),
        (check_a_feature_block_says_to_what_it_adds, lambda s: bool(s.encoder.adds_to)),
        (check_it_needs_no_fit_if_it_says_stateless, lambda s: _has_columns(s) and s.encoder.stateless),
    )
)


class EncoderChecks(Kit):
    """Set `plugin` to an encoder class."""

    checks = ENCODER_CHECKS

    def subject(self) -> EncoderScene:
        return EncoderScene(self.plugin)
