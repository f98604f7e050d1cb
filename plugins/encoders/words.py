"""Texts as counted words and word pairs, read once for all encoders that look at a column.

symbol    meaning
n, t      texts; distinct terms in them
p         pairs of a text and a term that is in it, text after text
d         terms of a vocabulary; output columns
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, FloatArray, IntArray, Table

_FEW_ROWS = 8
_WORD = re.compile(r"\w\w+")


@dataclass(frozen=True)
class Words:
    """The terms of a column's texts.

    Attributes:
        terms: (t,).
        rows, places, counts: (p,) the text, the position in `terms`, and how often it is there.
        lengths: (n,) logarithms of 1 + the number of characters.
    """

    terms: tuple[str, ...]
    rows: IntArray
    places: IntArray
    counts: IntArray
    lengths: FloatArray


def words_of(column: Column) -> Words:
    """The terms of a text column; kept with it."""
    found: Words = column.derived("words", _read)
    return found


def lengths_of(columns: Table) -> FloatArray:
    """(n, n_columns) logarithms of the numbers of characters."""
    return np.stack([words_of(column).lengths for column in columns], axis=1)


def _read(column: Column) -> Words:
    known: dict[str, int] = {}
    rows: list[int] = []
    places: list[int] = []
    counts: list[int] = []
    texts = column.values.tolist()
    for row, text in enumerate(texts):
        counted = Counter(_terms(text))
        rows += [row] * len(counted)
        places += [known.setdefault(term, len(known)) for term in counted]
        counts += counted.values()
    lengths = np.array([math.log1p(len(text or "")) for text in texts], dtype=np.float64)
    whole = [np.array(values, dtype=np.int64) for values in (rows, places, counts)]
    return Words(tuple(known), whole[0], whole[1], whole[2], lengths)


def _terms(text: Any) -> list[str]:
    """Words and pairs of neighbouring words, in lower case; none for a missing text."""
    if not text:
        return []
    words = _WORD.findall(str(text).lower())
    return words + [f"{a} {b}" for a, b in pairwise(words)]


@dataclass(frozen=True)
class Weights:
    """A sparse (n, d) matrix of weighted terms: `data` in the places `cols` of `rows`, row after row."""

    rows: IntArray
    cols: IntArray
    data: AnyArray
    shape: tuple[int, int]

    @classmethod
    def of(cls, columns: Table, vocabularies: Sequence[Mapping[str, int]], idf: FloatArray) -> Weights:
        """Log counts x idf in float32, each column's part of a row scaled to length 1."""
        parts = []
        for column, vocabulary in zip(columns, vocabularies, strict=True):
            words = words_of(column)
            cols = np.array([vocabulary.get(term, -1) for term in words.terms], dtype=np.int64)[words.places]
            known = np.flatnonzero(cols >= 0)
            rows, cols = words.rows[known], cols[known]
            data = (1.0 + np.log(words.counts[known])) * idf[cols]
            lengths = np.sqrt(np.bincount(rows, np.square(data), minlength=len(columns)))
            parts.append((rows, cols, (data / lengths[rows]).astype(np.float32)))
        rows, cols, data = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        order = np.lexsort((cols, rows))
        return cls(rows[order], cols[order], data[order], (len(columns), len(idf)))

    def csr(self) -> Any:
        """As scipy's CSR matrix."""
        from scipy.sparse import csr_matrix

        ends = np.concatenate([[0], np.cumsum(np.bincount(self.rows, minlength=self.shape[0]))])
        return csr_matrix((self.data, self.cols.astype(np.int32), ends), shape=self.shape)

    def matrix(self) -> Any:
        """CSR; of few rows dense, which for them is the faster of the two."""
        if self.shape[0] > _FEW_ROWS:
            return self.csr()
        out = np.zeros(self.shape, dtype=np.float32)
        out[self.rows, self.cols] = self.data
        return out

    def times(self, matrix: AnyArray) -> AnyArray:
        """(n, k) products with a (d, k) matrix; one row is multiplied without the detour, to the same digits."""
        if self.shape[0] != 1:
            return np.asarray(self.csr() @ matrix)
        return np.asarray((self.data[:, None] * matrix[self.cols]).sum(axis=0, keepdims=True))
