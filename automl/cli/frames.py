"""Files in and out of the command line: CSV and Parquet."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.contract import OptionError

if TYPE_CHECKING:
    import pandas as pd

_SUFFIXES = (".csv", ".parquet")


def check_writable(path: Path, overwrite: bool) -> None:
    """Raise OptionError before any work when the predictions could not be written."""
    if path.suffix.lower() not in _SUFFIXES:
        raise OptionError(f"cannot write {path}: name a file that ends in one of {list(_SUFFIXES)}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise OptionError(f"cannot write {path}: it must be a file in a folder that exists")
    if path.exists() and not overwrite:
        raise OptionError(f"{path} exists; choose another file or add --overwrite")


def predictions_frame(answer: Any) -> pd.DataFrame:
    """What `predict` or `predict_proba` returned, as a frame with text headings and a new index."""
    import pandas as pd

    if isinstance(answer, pd.Series):
        frame = answer.to_frame("prediction" if answer.name is None else str(answer.name))
    else:
        frame = pd.DataFrame(answer)
        if frame.shape[1] == 1:
            frame.columns = pd.Index(["prediction"])
    frame.columns = frame.columns.map(str)
    return frame.reset_index(drop=True)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        if path.suffix.lower() == ".csv":
            frame.to_csv(name, index=False)
        else:
            frame.to_parquet(name, index=False)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
