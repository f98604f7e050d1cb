"""The task: a unit is a picture, its truth any number of boxes [x1, y1, x2, y2, label], corners exclusive."""

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

NO_BOXES = np.zeros((0, 5))


class Boxes(Predictions):
    """Picture i owns rows ``starts[i]:starts[i + 1]`` of `found`, (b, 6): x1, y1, x2, y2, label code, score."""

    kind = "boxes"

    def __init__(self, starts: IntArray, found: FloatArray) -> None:
        self.starts, self.found = starts, found

    @classmethod
    def of(cls, pictures: Sequence[Any]) -> Boxes:
        """From one (b, 6) array per picture."""
        parts = [np.asarray(p, dtype=np.float64).reshape(-1, 6) for p in pictures]
        return cls(np.cumsum([0] + [len(p) for p in parts]), np.concatenate([np.zeros((0, 6)), *parts]))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, picture: int) -> FloatArray:
        return self.found[self.starts[picture] : self.starts[picture + 1]]

    def take(self, positions: AnyArray) -> Boxes:
        return Boxes.of([self[i] for i in positions])

    @classmethod
    def concat(cls, parts: Sequence[Boxes]) -> Boxes:
        return cls.of([part[i] for part in parts for i in range(len(part))])

    def state(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(**state)

    def distance(self, other: Boxes) -> float:
        same = np.array_equal(self.starts, other.starts)
        return float(np.max(np.abs(self.found - other.found), initial=0.0)) if same else np.inf


class TrueBoxes(Truth):
    """One (b, 5) array per picture: x1, y1, x2, y2, label code. Saved as one array of all boxes."""

    def state(self) -> dict[str, Any]:
        return {"sizes": np.array([len(boxes) for boxes in self.y]), "boxes": np.concatenate([NO_BOXES, *self.y])}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls(np.split(state["boxes"], np.cumsum(state["sizes"]))[:-1])


def overlap(a: FloatArray, b: FloatArray) -> FloatArray:
    """(len(a), len(b)) intersection over union of boxes."""
    corner = np.minimum(a[:, None, 2:4], b[None, :, 2:4]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.prod(np.maximum(corner, 0.0), axis=2)
    areas = [np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1) for boxes in (a, b)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-9))


class AveragePrecision(Metric):
    """Average precision at an overlap of one half, averaged over labels. Boxes of equal score count at once."""

    name = "ap50"

    def __call__(self, truth: Truth | None, predictions: Any, request: Request) -> float:
        assert truth is not None
        labels = np.unique(np.concatenate([boxes[:, 4] for boxes in truth.y]))
        return float(np.mean([self._of_label(truth.y, predictions, label) for label in labels] or [0.0]))

    def _of_label(self, wanted: Sequence[FloatArray], predictions: Boxes, label: float) -> float:
        hits: list[tuple[float, bool]] = []
        for i, boxes in enumerate(wanted):
            mine, free = predictions[i], boxes[boxes[:, 4] == label]
            mine = mine[mine[:, 4] == label]
            for box in mine[np.argsort(-mine[:, 5], kind="stable")]:
                near = overlap(box[None], free)[0] if len(free) else np.zeros(0)
                hit = bool(near.max(initial=0.0) >= 0.5)
                hits.append((box[5], hit))
                free = np.delete(free, int(near.argmax()), axis=0) if hit else free
        if not hits:
            return 0.0
        scores, right = np.array(hits).T
        steps = [scores >= score for score in np.unique(scores)[::-1]]
        recall = np.array([0.0] + [right[s].sum() for s in steps]) / sum((b[:, 4] == label).sum() for b in wanted)
        precision = np.array([right[s].mean() for s in steps])
        return float(np.diff(recall) @ np.maximum.accumulate(precision[::-1])[::-1])


class BoxFusion(WeightedCombiner):
    """Weighted box fusion: overlapping boxes of one label become their mean, weighted by score and member."""

    name = "box-fusion"

    def merge(self, members: Sequence[Boxes], weights: FloatArray, request: Request) -> Boxes:
        pooled = []
        for i in range(len(request)):
            parts = [m[i] * [1, 1, 1, 1, 1, weight] for m, weight in zip(members, weights, strict=True)]
            pooled.append(self._fuse(np.concatenate(parts)))
        return Boxes.of(pooled)

    def _fuse(self, boxes: FloatArray) -> list[FloatArray]:
        fused = []
        while len(boxes):
            best = boxes[boxes[:, 5].argmax()]
            near = (overlap(best[None], boxes)[0] >= 0.55) & (boxes[:, 4] == best[4])
            near[boxes[:, 5].argmax()] = True
            share = boxes[near, 5] + 1e-12
            fused.append(np.concatenate([share @ boxes[near, :4] / share.sum(), best[4:5], [boxes[near, 5].sum()]]))
            boxes = boxes[~near]
        return fused


