"""Tables behind a URL: s3://, gs://, https:// and whatever else fsspec knows, as a file on this machine."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from automl.contract import DataError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")


def is_url(place: object) -> bool:
    """Does it begin like ``s3://``? A drive letter is no scheme."""
    return isinstance(place, str) and _SCHEME.match(place) is not None


@contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A copy of the file or folder of Parquet parts, under its own name, that is there for the while.

    Raises DataError when it is not there, may not be read, or the package for its protocol is missing.
    """
    with tempfile.TemporaryDirectory(prefix="automl-") as folder:
        fs, inner = _file_system(url)
        copy = Path(folder) / (PurePosixPath(inner.rstrip("/")).name.partition("?")[0] or "data")
        try:
            if fs.isdir(inner):
                fs.get(inner.rstrip("/") + "/", f"{copy}/", recursive=True)
            else:
                fs.get_file(inner, str(copy))
        except FileNotFoundError as error:
            raise DataError("file-missing", f"there is nothing at {url!r}", "", "Check the URL.") from error
        except Exception as error:  # every file system has errors of its own
            reason = f"{type(error).__name__}: {error}"
            fix = "Check the URL and the credentials of this machine."
            raise DataError("url-unreadable", f"{url!r} cannot be read: {reason:.500}", "", fix) from error
        yield copy


def upload(folder: Path, url: str) -> None:
    """Copy a folder's files to a URL. Raises DataError when that cannot be written."""
    fs, inner = _file_system(url)
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                place = f"{inner.rstrip('/')}/{path.relative_to(folder).as_posix()}"
                fs.makedirs(place.rpartition("/")[0], exist_ok=True)
                fs.put_file(str(path), place)
    except Exception as error:  # every file system has errors of its own
        reason = f"{type(error).__name__}: {error}"
        fix = "Check the URL and the credentials of this machine."
        raise DataError("url-unwritable", f"cannot write to {url!r}: {reason:.500}", "", fix) from error


def _file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it. Raises DataError that says which package is missing."""
    try:
        import fsspec
    except ImportError as error:
        raise DataError(
            "url-fsspec", f"reading {url!r} needs fsspec", "", 'pip install "cairn-automl[remote]"'
        ) from error
    try:
        fs, inner = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise DataError("url-package", f"{url!r} needs a package that is not here: {error}") from error
    except ValueError as error:
        known = ", ".join(f"{name}://" for name in ("s3", "gs", "az", "https", "file"))
        raise DataError("url-protocol", f"{url!r}: {error}", "", f"Usual ones are {known}.") from error
    return fs, str(inner)
