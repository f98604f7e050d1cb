"""A task that keeps its contract, and one that breaks each promise: `BAD` names the check that must catch it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from automl.contract import (
    ArrayPredictions,
    Batch,
    Example,
    Fold,
    FoldPlan,
    IntArray,
    Metric,
    ModelPlugin,
    Predictions,
    Problem,
    Request,
    Table,
    TaskPlugin,
    Truth,
    WeightedCombiner,
    role_column,
)


class Notes(ArrayPredictions):
    """A kind of its own, stored as an array."""

    def __init__(self, values: Any, kind: str = "notes") -> None:
        super().__init__(kind, values)

    def take(self, positions: Any) -> Self:
        return type(self)(self.values[positions], self.kind)

    @classmethod
    def concat(cls, parts: Sequence[Any]) -> Self:
        return cls(np.concatenate([part.values for part in parts]), parts[0].kind)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(state["values"], state["kind"])


class Off(Metric):
    """Mean absolute error."""

    name = "off"
    greater_is_better = False

    def __call__(self, truth: Truth | None, predictions: Any, request: Request) -> float:
        assert truth is not None
        return float(np.abs(truth.y - predictions.values[:, 0]).mean())


class NotesMean(WeightedCombiner):
    name = "notes-mean"

    def merge(self, members: Sequence[Any], weights: Any, request: Request) -> Any:
        return Notes(np.tensordot(weights, [m.values for m in members], axes=1))


class Pitch(TaskPlugin):
    """A number per row, as a kind of its own. Keeps every promise."""

    name = "pitch"
    produces = "notes"
    views: ClassVar[tuple[str, ...]] = ("strings",)
    container: ClassVar[type[Predictions]] = Notes

    def claims(self, table: Table, roles: Mapping[str, Any]) -> float:
        return 0.5 if "target" in roles else 0.0

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        column = role_column(table, roles, "target")
        facts = {"middle": float(np.mean(column.values[rows]))}
        return Problem(self.name, self.produces, dict(roles), (), 1, facts, "off")

    def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Sequence[Fold]:
        return plan.shuffled(len(table))

    def batch(self, problem: Problem, table: Table, rows: IntArray, view: str) -> Batch:
        return Batch(table.columns[0].values[rows][:, None], table[problem.roles["target"]].values[rows])

    def request(
        self,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
        view: str = "",
    ) -> Request:
        rows = np.arange(len(table)) if rows is None else rows
        return Request(rows, table.columns[0].values[rows][:, None])

    def truth(self, problem: Problem, table: Table, rows: IntArray) -> Truth | None:
        return Truth(table[problem.roles["target"]].values[rows])

    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        return {"off": Off()}

    def combiners(self, problem: Problem) -> Sequence[type[WeightedCombiner]]:
        return (NotesMean,)

    def answer(self, problem: Problem, predictions: Any, request: Request) -> Any:
        return predictions.values[:, 0]

    def examples(self) -> Sequence[Example]:
        length = np.linspace(1.0, 2.0, 40)
        return [Example("string", {"length": length, "pitch": 440 / length}, "pitch")]


class Middle(ModelPlugin):
    """The mean pitch, and a word on the first unit."""

    name = "middle"
    produces = "notes"
    view = "strings"
    baseline = True

    def fit(self, train: Batch, valid: Batch | None, ctx: Any) -> None:
        self.middle = float(np.mean(train.y))  # type: ignore[arg-type]

    def predict(self, request: Request) -> Notes:
        return Notes(self.middle + 10 * (request.X - 1.5))


class BadlyNamed(Pitch):
    name = "Bad Name"


class NoExamples(Pitch):
    def examples(self) -> Sequence[Example]:
        return []


class TooSure(Pitch):
    def claims(self, table: Table, roles: Mapping[str, Any]) -> float:
        return 7.0


class FactsThatCannotTravel(Pitch):
    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        problem = super().load(table, roles, rows)
        return replace(problem, facts={"decode": lambda code: code})


class LearnsFromAllRows(Pitch):
    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        return super().load(table, roles, np.arange(len(table)))


class CrashesOnBadData(Pitch):
    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        return super().load(table, {"target": roles["target"]}, rows)


class Overlapping(Pitch):
    def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Sequence[Fold]:
        rows = np.arange(len(table))
        return [replace(fold, train=rows) for fold in super().folds(problem, table, plan)]


class Unrepeatable(Pitch):
    def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Sequence[Fold]:
        seed = int(np.random.default_rng().integers(1 << 30))
        return super().folds(problem, table, replace(plan, seed=seed))


class ShortTruth(Pitch):
    def truth(self, problem: Problem, table: Table, rows: IntArray) -> Truth | None:
        return super().truth(problem, table, rows[1:])


class Tuning(Truth):
    """A truth of its own, of which saving loses the weights."""

    def state(self) -> dict[str, Any]:
        return {"y": self.y}


class LossyTruth(Pitch):
    truth_type: ClassVar[type[Truth]] = Tuning

    def truth(self, problem: Problem, table: Table, rows: IntArray) -> Truth | None:
        return Tuning(table[problem.roles["target"]].values[rows])


class ShowsTheTarget(Pitch):
    def request(
        self,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
        view: str = "",
    ) -> Request:
        request = super().request(problem, table, rows, known, view)
        if rows is None:
            return request
        return replace(request, X=np.column_stack([request.X, table[problem.roles["target"]].values[rows]]))


class KeepsNotes(Pitch):
    def batch(self, problem: Problem, table: Table, rows: IntArray, view: str) -> Batch:
        problem.facts["asked"] = problem.facts.get("asked", 0) + 1  # type: ignore[index]
        return super().batch(problem, table, rows, view)


class TakesAnyMetric(Pitch):
    def metric(self, problem: Problem, wanted: Any) -> Metric:
        return Off()


class WithoutBaseline(Pitch):
    views = ("drums",)


class Ordered(Off):
    def __call__(self, truth: Truth | None, predictions: Any, request: Request) -> float:
        assert truth is not None
        gaps = np.abs(truth.y - predictions.values[:, 0])
        return float(gaps @ np.arange(len(gaps)))


class OrderMatters(Pitch):
    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        return {"off": Ordered()}


class WrongWay(Off):
    greater_is_better = True


class PrefersErrors(Pitch):
    """The wrong direction can be told for additive kinds only, so this one predicts plain numbers."""

    produces = "real"
    views = ("columns", "matrix")
    container = ArrayPredictions

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        return replace(super().load(table, roles, rows), kind="real", features=(table.columns[0].name,))

    def batch(self, problem: Problem, table: Table, rows: IntArray, view: str) -> Batch:
        return replace(super().batch(problem, table, rows, view), X=None)

    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        return {"off": WrongWay()}


class LosesNotes(Notes):
    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(np.round(state["values"]), state["kind"])


class MiddleLost(Middle):
    produces = "lost-notes"

    def predict(self, request: Request) -> Notes:
        return LosesNotes(super().predict(request).values, "lost-notes")


class LossyContainer(Pitch):
    produces = "lost-notes"
    container = LosesNotes

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        return replace(super().load(table, roles, rows), kind=self.produces)


class Overweight(NotesMean):
    def weights(self) -> Any:
        return 2 * self.shares


class BadCombiner(Pitch):
    def combiners(self, problem: Problem) -> Sequence[type[WeightedCombiner]]:
        return (Overweight,)


class OneAnswerShort(Pitch):
    def answer(self, problem: Problem, predictions: Predictions, request: Request) -> Any:
        return super().answer(problem, predictions, request)[1:]


BAD: dict[type[TaskPlugin], str] = {
    BadlyNamed: "it_has_a_name_of_its_own",
    NoExamples: "what_it_declares_makes_sense",
    TooSure: "it_knows_its_own_examples",
    FactsThatCannotTravel: "what_it_learnt_can_travel",
    LearnsFromAllRows: "it_learns_from_its_rows_only",
    CrashesOnBadData: "unusable_data_is_refused",
    Overlapping: "folds_keep_validation_rows_apart",
    Unrepeatable: "the_same_plan_gives_the_same_folds",
    ShortTruth: "request_and_truth_speak_of_the_same_units",
    LossyTruth: "its_truth_can_be_saved",
    ShowsTheTarget: "requests_do_not_show_the_target",
    KeepsNotes: "the_table_is_left_alone",
    TakesAnyMetric: "metrics_can_be_asked_for",
    WithoutBaseline: "a_baseline_runs_and_has_a_score",
    OrderMatters: "no_metric_depends_on_the_order_of_units",
    PrefersErrors: "true_answers_score_no_worse_than_a_baseline",
    LossyContainer: "its_container_can_be_cut_joined_and_saved",
    BadCombiner: "its_combiners_keep_their_contract",
    OneAnswerShort: "there_is_one_answer_per_unit",
}
