"""Make churn.csv: customers of an invented phone company, some of whom left. Generated, so free of anyone's data.

What decides is partly a straight line (fee, tenure) and partly not (calls matter to new customers only, too little data
for the plan hurts as much as too much), so a simple baseline is beaten, but not by a mile.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

PLANS = {"basic": (15.0, 5.0), "family": (40.0, 30.0), "student": (10.0, 12.0), "unlimited": (55.0, 80.0)}
MOODS = {
    True: ("still waiting for an answer", "third time I ask", "your rival is cheaper", "the line drops every evening"),
    False: ("thanks for the quick help", "just checking the invoice", "all is well", "please update my address"),
}
OPENINGS = ("Hello,", "Hi there,", "Good morning,", "To whom it may concern,", "Dear team,")
CLOSINGS = ("regards", "bye", "please call back", "no reply needed", "thank you")


def customers(n: int = 2400, seed: int = 7) -> pd.DataFrame:
    """`n` customers, one a row."""
    rng = np.random.default_rng(seed)
    plan = rng.choice(list(PLANS), n, p=[0.35, 0.25, 0.15, 0.25])
    usual_fee, allowance = (np.array([PLANS[name][i] for name in plan]) for i in (0, 1))
    fee = np.round(usual_fee * rng.uniform(0.8, 1.4, n), 2)
    tenure = np.round(rng.gamma(1.6, 14.0, n)).astype(int)
    used = np.round(allowance * rng.lognormal(-0.2, 0.7, n), 1)
    calls = rng.poisson(1.5, n)
    payment = rng.choice(["card", "invoice", "direct debit"], n, p=[0.4, 0.25, 0.35])
    region = rng.choice(["north", "east", "south", "west", "islands"], n)
    risk = (
        4.0 * (fee / usual_fee - 1.1)
        - 0.035 * tenure
        + 1.6 * np.where(tenure < 12, calls - 1.5, 0.0)
        + 2.8 * np.abs(np.log(used / allowance + 1e-3) + 0.2)
        + 2.0 * (payment == "invoice") * (region == "islands")
        - 2.9
    )
    left = rng.random(n) < 1 / (1 + np.exp(-risk))
    grumpy = rng.random(n) < np.where(left, 0.6, 0.25)
    note = [f"{rng.choice(OPENINGS)} {rng.choice(MOODS[bool(g)])}, {rng.choice(CLOSINGS)}" for g in grumpy]
    return pd.DataFrame(
        {
            "customer": [f"C{100_000 + i}" for i in rng.permutation(n)],
            "signed_up": pd.Timestamp("2026-06-30") - pd.to_timedelta(tenure * 30 + rng.integers(0, 30, n), unit="D"),
            "plan": plan,
            "payment": payment,
            "region": region,
            "monthly_fee": fee,
            "tenure_months": tenure,
            "support_calls": np.where(rng.random(n) < 0.08, np.nan, calls),
            "data_used_gb": np.where(rng.random(n) < 0.05, np.nan, used),
            "last_message": note,
            "churned": np.where(left, "yes", "no"),
        }
    )


if __name__ == "__main__":
    customers().to_csv(Path(__file__).parent / "churn.csv", index=False)
