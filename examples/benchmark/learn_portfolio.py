"""Learn in which order start points are worth trying, from runs on data sets that anybody has.

``run`` fits every start point of every model (and ``--draws`` random ones) on common folds, and keeps out-of-fold
predictions and CPU seconds. ``choose`` then takes points one at a time, as TabRepo (arXiv 2311.02971) does: next comes
the one that lowers the mean normalised loss of the ensemble most for each CPU second, until nothing lowers it. It
prints the order and writes the rows of each model's space file.

    python learn_portfolio.py run made bundled --models lightgbm catboost --draws 20
    python learn_portfolio.py choose --least-sets 6

symbol    meaning
loss      log loss or squared error; 0 is that of the ensemble of all candidates, 1 that of the same answer for all rows
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bank import FOLDS, SPACES, Bank, Candidate, fill, read_all
from data import named

HERE = Path(__file__).parent
REGIMES = {"small": (0, 2_000), "medium": (2_001, 50_000), "large": (50_001, 100_000_000)}
SHARES = (0.0, 0.1, 0.25, 0.5)
ROUNDS = 20
LEAST_GAIN = 1e-4
MODELS = ("lightgbm", "catboost", "xgboost", "real-mlp", "tab-m", "extra-trees", "random-forest", "k-nearest")


@dataclass
class Ensemble:
    """The ensemble of one data set while candidates join it."""

    bank: Bank
    members: list[int] = field(default_factory=list)
    answer: Any = None
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        self.answer = np.broadcast_to(self.bank.truth.mean(axis=0), self.bank.truth.shape)
        self.high = float(self.bank.losses(self.answer).mean())
        everyone = self._greedy(list(range(len(self.bank.candidates))))
        self.low = min(float(self.bank.losses(everyone).mean()), self.high - 1e-12)

    def loss(self) -> float:
        """Normalised loss now."""
        return self._normal(float(self.bank.losses(self.answer).mean()))

    def with_(self, candidate: Candidate) -> float:
        """Normalised loss with a candidate mixed in; each fold is judged by the share chosen on the others."""
        own = self.bank.predictions[self.bank.candidates.index(candidate)]
        shares = SHARES if self.members else (1.0,)
        losses = np.array([self.bank.losses((1 - share) * self.answer + share * own) for share in shares])
        best = [int(np.argmin(np.delete(losses, k, axis=1).mean(axis=1))) for k in range(FOLDS)]
        return self._normal(float(np.mean([losses[share, k] for k, share in enumerate(best)])))

    def join(self, candidate: Candidate) -> None:
        """Take a candidate in and weigh all members anew."""
        self.members.append(self.bank.candidates.index(candidate))
        self.answer = self._greedy(self.members)

    def _normal(self, loss: float) -> float:
        return (loss - self.low) / (self.high - self.low)

    def _greedy(self, members: Sequence[int]) -> Any:
        """(n, K) answer of greedy selection with replacement; each fold is answered by weights chosen on the others."""
        table = self.bank.predictions[list(members)]
        answer = np.zeros_like(table[0])
        for k in range(FOLDS):
            total, best, kept = np.zeros_like(answer), math.inf, table[0]
            for count in range(1, ROUNDS + 1):
                losses = [np.delete(self.bank.losses((total + own) / count), k).mean() for own in table]
                total = total + table[int(np.argmin(losses))]
                if min(losses) < best:
                    best, kept = min(losses), total / count
            answer[self.bank.fold == k] = kept[self.bank.fold == k]
        return answer


def chosen(banks: Sequence[Bank], least: float = LEAST_GAIN) -> Iterator[tuple[Candidate, float, float]]:
    """(candidate, mean normalised loss with it, its mean CPU seconds) in the order in which they should be tried.

    Candidates are those that succeeded on every data set.
    """
    ensembles = [Ensemble(bank) for bank in banks]
    left = sorted(set.intersection(*(set(bank.candidates) for bank in banks)))
    seconds = {c: float(np.mean([bank.seconds[bank.candidates.index(c)] for bank in banks])) for c in left}
    while left:
        now = float(np.mean([ensemble.loss() for ensemble in ensembles]))
        gains = {c: now - float(np.mean([ensemble.with_(c) for ensemble in ensembles])) for c in left}
        best = max(left, key=lambda c: gains[c] / max(seconds[c], 1e-3))
        if gains[best] < least:
            return
        left.remove(best)
        for ensemble in ensembles:
            ensemble.join(best)
        yield best, float(np.mean([ensemble.loss() for ensemble in ensembles])), seconds[best]


def regimes(banks: Sequence[Bank], least: int) -> dict[str, list[Bank]]:
    """Data sets by their number of rows, where there are `least` of them; otherwise all of them together."""
    found = {name: [bank for bank in banks if low <= len(bank.truth) <= high] for name, (low, high) in REGIMES.items()}
    large_enough = {name: own for name, own in found.items() if len(own) >= least}
    return large_enough if len(large_enough) > 1 else {"": list(banks)}


def start_rows(model: str, orders: dict[str, list[Candidate]], sets: dict[str, int], today: str) -> str:
    """The [[start]] rows of a model's space file, regime by regime, in the order learnt."""
    document = tomllib.loads((SPACES / f"{model}.toml").read_text(encoding="utf-8"))
    ids = {json.dumps(start["params"], sort_keys=True): start["id"] for start in document.get("start", [])}
    rows = []
    for regime, order in orders.items():
        for place, (own, params) in enumerate(order, start=1):
            if own != model or params == "{}":
                continue
            name = ids.get(params, f"drawn-{place}") + (f"-{regime}" if regime else "")
            row = ["[[start]]", f"id = {json.dumps(name)}", f"params = {inline(json.loads(params))}"]
            row += [f"regime = {{ rows = {list(REGIMES[regime])} }}"] if regime else []
            source = f"learned by examples/benchmark/learn_portfolio.py on {today} from {sets[regime]} sets"
            rows.append("\n".join([*row, f"source = {json.dumps(source)}"]))
    return "\n\n".join(rows) + "\n"


