"""Learn in which order start points are worth trying, from runs on data sets that anybody has.

``run`` fits every candidate of every model (`candidates.toml`, and ``--draws`` random ones) on common folds, and keeps
out-of-fold predictions and CPU seconds. ``choose`` then takes points one at a time, as TabRepo (arXiv 2311.02971) does:
next comes the one that lowers the mean normalised loss of the ensemble most for each CPU second, until nothing lowers
it; for few and for many rows, numbers and classes apart. It prints the order and writes the rows of each model's space
file. ``judge`` learns from some of the sets and tries the order on the others, beside that of `candidates.toml`.

    python learn_portfolio.py run made bundled --models lightgbm catboost --draws 20
    python learn_portfolio.py choose --least-sets 6
    python learn_portfolio.py judge

symbol    meaning
loss      log loss or squared error; 0 is that of the ensemble of all candidates, 1 that of the same answer for all rows
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bank import FOLDS, Bank, Candidate, fill, points_of, pool_of, read_all
from data import named

HERE = Path(__file__).parent
FEW, MANY = (0, 2_000), (2_001, 100_000_000)
NUMBERS, CLASSES = ("regression",), ("binary", "multiclass")
REGIMES = {
    "few-numbers": (FEW, NUMBERS),
    "many-numbers": (MANY, NUMBERS),
    "few-classes": (FEW, CLASSES),
    "many-classes": (MANY, CLASSES),
}
"""Name -> rows from and to, and tasks."""
SHARES = (0.0, 0.1, 0.25, 0.5)
ROUNDS = 20
LEAST_GAIN = 1e-4
SLOW_SECONDS = 180
PARTS = 5
BUDGETS = (1.0, 2.0, 4.0, 8.0)
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


def regime_of(bank: Bank) -> str:
    """The name of the regime that a data set belongs to."""
    few, tasks = len(bank.truth) <= FEW[1], CLASSES if bank.classifies else NUMBERS
    return next(name for name, (rows, own) in REGIMES.items() if own == tasks and (rows == FEW) == few)


def regimes(banks: Sequence[Bank], least: int) -> dict[str, list[Bank]]:
    """The data sets of each regime where there are `least` of them; otherwise all."""
    found: dict[str, list[Bank]] = {name: [] for name in REGIMES}
    for bank in banks:
        found[regime_of(bank)].append(bank)
    return {name: own if len(own) >= least else list(banks) for name, own in found.items()}


def start_rows(model: str, orders: dict[str, list[Candidate]]) -> str:
    """The [[start]] rows of a model's space file, regime by regime, in the order learnt.

    What the candidate has for longer limits becomes a row of its own.
    """
    known = {json.dumps(found["params"], sort_keys=True): found for found in pool_of(model)}
    rows = []
    for regime, order in orders.items():
        low_high, tasks = REGIMES[regime]
        for place, (own, params) in enumerate(order, start=1):
            if own != model or params == "{}":
                continue
            drawn = {"id": f"drawn-{place}", "params": json.loads(params), "source": "drawn at random"}
            found = known.get(params, drawn)
            where = f"rows = {list(low_high)}, tasks = {json.dumps(list(tasks))}"
            for suffix, settings, seconds in _by_limit(found):
                when = f", facts = {{ seconds = {list(seconds)} }}" if seconds else ""
                name = f"{found['id']}{suffix}-{regime}"
                row = ["[[start]]", f"id = {json.dumps(name)}"]
                row += [f"params = {inline(settings)}", f"regime = {{ {where}{when} }}"]
                rows.append("\n".join([*row, f"source = {json.dumps(found['source'])}"]))
    return "\n\n".join(rows) + "\n"


def _by_limit(found: Mapping[str, Any]) -> list[tuple[str, dict[str, Any], tuple[int, int] | None]]:
    """Suffix of the name, settings, and the limits in seconds for which they are; one of them for all, or two."""
    if "slow" not in found:
        return [("", found["params"], None)]
    slow = {**found["params"], **found["slow"]}
    return [("", found["params"], (0, SLOW_SECONDS)), ("-slow", slow, (SLOW_SECONDS, 1_000_000_000))]


def inline(params: dict[str, Any]) -> str:
    """Settings as a TOML inline table; values of JSON read the same in TOML."""
    return "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in params.items()) + " }"


def choose(folder: Path, out: Path, least: int) -> None:
    """Print the order and write the rows."""
    banks = read_all(folder)
    if not banks:
        raise SystemExit(f"{folder} holds no predictions; call learn_portfolio.py run first")
    grouped = regimes(banks, least)
    orders: dict[str, list[Candidate]] = {}
    for regime, own in grouped.items():
        print(f"{regime}: {len(own)} sets")
        orders[regime] = []
        for (model, params), loss, seconds in chosen(own):
            orders[regime].append((model, params))
            print(f"  loss {loss:.4f}  {seconds:8.2f} s  {model} {params}", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    for model in sorted({model for order in orders.values() for model, _ in order}):
        (out / f"{model}.toml").write_text(start_rows(model, orders), encoding="utf-8")
    print(f"rows written to {out}")


# -- does it pay? ------------------------------------------------------------------------------------------------------


def judge(folder: Path, least: int) -> None:
    """Print the mean normalised loss after some time, of the order of `candidates.toml` and of one learnt elsewhere."""
    banks = read_all(folder)
    told: dict[str, list[list[float]]] = {"as they were": [], "learnt from other sets": []}
    for part in range(PARTS):
        orders = {
            regime: [candidate for candidate, _, _ in chosen(own)]
            for regime, own in regimes([bank for i, bank in enumerate(banks) if i % PARTS != part], least).items()
        }
        for bank in banks[part::PARTS]:
            told["as they were"].append(spent(bank, _as_they_were(bank)))
            told["learnt from other sets"].append(spent(bank, orders[regime_of(bank)]))
            before, after = told["as they were"][-1], told["learnt from other sets"][-1]
            print(f"  {bank.name:20} {figures(before)}   {figures(after)}", flush=True)
    print(f"{len(banks)} sets; mean normalised loss after {', '.join(f'{b:g}' for b in BUDGETS)} x the defaults' time")
    for name, losses in told.items():
        print(f"  {name:24} {figures(np.mean(losses, axis=0))}")


def figures(losses: Sequence[float]) -> str:
    """Losses as text."""
    return " ".join(f"{loss:7.4f}" for loss in losses)


def _as_they_were(bank: Bank) -> list[Candidate]:
    """The candidates of a data set in the order of the file, without those that were drawn."""
    order = [(model, json.dumps(point, sort_keys=True)) for model in MODELS for point in points_of(model)]
    return [candidate for candidate in order if candidate in bank.candidates]


def spent(bank: Bank, order: Sequence[Candidate]) -> list[float]:
    """Normalised loss after `BUDGETS` times what all models' defaults take, if models get about the same time each.

    That is how the engine goes on while it finds none better: every model's default first, the cheapest before the
    others, then whoever has had least.
    """
    at = {candidate: i for i, candidate in enumerate(bank.candidates)}
    queues: dict[str, list[Candidate]] = {}
    for model, params in order:
        if params != "{}" and (model, params) in at:
            queues.setdefault(model, []).append((model, params))
    firsts = sorted((c for c in at if c[1] == "{}"), key=lambda c: bank.seconds[at[c]])
    unit = float(sum(bank.seconds[at[c]] for c in firsts))
    used, ensemble, total, losses = dict.fromkeys((c[0] for c in firsts), 0.0), Ensemble(bank), 0.0, []
    left = sorted(BUDGETS)
    for candidate in _turns(firsts, queues, used, lambda c: float(bank.seconds[at[c]])):
        cost = float(bank.seconds[at[candidate]])
        while left and total + cost > left[0] * unit:
            losses.append(ensemble.loss())
            left.pop(0)
        total, used[candidate[0]] = total + cost, used[candidate[0]] + cost
        ensemble.join(candidate)
    return losses + [ensemble.loss()] * len(left)


def _turns(
    firsts: Sequence[Candidate],
    queues: Mapping[str, list[Candidate]],
    used: Mapping[str, float],
    cost: Callable[[Candidate], float],
) -> Iterator[Candidate]:
    yield from firsts
    while any(queues.values()):
        model = min((m for m in queues if queues[m]), key=lambda m: used.get(m, 0.0) + cost(queues[m][0]))
        yield queues[model].pop(0)


def main() -> None:
    """Read the command line; fit or choose."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "choose", "judge"])
    parser.add_argument("sets", nargs="*", default=["bundled", "made", "packaged"], help="run: data sets or groups")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="run: models with a space file")
    parser.add_argument(
        "--draws", type=int, default=0, help="run: random points of each model, beside its start points"
    )
    parser.add_argument("--bank", type=Path, default=HERE / "bank", help="folder of the predictions")
    parser.add_argument("--out", type=Path, default=HERE / "learned", help="choose: folder to write the rows to")
    parser.add_argument("--least-sets", type=int, default=6, help="data sets that a regime of its own needs")
    given = parser.parse_args()
    if given.what == "run":
        fill(given.bank, given.models, named(given.sets), given.draws)
    elif given.what == "judge":
        judge(given.bank, given.least_sets)
    else:
        choose(given.bank, given.out, given.least_sets)


if __name__ == "__main__":
    main()
