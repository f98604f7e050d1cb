"""Parts of the units for cross-fitting: each is held out once, while the choice is made on the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from automl.contract import AnyArray, IntArray, Predictions, Request, Truth

FOLDS_ENOUGH = 3
PARTS = 5

Places = Mapping[int, IntArray | None]


@dataclass(frozen=True)
class Part:
    """Where the held units and the rest lie: fold -> positions within it, None for all of the fold."""

    held: Places
    rest: Places


def make_parts(sizes: Sequence[int], seed: int, kin: Sequence[AnyArray] | None = None) -> list[Part]:
    """Up to five groups of whole folds when there are three or more; else random fifths of every fold.

    kin: per fold, (u,) numbers of what its units belong to: those of the same number, in any fold, stay together.

    None for too few units.
    """
    if len(sizes) >= FOLDS_ENOUGH:
        folds = range(len(sizes))
        groups = [folds[start::PARTS] for start in range(min(PARTS, len(sizes)))]
        return [Part(dict.fromkeys(g), dict.fromkeys(f for f in folds if f not in g)) for g in groups]
    rng = np.random.default_rng([abs(seed), 102])
    if kin is None:
        count = min(PARTS, *sizes)
        labels = [rng.permutation(size) % max(count, 1) for size in sizes]
    else:
        labels = _labels(kin, rng)
        count = 1 + max(int(label.max(initial=0)) for label in labels)
    if count < 2 or any(len(np.unique(label)) < count for label in labels):
        return []
    return [
        Part(
            {f: np.flatnonzero(label == p) for f, label in enumerate(labels)},
            {f: np.flatnonzero(label != p) for f, label in enumerate(labels)},
        )
        for p in range(count)
    ]


def _labels(kin: Sequence[AnyArray], rng: np.random.Generator) -> list[IntArray]:
    """Per fold, (u,) parts of its units: groups are dealt out fold by fold, so that every fold has units of each."""
    own = [np.unique(numbers) for numbers in kin]
    count = max(1, min(PARTS, *map(len, own)))
    dealt = own[0][:0]
    for groups in own:
        dealt = np.concatenate([dealt, rng.permutation(np.setdiff1d(groups, dealt))])
    order = np.argsort(dealt, kind="stable")
    return [order[np.searchsorted(dealt[order], numbers)] % count for numbers in kin]


def cut(member: Sequence[Predictions], places: Places) -> list[Predictions]:
    """A member's predictions at these places, fold by fold."""
    return [member[f] if rows is None else member[f].take(rows) for f, rows in places.items()]


def cut_truths(truths: Sequence[Truth | None], places: Places) -> list[Truth | None]:
    """The truths at these places."""
    return [truths[f] if rows is None else _of(truths[f], rows) for f, rows in places.items()]


def cut_requests(requests: Sequence[Request], places: Places) -> list[Request]:
    """The requests at these places."""
    return [requests[f] if rows is None else requests[f].take(rows) for f, rows in places.items()]


def joined(parts: Sequence[Part], pieces: Sequence[Sequence[Predictions]], n_folds: int) -> tuple[Predictions, ...]:
    """Predictions per fold, in the folds' own order, from the pieces predicted for each part's held units."""
    found: list[list[tuple[IntArray | None, Predictions]]] = [[] for _ in range(n_folds)]
    for part, piece in zip(parts, pieces, strict=True):
        for (fold, rows), predictions in zip(part.held.items(), piece, strict=True):
            found[fold].append((rows, predictions))
    return tuple(_whole(of_fold) for of_fold in found)


def _whole(found: Sequence[tuple[IntArray | None, Predictions]]) -> Predictions:
    first = found[0][1]
    rows = [r for r, _ in found if r is not None]
    if not rows:
        return first
    return type(first).concat([p for _, p in found]).take(np.argsort(np.concatenate(rows), kind="stable"))


def _of(truth: Truth | None, rows: IntArray) -> Truth | None:
    return None if truth is None else truth.take(rows)
