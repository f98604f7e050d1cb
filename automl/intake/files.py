"""Tables on disk: CSV and Parquet, with every way a file can be wrong told by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.contract import DataError, Finding
from automl.intake.delimited import Texts, read_csv
from automl.intake.parquet import ParquetTable, open_parquet, readable
from automl.intake.remote import is_url, local_copy

_TEXT = (".csv", ".tsv", ".txt")
_PACKED = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zip": "zip", ".zst": "zstd"}
_PARQUET = (".parquet", ".pq")


def read_file(path: Path | str, texts: Texts | None = None) -> tuple[Any, tuple[Finding, ...]]:
    """A pandas DataFrame of the file or URL, and what was noticed. Raises DataError naming the file and the line.

    `texts` says which columns of a CSV to read as strings, see `read_csv`; Parquet says itself what its columns hold.
    """
    if isinstance(path, str) and is_url(path):
        with local_copy(path) as copy:
            return read_file(copy, texts)
    path = Path(path)
    if not path.exists():
        raise DataError("file-missing", f"there is no file {str(path)!r}", "", "Check the path.")
    kind, packed = _kind(path)
    if kind in _PARQUET:
        return _read_parquet(path), ()
    if kind in _TEXT:
        return read_csv(path, packed, texts)
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
