"""Fit on a mixed table, see what each model buys, check the promise on new customers, save, load, predict."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from automl import AutoML
from automl.report import leaderboard_text

HERE = Path(__file__).parent


def main(time_limit: float, output: Path) -> None:
    """Numbers, categories, dates, free text and gaps: the table goes in as it is."""
    customers = pd.read_csv(HERE / "churn.csv")
    train, new = customers[:1800], customers[1800:]

    model = AutoML(time_limit=time_limit, random_state=0)
    model.fit(train, target="churned")
    print(leaderboard_text(model.leaderboard(new), limit=12))

    low, high = model.score_interval(len(new), level=0.9)
    print(f"promised {low:.3f} to {high:.3f} on {len(new)} new customers (90 %); scored {model.score(new):.3f}")

    model.save(output, overwrite=True)
    again = AutoML.load(output)
    same = (again.predict(new) == model.predict(new)).all()
    print(f"saved in {output}; loaded, it predicts {'the same' if same else 'something else'}")
    print(pd.DataFrame(again.predict_proba(new.head(3))).round(3).to_string(index=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=60, help="seconds for everything")
    parser.add_argument("--output", type=Path, default=Path("churn-model"), help="folder for the model")
    arguments = parser.parse_args()
    main(arguments.time_limit, arguments.output)