class Detection(TaskPlugin):
    """What is where in each picture?"""

    name = "detection"
    produces = "boxes"
    family = "detection"
    views = ("pixels",)
    roles = {
        "image": "the picture: nested lists or an array, height x width or height x width x channels, 0 to 255",
        "boxes": "list of [x1, y1, x2, y2, label]",
    }
    container = Boxes
    truth_type = TrueBoxes

    def claims(self, table: Table, roles: Mapping[str, Any]) -> float:
        return 0.9 if {"image", "boxes"} <= set(roles) else 0.0

    def load(self, table: Table, roles: Mapping[str, Any], rows: IntArray) -> Problem:
        role_column(table, roles, "image")
        cells = [cell or [] for cell in role_column(table.take(rows), roles, "boxes").values]
        labels = sorted({box[4] for cell in cells for box in cell}, key=str)
        if not labels:
            raise DataError("no-boxes", "no picture has a box", "boxes", "Pass some labelled pictures.")
        return Problem(self.name, self.produces, dict(roles), (), len(labels), {"labels": labels}, "ap50")

    def folds(self, problem: Problem, table: Table, plan: FoldPlan) -> Sequence[Fold]:
        return plan.shuffled(len(table))

    def batch(self, problem: Problem, table: Table, rows: IntArray, view: str) -> Batch:
        y = np.empty(len(rows), dtype=object)
        y[:] = self._boxes(problem, table, rows)
        return Batch(self._pictures(problem, table, rows), y)

    def request(
        self,
        problem: Problem,
        table: Table,
        rows: IntArray | None = None,
        known: IntArray | None = None,
        view: str = "",
    ) -> Request:
        wanted = np.arange(len(table)) if rows is None else rows
        return Request(wanted, self._pictures(problem, table, wanted))

    def truth(self, problem: Problem, table: Table, rows: IntArray) -> Truth | None:
        return TrueBoxes(self._boxes(problem, table, rows))

    def metrics(self, problem: Problem) -> Mapping[str, Metric]:
        return {"ap50": AveragePrecision()}

    def combiners(self, problem: Problem) -> Sequence[type[BoxFusion]]:
        return (BoxFusion,)

    def answer(self, problem: Problem, predictions: Any, request: Request) -> Any:
        """One list per picture of [x1, y1, x2, y2, label, score], best first."""
        labels, out = problem.facts["labels"], np.empty(len(request), dtype=object)
        for i in range(len(request)):
            best = predictions[i][np.argsort(-predictions[i][:, 5], kind="stable")].tolist()
            out[i] = [[*box[:4], labels[int(box[4])], box[5]] for box in best]
        return out

    def examples(self) -> Sequence[Example]:
        """Dark noisy pictures with up to three bright rectangles, red or green."""
        rng = np.random.default_rng(0)
        pictures, boxes = [], []
        for _ in range(36):
            picture, own = rng.integers(0, 60, (24, 24, 3)), []
            for corner in ((1, 1), (13, 1), (5, 13))[: rng.integers(1, 4)]:
                (x, y), (w, h), kind = corner + rng.integers(0, 3, 2), rng.integers(4, 8, 2), int(rng.integers(2))
                picture[y : y + h, x : x + w, kind] = rng.integers(180, 255, (h, w))
                own.append([int(x), int(y), int(x + w), int(y + h), ("red", "green")[kind]])
            pictures.append(picture.astype(np.uint8))
            boxes.append(own)
        return [
            Example("rectangles", {"photo": pictures, "things": boxes}, roles={"image": "photo", "boxes": "things"})
        ]

    def check(self, problem: Problem, predictions: Any, request: Request) -> None:
        found = predictions.found
        if not np.isfinite(found).all() or (found[:, 2:4] <= found[:, :2]).any():
            raise ValueError("a box is empty or not finite")
        if not np.isin(found[:, 4], np.arange(problem.n_outputs)).all():
            raise ValueError("a box has an unknown label")

    def _pictures(self, problem: Problem, table: Table, rows: IntArray) -> list[Any]:
        cells = table[problem.roles["image"]].values
        pictures = [np.asarray(cells[row], dtype=np.float64) / 255.0 for row in rows]
        return [picture if picture.ndim == 3 else picture[:, :, None] for picture in pictures]

    def _boxes(self, problem: Problem, table: Table, rows: IntArray) -> list[Any]:
        code = {label: i for i, label in enumerate(problem.facts["labels"])}
        cells = table[problem.roles["boxes"]].values
        known = [[[*box[:4], code[box[4]]] for box in cells[row] or [] if box[4] in code] for row in rows]
        return [np.array(boxes, dtype=np.float64).reshape(-1, 5) for boxes in known]
