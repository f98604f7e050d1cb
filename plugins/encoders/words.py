"""Texts as counted words and word pairs, read once for all encoders that look at a column.

symbol    meaning
n, t      texts; distinct terms in them
p         pairs of a text and a term that is in it, text after text
d         terms of a vocabulary; output columns
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from automl.contract import AnyArray, Column, FloatArray, IntArray, Table

_FEW_ROWS = 8
_WORD = re.compile(r"\w\w+")
_BLOCK = 1 << 14
_LARGE_PART = 8


@dataclass(frozen=True)
class Words:
    """The terms of a column's texts: words, and then pairs of neighbouring words.

    Attributes:
        names: the words; a term is known by its place, that of a pair being `len(names)` and its place in `pairs`.
        pairs: numbers of pairs, in order: place of the first word x `len(names)` + that of the second.
        rows, places, counts: (p,) the text, the term, and how often it is there; text after text.
        lengths: (n,) logarithms of 1 + the number of characters.
    """

    names: tuple[str, ...]
    pairs: IntArray
    rows: AnyArray
    places: AnyArray
    counts: AnyArray
    lengths: FloatArray

    @property
    def n_terms(self) -> int:
        """t."""
        return len(self.names) + len(self.pairs)

    def term(self, place: int) -> str:
        """The term in a place, as text."""
        if place < len(self.names):
            return self.names[place]
        one, two = divmod(int(self.pairs[place - len(self.names)]), len(self.names))
        return f"{self.names[one]} {self.names[two]}"

    def place(self, term: str) -> int:
        """Where a term is; -1 when it is in no text."""
        one, _, two = term.partition(" ")
        first = self._index.get(one, -1)
        if not two or first < 0:
            return first
        second = self._index.get(two, -1)
        number = first * len(self.names) + second
        at = int(np.searchsorted(self.pairs, number)) if second >= 0 else len(self.pairs)
        return len(self.names) + at if at < len(self.pairs) and self.pairs[at] == number else -1

    def take(self, rows: AnyArray) -> Words:
        """Those of some texts, in the order given."""
        starts, ends = self._ends[rows], self._ends[np.asarray(rows) + 1]
        sizes = ends - starts
        before = np.cumsum(sizes) - sizes
        chosen = np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()))
        where = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        part = replace(
            self, rows=where, places=self.places[chosen], counts=self.counts[chosen], lengths=self.lengths[rows]
        )
        vars(part)["_index"] = self._index
        return part

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def _ends(self) -> IntArray:
        """Where the texts begin and end among the `rows`."""
        return np.searchsorted(self.rows, np.arange(len(self.lengths) + 1))


def words_of(column: Column) -> Words:
    """The terms of a text column; kept with it. Those of a large part of a column come from the whole, read once."""
    found: Words = column.derived("words", _found)
    return found


def lengths_of(columns: Table) -> FloatArray:
    """(n, n_columns) logarithms of the numbers of characters."""
    return np.stack([words_of(column).lengths for column in columns], axis=1)


def _found(column: Column) -> Words:
    if column.part_of is not None:
        whole, rows = column.part_of
        if whole.has_derived("words") or len(whole) < _LARGE_PART * len(column):
            return words_of(whole).take(rows)
    return _read(column.values.tolist())


def _read(texts: Sequence[Any]) -> Words:
    """Words and pairs of neighbouring words, in lower case; none for a missing text."""
    known: dict[str, int] = {}
    parts, sizes = [np.zeros(0, dtype=np.int64)], list[int]()
    for start in range(0, len(texts), _BLOCK):
        found = [_WORD.findall(str(text).lower()) if text else [] for text in texts[start : start + _BLOCK]]
        sizes += map(len, found)
        places = [known.setdefault(word, len(known)) for words in found for word in words]
        parts.append(np.array(places, dtype=np.int64))
    lengths = np.array([math.log1p(len(text or "")) for text in texts], dtype=np.float64)
    rows = np.repeat(np.arange(len(texts)), np.array(sizes, dtype=np.int64))
    return _counted(tuple(known), np.concatenate(parts), rows, lengths)


def _counted(names: tuple[str, ...], words: IntArray, rows: IntArray, lengths: FloatArray) -> Words:
    """Terms of words that follow each other, and their counts."""
    together = np.flatnonzero(rows[1:] == rows[:-1])
    numbers = words[together] * len(names) + words[together + 1]
    pairs, place = np.unique(numbers, return_inverse=True)
    width = max(1, len(names) + len(pairs))
    keys = np.concatenate([rows * width + words, rows[together] * width + len(names) + place])
    keys, counts = np.unique(keys, return_counts=True)
    where, places = np.divmod(keys, width)
    return Words(names, pairs, where.astype(np.int32), places, counts.astype(np.int32), lengths)


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
            cols = _columns_of(words, vocabulary)[words.places]
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


def _columns_of(words: Words, vocabulary: Mapping[str, int]) -> IntArray:
    """(t,) the column of each term, -1 for one without; looked up from whichever side is the smaller."""
    if words.n_terms < len(vocabulary):
        return np.array([vocabulary.get(words.term(place), -1) for place in range(words.n_terms)], dtype=np.int64)
    to = np.full(words.n_terms + 1, -1, dtype=np.int64)
    to[[words.place(term) for term in vocabulary]] = list(vocabulary.values())
    return to[:-1]
