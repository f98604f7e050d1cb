"""Learn in which order start points are worth trying, from runs on data sets that anybody has.

``run`` fits every candidate of every model (`candidates.toml`) on common folds, and keeps out-of-fold predictions and
CPU seconds. ``choose`` then takes them one at a time, as TabRepo (arXiv 2311.02971) does: after the models' defaults,
next comes the one that lowers the mean loss of the ensemble most for each CPU second. It prints the order and writes
the rows of each model's space file. ``judge`` learns from some of the sets and tries the order on the others, beside
that of `candidates.toml`.

    python learn_portfolio.py run made bundled --models lightgbm catboost
    python learn_portfolio.py choose
    python learn_portfolio.py judge

symbol    meaning
loss      logarithm of log loss or RMSE over that of the ensemble of all candidates, at most 1: .01 is 1 % more
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
from bank import DEFAULT, FOLDS, Bank, Candidate, fill, inline, points_of, pool_of, read_all
from data import named

HERE = Path(__file__).parent
SHARES = (0.0, 0.1, 0.25, 0.5)
WORST = 1.0
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

    def __post_init__(self) -> None:
        self.answer = np.broadcast_to(self.bank.truth.mean(axis=0), self.bank.truth.shape)

    def loss(self) -> float:
        """The loss now."""
        return self._compared(float(self.bank.losses(self.answer).mean()))

    def with_(self, candidate: Candidate) -> float:
        """The loss with a candidate mixed in; each fold is judged by the share chosen on the others."""
        own = self.bank.predictions[self.bank.candidates.index(candidate)]
        shares = SHARES if self.members else (1.0,)
        losses = np.array([self.bank.losses((1 - share) * self.answer + share * own) for share in shares])
        best = [int(np.argmin(np.delete(losses, k, axis=1).mean(axis=1))) for k in range(FOLDS)]
        return self._compared(float(np.mean([losses[share, k] for k, share in enumerate(best)])))

    def join(self, candidate: Candidate) -> None:
        """Take a candidate in and weigh all members anew."""
        self.members.append(self.bank.candidates.index(candidate))
        self.answer = self.bank.blended(self.members)

    def _compared(self, loss: float) -> float:
        """Squared errors as RMSE; a set on which nearly nothing is lost should not decide for all."""
        ratio = math.log(max(loss, 1e-12) / max(self.bank.least, 1e-12))
        return min(WORST, ratio if self.bank.classifies else ratio / 2)


@dataclass(frozen=True)
class Choice:
    """A candidate in its place.

    Attributes:
        gain: by how much it lowered the mean loss of the sets that it is for.
        loss: mean loss of all sets with it.
        seconds: its mean CPU.
    """

    candidate: Candidate
    gain: float
    loss: float
    seconds: float


def chosen(banks: Sequence[Bank]) -> Iterator[Choice]:
    """All candidates in the order in which they should be tried.

    The models' defaults come first, the cheapest before the others, as in every run. A candidate counts on the sets
    that it is for, as its regime says, and that did not fail it.
    """
    ensembles = [Ensemble(bank) for bank in banks]
    left = sorted({candidate for bank in banks for candidate in bank.candidates if bank.takes(candidate)})
    users = {c: [e for e in ensembles if c in e.bank.candidates and e.bank.takes(c)] for c in left}
    seconds = {c: float(np.mean([e.bank.cost(c) for e in users[c]])) for c in left}
    firsts = sorted((c for c in left if c[1] == DEFAULT), key=lambda c: seconds[c])
    while left:
        tried = firsts[:1] or left
        gains = {c: float(np.mean([e.loss() - e.with_(c) for e in users[c]])) for c in tried}
        best = max(tried, key=lambda c: gains[c] / max(seconds[c], 1e-3))
        left.remove(best)
        firsts = firsts[1:]
        for ensemble in users[best]:
            ensemble.join(best)
        yield Choice(best, gains[best], float(np.mean([e.loss() for e in ensembles])), seconds[best])


def start_rows(model: str, order: Sequence[Candidate]) -> str:
    """The [[start]] rows of a model's space file, in the order learnt.

    What a candidate has for longer limits becomes a row of its own.
    """
    known = {json.dumps(found["params"], sort_keys=True): found for found in pool_of(model)}
    rows = []
    for own, params in order:
        if own != model or params not in known:
            continue
        found = known[params]
        for name, settings, seconds in _by_limit(found):
            regime = dict(found.get("regime", {}))
            if seconds is not None:
                regime["facts"] = {**regime.get("facts", {}), "seconds": list(seconds)}
            row = ["[[start]]", f"id = {json.dumps(name)}", f"params = {inline(settings)}"]
            row += [f"regime = {inline(regime)}"] if regime else []
            rows.append("\n".join([*row, f"source = {json.dumps(found['source'])}"]))
    return "\n\n".join(rows) + "\n"


def _by_limit(found: Mapping[str, Any]) -> list[tuple[str, dict[str, Any], tuple[int, int] | None]]:
    """Name, settings, and the limits in seconds for which they are; one row for all, or two."""
    if "slow" not in found:
        return [(found["id"], found["params"], None)]
    slow = {**found["params"], **found["slow"]}
    longer = (SLOW_SECONDS, 1_000_000_000)
    return [(found["id"], found["params"], (0, SLOW_SECONDS)), (f"{found['id']}-slow", slow, longer)]


def choose(folder: Path, out: Path) -> None:
    """Print the order and write the rows."""
    banks = read_all(folder)
    if not banks:
        raise SystemExit(f"{folder} holds no predictions; call learn_portfolio.py run first")
    print(f"{len(banks)} sets")
    order = []
    for found in chosen(banks):
        model, params = found.candidate
        order.append(found.candidate)
        print(f"  loss {found.loss:.4f}  gain {found.gain:.4f}  {found.seconds:8.2f} s  {model} {params}", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    for model in sorted({model for model, _ in order}):
        (out / f"{model}.toml").write_text(start_rows(model, order), encoding="utf-8")
    print(f"rows written to {out}")


# -- does it pay? ------------------------------------------------------------------------------------------------------


def judge(folder: Path) -> None:
    """Print the mean loss after some time, of the order of `candidates.toml` and of one learnt elsewhere."""
    banks = read_all(folder)
    told: dict[str, list[list[float]]] = {"as they were": [], "learnt from other sets": []}
    for part in range(PARTS):
        order = [found.candidate for found in chosen([bank for i, bank in enumerate(banks) if i % PARTS != part])]
        for bank in banks[part::PARTS]:
            losses = spent(bank, _as_they_were()), spent(bank, order)
            for kept, own in zip(told.values(), losses, strict=True):
                kept.append(own)
            print(f"  {bank.name:20} {'   '.join(map(figures, losses))}", flush=True)
    print(f"{len(banks)} sets; mean loss after {', '.join(f'{b:g}' for b in BUDGETS)} x the defaults' time")
    for name, found in told.items():
        print(f"  {name:24} {figures(np.mean(found, axis=0))}")


def figures(losses: Sequence[float]) -> str:
    """Losses as text."""
    return " ".join(f"{loss:7.4f}" for loss in losses)


def _as_they_were() -> list[Candidate]:
    """The candidates in the order of the file."""
    return [(model, json.dumps(point, sort_keys=True)) for model in MODELS for point in points_of(model)]


def spent(bank: Bank, order: Sequence[Candidate]) -> list[float]:
    """The loss after `BUDGETS` times what all models' defaults take, if models get about the same time each.

    That is how the engine goes on while it finds none better: every model's default first, the cheapest before the
    others, then whoever has had least.
    """
    known = set(bank.candidates)
    firsts = sorted((c for c in bank.candidates if c[1] == DEFAULT), key=bank.cost)
    queues: dict[str, list[Candidate]] = {}
    for candidate in order:
        if candidate[1] != DEFAULT and candidate in known and bank.takes(candidate):
            queues.setdefault(candidate[0], []).append(candidate)
    unit, total, losses, left = sum(map(bank.cost, firsts)), 0.0, list[float](), sorted(BUDGETS)
    used, ensemble = dict.fromkeys((c[0] for c in firsts), 0.0), Ensemble(bank)
    for candidate in _turns(firsts, queues, used, bank.cost):
        total += bank.cost(candidate)
        while left and total > left[0] * unit * (1 + 1e-9):
            losses.append(ensemble.loss())
            left.pop(0)
        used[candidate[0]] += bank.cost(candidate)
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
    """Read the command line; fit, choose or judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "choose", "judge"])
    parser.add_argument("sets", nargs="*", default=["bundled", "made", "packaged"], help="run: data sets or groups")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="run: models with a space file")
    parser.add_argument("--bank", type=Path, default=HERE / "bank", help="folder of the predictions")
    parser.add_argument("--out", type=Path, default=HERE / "learned", help="choose: folder to write the rows to")
    given = parser.parse_args()
    if given.what == "run":
        fill(given.bank, given.models, named(given.sets))
    elif given.what == "judge":
        judge(given.bank)
    else:
        choose(given.bank, given.out)


if __name__ == "__main__":
    main()
