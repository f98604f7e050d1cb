"""Tables on disk: CSV and Parquet, with every way a file can be wrong told by name."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from automl.contract import DataError, Finding
from automl.intake.parquet import ParquetTable, open_parquet, readable
from automl.intake.remote import is_url, local_copy

_TEXT = (".csv", ".tsv", ".txt")
_PACKED = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zip": "zip", ".zst": "zstd"}
_PARQUET = (".parquet", ".pq")


def read_file(path: Path | str) -> tuple[Any, tuple[Finding, ...]]:
    """A pandas DataFrame of the file or URL, and what was noticed. Raises DataError naming the file and the line."""
    if isinstance(path, str) and is_url(path):
        with local_copy(path) as copy:
            return read_file(copy)
    path = Path(path)
    if not path.exists():
        raise DataError("file-missing", f"there is no file {str(path)!r}", "", "Check the path.")
    kind, packed = _kind(path)
    if kind in _PARQUET:
        return _read_parquet(path), ()
    if kind in _TEXT:
        return _read_csv(path, packed)
    raise DataError("file-kind", f"cannot tell what {path.name!r} holds", "", "Use a .csv, .csv.gz or .parquet file.")


def described(path: Path | str) -> ParquetTable | None:
    """A Parquet file or folder whose columns can be read one by one; None for every other file. Raises DataError."""
    if is_url(path) or not Path(path).exists() or _kind(Path(path))[0] not in _PARQUET:
        return None
    return open_parquet(Path(path))


def _kind(path: Path) -> tuple[str, str | None]:
    """The suffix that says what is in the file, and how it is packed. A folder holds Parquet."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = _PACKED.get(suffixes[-1]) if suffixes else None
    kind = suffixes[-2] if packed and len(suffixes) > 1 else (suffixes[-1] if suffixes else "")
    return (_PARQUET[0], None) if path.is_dir() else (kind, packed)


def _read_parquet(path: Path) -> Any:
    import pyarrow.parquet as pq

    with readable(path):
        return pq.read_table(path).to_pandas()


def _read_csv(path: Path, packed: str | None) -> tuple[Any, tuple[Finding, ...]]:
    import pandas as pd

    findings: list[Finding] = []
    try:
        try:
            table = _parse_csv(path, packed, "utf-8-sig", findings)
        except UnicodeDecodeError:
            table = _parse_csv(path, packed, "latin-1", findings)
            findings.append(Finding("file-encoding", "the file is not UTF-8", path.name, "read it as latin-1"))
    except pd.errors.EmptyDataError as error:
        raise DataError("file-empty", f"{path.name!r} is empty", "", "Give a file with a header and rows.") from error
    except (pd.errors.ParserError, OSError, EOFError) as error:
        raise DataError(
            "file-unreadable", f"{path.name!r} is no readable CSV: {error}", "", "Mend the file."
        ) from error
    return table, tuple(findings)


def _parse_csv(path: Path, packed: Any, encoding: str, findings: list[Finding]) -> Any:
    """Blank cells are missing; which words also mean missing is decided column by column, later."""
    import pandas as pd
    from pandas.io.common import get_handle

    with get_handle(path, "r", encoding=encoding, compression=packed) as opened:
        head = opened.handle.readline()
    mark = _delimiter(str(head))
    if mark != ",":
        findings.append(Finding("file-delimiter", f"columns are separated by {mark!r}", path.name, "read it so"))
    return pd.read_csv(
        path,
        sep=mark,
        encoding=encoding,
        compression=packed,
        keep_default_na=False,
        na_values=[""],
        low_memory=False,
        skipinitialspace=True,
    )


def _delimiter(head: str) -> str:
    """The character that splits the header into most columns outside quotes; a comma when none does."""
    widths = {mark: len(next(csv.reader([head], delimiter=mark), [])) for mark in ",;\t|"}
    return max(widths, key=lambda mark: widths[mark])