def inline(params: dict[str, Any]) -> str:
    """Settings as a TOML inline table; values of JSON read the same in TOML."""
    return "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in params.items()) + " }"


def choose(folder: Path, out: Path, least: int, today: str) -> None:
    """Print the order and write the rows."""
    banks = read_all(folder)
    if not banks:
        raise SystemExit(f"{folder} holds no predictions; call learn_portfolio.py run first")
    grouped = regimes(banks, least)
    orders: dict[str, list[Candidate]] = {}
    for regime, own in grouped.items():
        print(f"{regime or 'all sizes'}: {len(own)} sets")
        orders[regime] = []
        for (model, params), loss, seconds in chosen(own):
            orders[regime].append((model, params))
            print(f"  loss {loss:.4f}  {seconds:8.2f} s  {model} {params}", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    sets = {regime: len(own) for regime, own in grouped.items()}
    for model in sorted({model for order in orders.values() for model, _ in order}):
        (out / f"{model}.toml").write_text(start_rows(model, orders, sets, today), encoding="utf-8")
    print(f"rows written to {out}")


def main() -> None:
    """Read the command line; fit or choose."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "choose"])
    parser.add_argument("sets", nargs="*", default=["bundled", "made", "sized"], help="run: data sets or groups")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="run: models with a space file")
    parser.add_argument(
        "--draws", type=int, default=0, help="run: random points of each model, beside its start points"
    )
    parser.add_argument("--bank", type=Path, default=HERE / "bank", help="folder of the predictions")
    parser.add_argument("--out", type=Path, default=HERE / "learned", help="choose: folder to write the rows to")
    parser.add_argument("--least-sets", type=int, default=6, help="choose: data sets that a regime of its own needs")
    given = parser.parse_args()
    if given.what == "run":
        fill(given.bank, given.models, named(given.sets), given.draws)
    else:
        choose(given.bank, given.out, given.least_sets, datetime.date.today().isoformat())


if __name__ == "__main__":
    main()
