"""The same run on a Ray cluster: every fit becomes a task of the cluster, the best so far is committed as it goes."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sklearn.datasets import load_breast_cancer

from automl import AutoML
from automl.report import leaderboard_text


def main(address: str | None, time_limit: float, output: Path) -> None:
    """`address`: of a running cluster; None starts Ray on this machine."""
    tumours = load_breast_cancer(as_frame=True).frame
    train, new = tumours[:450], tumours[450:]

    model = AutoML(executor="ray", ray_address=address, time_limit=time_limit, random_state=0, path=output)
    model.fit(train, target="target")

    print(leaderboard_text(model.leaderboard(new), limit=12))
    print(f"scored {model.score(new):.3f} on {len(new)} new rows; the model is in {output}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default=os.environ.get("RAY_ADDRESS"), help="for example ray://head:10001")
    parser.add_argument("--time-limit", type=float, default=120, help="seconds for everything")
    parser.add_argument("--output", type=Path, default=Path("cluster-model"), help="new folder for the model")
    arguments = parser.parse_args()
    main(arguments.address, arguments.time_limit, arguments.output)
