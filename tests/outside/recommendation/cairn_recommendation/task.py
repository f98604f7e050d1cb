"""The task: users are the units, what they touched before is the request, what they touched last is the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from automl.contract import (
    AnyArray,
    Batch,
    DataError,
    Example,
    FloatArray,
    Fold,
    FoldPlan,
    IntArray,
    Metric,
    Predictions,
    Problem,
    Request,
    Table,
    TaskPlugin,
    Truth,
    WeightedCombiner,
    role_column,
)

LENGTH = 20


class Rankings(Predictions):
    """Per user the best items: `items` int64 (u, LENGTH) codes, -1 where there is none, and their `scores`, falling."""

    kind = "ranking"

    def __init__(self, items: IntArray, scores: FloatArray) -> None:
        self.items, self.scores = items, scores

    @classmethod
    def of(cls, scores: FloatArray, histories: Sequence[IntArray]) -> Rankings:
        """Rank all items by (u, n_items) scores, leaving out what each user has had. Ties go to the lower code."""
        scores = scores.astype(np.float64)
        for row, history in zip(scores, histories, strict=True):
            row[history] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :LENGTH]
        kept = np.take_along_axis(scores, best, axis=1)
        pad = ((0, 0), (0, LENGTH - best.shape[1]))
        items = np.pad(np.where(np.isfinite(kept), best, -1), pad, constant_values=-1)
        return cls(items, np.pad(np.where(np.isfinite(kept), kept, 0.0), pad))

    def __len__(self) -> int:
        return len(self.items)

    def take(self, positions: AnyArray) -> Rankings:
        return Rankings(self.items[positions], self.scores[positions])

    @classmethod
    def concat(cls, parts: Sequence[Rankings]) -> Rankings:
        return cls(np.concatenate([p.items for p in parts]), np.concatenate([p.scores for p in parts]))

    def state(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(**state)

    def distance(self, other: Rankings) -> float:
        same = np.array_equal(self.items, other.items)
        return float(np.max(np.abs(self.scores - other.scores), initial=0.0)) if same else np.inf


class Ndcg(Metric):
    """Normalised discounted cumulative gain of the first ten items, averaged over users."""

    name = "ndcg@10"

    def __call__(self, truth: Truth | None, predictions: Any, request: Request) -> float:
        return float(np.mean(self.per_unit(truth, predictions, request)))

    def per_unit(self, truth: Truth | None, predictions: Any, request: Request) -> FloatArray:
        assert truth is not None
        gains = 1 / np.log2(np.arange(2, 12))
        hits = [np.isin(row[:10], wanted) for row, wanted in zip(predictions.items, truth.y, strict=True)]
        ideal = [gains[: len(wanted)].sum() for wanted in truth.y]
        return np.array([gains @ hit / best if best else 0.0 for hit, best in zip(hits, ideal, strict=True)])


class RankFusion(WeightedCombiner):
    """Weighted reciprocal-rank fusion."""

    name = "rank-fusion"

    def merge(self, members: Sequence[Rankings], weights: FloatArray, request: Request) -> Rankings:
        votes = np.zeros((len(request), 1 + max(int(m.items.max(initial=0)) for m in members)))
        for member, weight in zip(members, weights, strict=True):
            users, ranks = np.nonzero(member.items >= 0)
            votes[users, member.items[users, ranks]] += weight / (10 + ranks)
        return Rankings.of(np.where(votes > 0, votes, -np.inf), [np.array([], np.int64)] * len(request))


class Recommendation(TaskPlugin):
    """What will each user want next?"""

    name = "recommendation"
    produces = "ranking"
    family = "recommendation"
    views = ("events",)
    roles = {"user": "who acted", "item": "on what", "time": "when (optional)"}
    container = Rankings

    def claims(self, table: Table, roles: Mapping[str, Any]) -> float:
        return 0.9 if {"user", "item"} <= set(roles) else 0.0

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        users, items = (role_column(table.take(rows), roles, role).originals() for role in ("user", "item"))
        known = sorted({item for item in items if item is not None}, key=str)
        if len(known) < 2:
            raise DataError("one-item", f"the log holds {len(known)} different items", "item", "Pass more events.")
        code = {item: i for i, item in enumerate(known)}
        memory = [(str(user), code[item]) for user, item in zip(users, items, strict=True) if item is not None]
        facts = {"items": known, "memory": memory}
        return Problem(self.name, self.produces, dict(roles), (), len(known), facts, "ndcg@10")

    def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Sequence[Fold]:
        """Each fold hides the last fifth of the events of its share of the users (of all users with one fold)."""
        if plan.given is not None:
            return plan.shuffled(len(table))
        when = table[problem.roles["time"]].values if "time" in problem.roles else np.arange(len(table))
        users, events = self._by_user(problem, table, np.argsort(when, kind="stable"))
        last = [np.array(e[len(e) - max(1, len(e) // 5) :], np.int64) for e in events]
        last = [rows if len(e) > 1 else rows[:0] for rows, e in zip(last, events, strict=True)]
        share = np.random.default_rng(plan.seed).permutation(len(users)) % plan.n_folds
        hidden = [np.sort(np.concatenate([last[u] for u in np.flatnonzero(share == f)])) for f in range(plan.n_folds)]
        return [Fold(np.setdiff1d(np.arange(len(table)), rows), rows) for rows in hidden]

    def batch(self, problem: Problem, table: Table, rows: IntArray, view: str) -> Batch:
        return Batch(self._histories(problem, table, rows)[1])

    def request(
        self,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
        view: str = "",
    ) -> Request:
        wanted = np.arange(len(table)) if rows is None else rows
        users = self._by_user(problem, table, wanted)[0]
        past: dict[str, list[int]] = {}
        if rows is None:
            for user, item in problem.facts["memory"]:
                past.setdefault(user, []).append(item)
            known = wanted if problem.roles["item"] in table.names else None
        if known is not None:
            for user, items in zip(*self._histories(problem, table, known), strict=True):
                past.setdefault(str(user), []).extend(items.tolist())
        histories = [np.unique(np.array(past.get(str(user), []), np.int64)) for user in users]
        return Request(np.array(users + [None], dtype=object)[:-1], histories)

    def truth(self, problem: Problem, table: Table, rows: IntArray) -> Truth | None:
        return Truth(self._histories(problem, table, rows)[1])

    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        return {"ndcg@10": Ndcg()}

    def combiners(self, problem: Problem) -> Sequence[type[RankFusion]]:
        return (RankFusion,)

    def answer(self, problem: Problem, predictions: Any, request: Request) -> Any:
        """One dict per user: the user, the recommended items, and their scores."""
        items = problem.facts["items"]
        out = np.empty(len(request), dtype=object)
        for u, (user, codes, scores) in enumerate(
            zip(request.units, predictions.items, predictions.scores, strict=True)
        ):
            n = int((codes >= 0).sum())
            out[u] = {"user": user, "items": [items[c] for c in codes[:n]], "scores": scores[:n].tolist()}
        return out

    def examples(self) -> Sequence[Example]:
        """Two groups of users with a taste each, and a few hits that everybody likes."""
        rng = np.random.default_rng(0)
        log: dict[str, list[Any]] = {"who": [], "what": [], "day": []}
        for user in range(60):
            taste = np.where(np.arange(40) % 2 == user % 2, 4.0, 1.0) / (1 + np.arange(40) // 8)
            for day, item in enumerate(rng.choice(40, size=10, replace=False, p=taste / taste.sum())):
                log["who"].append(f"user {user}")
                log["what"].append(f"film {item}")
                log["day"].append(day)
        return [Example("tastes", log, roles={"user": "who", "item": "what", "time": "day"})]

    def check(self, problem: Problem, predictions: Any, request: Request) -> None:
        if predictions.items.max(initial=-1) >= problem.n_outputs:
            raise ValueError("a ranking names an item that does not exist")
        for codes, history in zip(predictions.items, request.X, strict=True):
            shown = codes[codes >= 0]
            if len(set(shown.tolist())) < len(shown) or np.isin(shown, history).any():
                raise ValueError("a ranking repeats an item, or shows one that the user has had")

    def _by_user(self, problem: Problem, table: Table, rows: IntArray) -> tuple[list[Any], list[list[int]]]:
        """Distinct users of these rows in order of appearance, and the rows of each."""
        events: dict[Any, list[int]] = {}
        for row, user in zip(rows.tolist(), table[problem.roles["user"]].take(rows).originals(), strict=True):
            events.setdefault(f"row {row}" if user is None else user, []).append(row)
        return list(events), list(events.values())

    def _histories(self, problem: Problem, table: Table, rows: IntArray) -> tuple[list[Any], list[IntArray]]:
        """Distinct users of these rows, and the codes of the known items each touched there."""
        users, events = self._by_user(problem, table, rows)
        code = {item: i for i, item in enumerate(problem.facts["items"])}
        items = [code.get(item, -1) for item in table[problem.roles["item"]].originals()]
        touched = [np.unique(np.array([items[row] for row in own], np.int64)) for own in events]
        return users, [codes[codes >= 0] for codes in touched]
