"""What a saved model takes: milliseconds for one row, microseconds a row for many, megabytes; in all and by member.

python latency.py model/ new.csv
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from measure import latency, size_mb

from automl import AutoML


def members(folder: Path) -> dict[str, float]:
    """Name of each model that answers -> megabytes of its files; what several share counts for one of them."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["manifest"]
    found = {}
    for member in manifest["content"]["deployment"]["members"]:
        places = tuple(f"{place}/" for place in manifest["models"][member["key"]].values())
        sizes = [size for name, (_, size) in manifest["files"].items() if name.startswith(places)]
        found[member["name"]] = sum(sizes) / 1e6
    return found


def rows(model: AutoML, folder: Path, X: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for the whole model, then one for each member."""
    weights = {"ensemble": 1.0, **dict(model.ensemble_)}
    out = []
    for name, size in {"ensemble": size_mb(folder), **members(folder)}.items():
        took = latency(partial(model.predict, model=name), X)
        figures = {"row, ms": took["row_ms"], "batch, µs/row": took["batch_us"], "size, MB": size}
        out.append({"model": name, "weight": weights.get(name, 0.0), **figures})
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder that save or fit wrote")
    parser.add_argument("data", type=Path, help="CSV or Parquet file with rows to predict")
    given = parser.parse_args()
    X = pd.read_parquet(given.data) if given.data.suffix == ".parquet" else pd.read_csv(given.data)
    found = pd.DataFrame(rows(AutoML.load(given.model), given.model, X))
    print(found.to_string(index=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    main()
