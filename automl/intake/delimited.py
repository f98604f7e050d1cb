"""CSV and its kin: how a file is written is found out from its first bytes, its header and its lines."""

from __future__ import annotations

import codecs
import csv
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.contract import DataError, Finding

Texts = Callable[[Sequence[str]], Collection[str]]
"""Of a file's columns, those whose cells are to be read as they are written."""


@dataclass(frozen=True)
class _Way:
    """How the lines of a file are written."""

    path: Path
    packed: Any
    encoding: str
    mark: str

    def read(self, **more: Any) -> Any:
        """Blank cells are missing; which words also mean missing is decided column by column, later."""
        import pandas as pd

        return pd.read_csv(
            self.path,
            sep=self.mark,
            encoding=self.encoding,
            compression=self.packed,
            keep_default_na=False,
            na_values=[""],
            low_memory=False,
            skipinitialspace=True,
            **more,
        )


def read_csv(path: Path, packed: str | None, texts: Texts | None = None) -> tuple[Any, tuple[Finding, ...]]:
    """A pandas DataFrame of the file, and what was noticed. Raises DataError naming the file and the line.

    `texts` None leaves it to pandas what the cells of each column are; else those of the columns it names stay strings.
    """
    import pandas as pd

    findings: list[Finding] = []
    try:
        table = _decoded(path, packed, texts, findings)
    except pd.errors.EmptyDataError as error:
        raise DataError("file-empty", f"{path.name!r} is empty", "", "Give a file with a header and rows.") from error
    except (pd.errors.ParserError, UnicodeError, OSError, EOFError) as error:
        raise DataError(
            "file-unreadable", f"{path.name!r} is no readable CSV: {error}", "", "Mend the file."
        ) from error
    return table, tuple(findings)


def _decoded(path: Path, packed: Any, texts: Texts | None, findings: list[Finding]) -> Any:
    if _starts_as_utf16(path, packed):
        findings.append(Finding("file-encoding", "the file is not UTF-8", path.name, "read it as UTF-16"))
        return _parsed(path, packed, "utf-16", texts, findings)
    before = len(findings)
    try:
        return _parsed(path, packed, "utf-8-sig", texts, findings)
    except UnicodeDecodeError:
        del findings[before:]
        table = _parsed(path, packed, "latin-1", texts, findings)
        findings.append(Finding("file-encoding", "the file is not UTF-8", path.name, "read it as latin-1"))
        return table


def _starts_as_utf16(path: Path, packed: Any) -> bool:
    from pandas.io.common import get_handle

    with get_handle(path, "rb", compression=packed, is_text=False) as opened:
        start = opened.handle.read(2)
    return start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _parsed(path: Path, packed: Any, encoding: str, texts: Texts | None, findings: list[Finding]) -> Any:
    from pandas.io.common import get_handle

    with get_handle(path, "r", encoding=encoding, compression=packed) as opened:
        head = opened.handle.readline()
    way = _Way(path, packed, encoding, _delimiter(str(head)))
    if way.mark != ",":
        findings.append(Finding("file-delimiter", f"columns are separated by {way.mark!r}", path.name, "read it so"))
    wanted = () if texts is None else texts(list(way.read(nrows=0).columns))
    return _unshifted(way, dict.fromkeys(wanted, str), findings)


def _unshifted(way: _Way, dtype: dict[str, Any], findings: list[Finding]) -> Any:
    """The table with each value under its own heading, also where lines have more cells than the header.

    Those before the first column are names of rows, unless each line just ends with delimiters.
    """
    import pandas as pd

    table = way.read(dtype=dtype)
    if isinstance(table.index, pd.RangeIndex):
        return table
    what = "lines have more cells than the header has names"
    if not bool(table.iloc[:, -table.index.nlevels :].isna().all(axis=None)):
        done = "read the first of a line as the name of its row"
        findings.append(Finding("file-row-names", what, way.path.name, done))
        return table
    findings.append(Finding("file-line-ends", f"lines end with {way.mark!r}", way.path.name, "left that out"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        return way.read(dtype=dtype, index_col=False)


def _delimiter(head: str) -> str:
    """The character that splits the header into most columns outside quotes; a comma when none does."""
    widths = {mark: len(next(csv.reader([head], delimiter=mark), [])) for mark in ",;\t|"}
    return max(widths, key=lambda mark: widths[mark])
