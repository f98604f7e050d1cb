"""Tables of your own: a folder of Parquet files with a `manifest.json`.

    {"split_column": "part", "datasets": [
        {"name": "churn", "file": "churn.parquet", "target": "churned", "task": "binary", "metric": "roc_auc"}, …]}

Rows whose `split_column` says "test" are held back; it may be left out of a file, and 30 % are then drawn by the seed.
Other tasks than ``binary``, ``multiclass`` and ``regression`` are passed over.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

TASKS = ("binary", "multiclass", "regression")
FOLDER = "BENCHMARK_TABLES"
"""The environment variable that names the folder."""


def described(folder: Path) -> list[dict[str, Any]]:
    """What `Data` is made of, with its name, for every table. Raises SystemExit for a folder without a manifest."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        split = manifest.get("split_column", "")
        return [_described(folder, split, entry) for entry in manifest["datasets"] if entry["task"] in TASKS]
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"{folder} holds no tables with a manifest.json as own.py describes it: {error!r}") from error


def _described(folder: Path, split: str, entry: dict[str, Any]) -> dict[str, Any]:
    import pyarrow.parquet as pq

    file = folder / entry["file"]
    test = 0.3
    if split in pq.read_schema(file).names:
        test = float((pd.read_parquet(file, columns=[split])[split] == "test").sum())
    else:
        split = ""
    plain = {name: entry[name] for name in ("name", "target", "task", "metric")}
    return {**plain, "load": partial(_read, file, split), "test": test}


def _read(file: Path, split: str) -> pd.DataFrame:
    """The table, its test part at the end."""
    frame = pd.read_parquet(file)
    if not split:
        return frame
    late = frame[split] == "test"
    return pd.concat([frame[~late], frame[late]], ignore_index=True).drop(columns=split)
