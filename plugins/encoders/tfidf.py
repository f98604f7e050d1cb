"""Text as weighted words and word pairs: sparse, or as a few dense components."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np

from automl.contract import AnyArray, EncoderPlugin, FitContext, FloatArray, Matrix, Table

_MAX_TERMS = 5000
_MIN_ROWS, _MIN_SHARE, _MAX_SHARE = 3, 0.001, 0.95
_FEW_TEXTS = 50
_COMPONENTS = 32
_WORD = re.compile(r"\w\w+")


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
        documents = [[_terms(text) for text in column.values] for column in columns]
        idf: list[float] = []
        self.vocabularies = []
        for texts in documents:
            found = Counter(term for terms in texts for term in set(terms))
            least = _least(len(texts))
            kept = [
                (count, term) for term, count in found.items() if least <= count <= max(least, _MAX_SHARE * len(texts))
            ]
            kept = sorted(kept, key=lambda pair: (-pair[0], pair[1]))[:_MAX_TERMS]
            self.vocabularies.append({term: len(idf) + position for position, (_, term) in enumerate(kept)})
            idf += [1.0 + math.log((1 + len(texts)) / (1 + count)) for count, _ in kept]
        self.idf = np.array(idf, dtype=np.float64)
        return self._weighted(documents, len(columns))

    def transform(self, columns: Table) -> Any:
        """(n, d) float32 CSR."""
        return self._sparse(columns)

    def _sparse(self, columns: Table) -> Any:
        return self._weighted([[_terms(text) for text in column.values] for column in columns], len(columns))

    def _weighted(self, documents: list[list[list[str]]], n_rows: int) -> Any:
        """Log counts x idf, each column's part of a row scaled to length 1."""
        from scipy.sparse import csr_matrix

        data: list[AnyArray] = []
        indices: list[int] = []
        ends = np.zeros(n_rows + 1, dtype=np.int64)
        for row in range(n_rows):
            for texts, vocabulary in zip(documents, self.vocabularies, strict=True):
                counts = Counter(vocabulary[term] for term in texts[row] if term in vocabulary)
                if counts:
                    where = list(counts)
                    weights = (1.0 + np.log(list(counts.values()))) * self.idf[where]
                    data.append(weights / np.sqrt(weights @ weights))
                    indices += where
            ends[row + 1] = len(indices)
        values = np.concatenate(data) if data else np.zeros(0)
        shape = (n_rows, len(self.idf))
        matrix = csr_matrix((values.astype(np.float32), np.array(indices, dtype=np.int32), ends), shape=shape)
        matrix.sort_indices()
        return matrix


class TfIdfSvd(TfIdf):
    """The leading 32 components of TF-IDF, and the length of each text. Dense.

    The widest component and the lengths have deviation 1 over the training rows, lengths mean 0 also.

    components: (32, d); center and scale: (n_columns,) of the logarithms of the lengths.
    """

    name = "tf-idf-svd"
    default_for = ("matrix", "columns")
    requires = ("sklearn",)

    components: Matrix
    center: FloatArray
    scale: FloatArray

    def fit_transform(self, columns: Table, y: AnyArray | None, ctx: FitContext) -> Matrix:
        """Learn terms and components."""
        sparse = super().fit_transform(columns, y, ctx)
        lengths = _lengths(columns)
        self.center, self.scale = lengths.mean(axis=0), lengths.std(axis=0)
        self.scale[self.scale < 1e-9] = 1.0
        self.components = _components(sparse, ctx.seed)
        return self._reduced(sparse, columns)

    def transform(self, columns: Table) -> Matrix:
        """(n, 32 + n_columns) float32."""
        return self._reduced(self._sparse(columns), columns)

    def _reduced(self, sparse: Any, columns: Table) -> Matrix:
        """Components and lengths of rows whose TF-IDF is known."""
        scaled = (_lengths(columns) - self.center) / self.scale
        return np.concatenate([sparse @ self.components.T, scaled], axis=1).astype(np.float32)


def _components(sparse: Any, seed: int) -> Matrix:
    """(32, d) leading components, fewer when there is less to find; scaled so that the widest has deviation 1."""
    wanted = min(_COMPONENTS, sparse.shape[1] - 1, sparse.shape[0] - 1)
    if wanted < 1 or not sparse.nnz:
        return np.zeros((0, sparse.shape[1]), dtype=np.float32)
    from sklearn.decomposition import TruncatedSVD

    components = TruncatedSVD(wanted, random_state=seed).fit(sparse).components_
    spread = float(np.max((sparse @ components.T).std(axis=0)))
    return np.asarray(components / (spread if spread > 1e-9 else 1.0), dtype=np.float32)


def _lengths(columns: Table) -> FloatArray:
    """(n, n_columns) logarithms of the numbers of characters."""
    return np.array([[math.log1p(len(text or "")) for text in c.values] for c in columns], dtype=np.float64).T


def _terms(text: Any) -> list[str]:
    """Words and pairs of neighbouring words, in lower case; none for a missing text."""
    if not text:
        return []
    words = _WORD.findall(str(text).lower())
    return words + [f"{a} {b}" for a, b in pairwise(words)]


def _least(n_texts: int) -> int:
    """In how many texts a term must be."""
    return 1 if n_texts < _FEW_TEXTS else max(_MIN_ROWS, int(_MIN_SHARE * n_texts))
