"""Text as weighted words and word pairs: sparse, or as a few dense components."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Self

import numpy as np

from automl.contract import AnyArray, EncoderPlugin, Feature, FitContext, FloatArray, Matrix, Table, write_state

from .words import Weights, Words, lengths_of, words_of

_MAX_TERMS = 5000
_MIN_ROWS, _MIN_SHARE, _MAX_SHARE = 3, 0.001, 0.95
_FEW_TEXTS = 50
_COMPONENTS = 32


class TfIdf(EncoderPlugin):
    """TF-IDF of words and word pairs, each column with its own 5000 commonest terms; rows have length 1. CSR.

    vocabularies: one per column, term -> output column; idf: (d,) weights.
    """

    name = "tf-idf"
    kinds = ("text",)

    vocabularies: list[dict[str, int]]
    idf: FloatArray

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Any:
        """Count the rows each term is in and keep the common ones."""
        return self._learnt(columns).csr()

    def _learnt(self, columns: Table) -> Weights:
        """The vocabularies, and the weights of these texts."""
        idf: list[float] = []
        self.vocabularies = []
        for column in columns:
            words, n_texts = words_of(column), len(column)
            kept = _commonest(words, n_texts)
            self.vocabularies.append({term: len(idf) + position for position, (_, term) in enumerate(kept)})
            idf += [1.0 + math.log((1 + n_texts) / (1 - count)) for count, _ in kept]
        self.idf = np.array(idf, dtype=np.float64)
        return self._weights(columns)

    def transform(self, columns: Table) -> Any:
        """(n, d) float32, CSR unless there are few rows."""
        return self._weights(columns).matrix()

    def describe(self, columns: Table) -> list[Feature]:
        """A word or pair of words each."""
        found: list[tuple[int, Feature]] = []
        for column, vocabulary in zip(columns, self.vocabularies, strict=True):
            for term, place in vocabulary.items():
                found.append((place, Feature(column.label, part=f"weight of {term!r}", missing=0.0)))
        return [feature for _, feature in sorted(found, key=lambda pair: pair[0])]

    def _weights(self, columns: Table) -> Weights:
        return Weights.of(columns, self.vocabularies, self.idf)


class TfIdfSvd(TfIdf):
    """The leading 32 components of TF-IDF, and the length of each text. Dense.

    The widest component and the lengths have deviation 1 over the training rows, lengths mean 0 also.

    components: (32, d), as exact as float16, in which they are saved; center and scale: (n_columns,) of the logarithms
    of the lengths.
    """

    name = "tf-idf-svd"
    default_for = ("matrix", "columns")
    requires = ("sklearn",)

    components: Matrix
    center: FloatArray
    scale: FloatArray

    def save(self, folder: Path) -> None:
        """Write it with the components in half the space."""
        write_state(folder, {**vars(self), "components": self.components.astype(np.float16)})

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        """The encoder with these attributes."""
        return super().restore({**state, "components": state["components"].astype(np.float32)})

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Learn terms and components."""
        return self._reduced(self._reduction(columns, ctx), columns)

    def _reduction(self, columns: Table, ctx: FitContext) -> Weights:
        """Terms and components, and the weights of these texts."""
        weights = self._learnt(columns)
        lengths = lengths_of(columns)
        self.center, self.scale = lengths.mean(axis=0), lengths.std(axis=0)
        self.scale[self.scale < 1e-9] = 1.0
        self.components = _components(weights.csr(), ctx.seed).astype(np.float16).astype(np.float32)
        return weights

    def transform(self, columns: Table) -> Matrix:
        """(n, 32 + n_columns) float32."""
        return self._reduced(self._weights(columns), columns)

    def describe(self, columns: Table) -> list[Feature]:
        """Components, of the words of all columns together, and lengths."""
        texts = columns.columns[0].label if len(columns.columns) == 1 else ", ".join(str(c.label) for c in columns)
        names = [f"component {i + 1} of its words" for i in range(len(self.components))]
        found = [Feature(texts, part=name, missing=0.0) for name in names]
        for column, center, scale in zip(columns, self.center.tolist(), self.scale.tolist(), strict=True):
            name = "log of 1 + its length"
            found.append(Feature(column.label, part=name, center=center, scale=scale, missing=-center / scale))
        return found

    def _reduced(self, weights: Weights, columns: Table) -> Matrix:
        """Components and lengths of rows whose TF-IDF is known."""
        scaled = (lengths_of(columns) - self.center) / self.scale
        return np.concatenate([weights.times(self.components.T), scaled], axis=1).astype(np.float32)


def _commonest(words: Words, n_texts: int) -> list[tuple[int, str]]:
    """(- texts that it is in, term) of the terms that are neither rare nor nearly everywhere, the commonest first."""
    texts = np.bincount(words.places, minlength=words.n_terms)
    least = _least(n_texts)
    kept = np.flatnonzero((texts >= least) & (texts <= max(least, _MAX_SHARE * n_texts)))
    if len(kept) > _MAX_TERMS:
        kept = kept[texts[kept] >= np.partition(texts[kept], -_MAX_TERMS)[-_MAX_TERMS]]
    return sorted((-int(texts[place]), words.term(place)) for place in kept.tolist())[:_MAX_TERMS]


def _components(sparse: Any, seed: int) -> Matrix:
    """(32, d) leading components, fewer when there is less to find; scaled so that the widest has deviation 1."""
    wanted = min(_COMPONENTS, sparse.shape[1] - 1, sparse.shape[0] - 1)
    if wanted < 1 or not sparse.nnz:
        return np.zeros((0, sparse.shape[1]), dtype=np.float32)
    from sklearn.decomposition import TruncatedSVD

    components = TruncatedSVD(wanted, random_state=seed).fit(sparse).components_
    spread = float(np.max((sparse @ components.T).std(axis=0)))
    return np.asarray(components / (spread if spread > 1e-9 else 1.0), dtype=np.float32)


def _least(n_texts: int) -> int:
    """In how many texts a term must be."""
    return 1 if n_texts < _FEW_TEXTS else max(_MIN_ROWS, int(_MIN_SHARE * n_texts))
