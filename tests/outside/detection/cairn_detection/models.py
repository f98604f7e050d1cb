"""Its models: always the average box, and connected blobs of a learnt colour."""

from __future__ import annotations

import numpy as np

from automl.contract import AnyArray, Batch, FitContext, Float, FloatArray, Int, ModelPlugin, Request, SearchSpace

from .task import Boxes


class MeanBox(ModelPlugin):
    name = "mean-box"
    produces = "boxes"
    view = "pixels"
    baseline = True

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        seen = np.concatenate(list(train.y))  # type: ignore[arg-type]
        groups = [seen[seen[:, 4] == label] for label in np.unique(seen[:, 4])]
        self.boxes = np.array([[*g[:, :5].mean(axis=0), len(g) / len(seen)] for g in groups])

    def predict(self, request: Request) -> Boxes:
        return Boxes.of([self.boxes] * len(request))


class ColourBlobs(ModelPlugin):
    """Pixels nearer to a label's mean colour than to the background's, grouped into connected blobs."""

    name = "colour-blobs"
    produces = "boxes"
    view = "pixels"
    space = SearchSpace(
        knobs={"min_area": Int(1, 30), "closeness": Float(0.2, 2.0)}, default={"min_area": 6, "closeness": 1.0}
    )

    def fit(self, train: Batch, valid: Batch | None, ctx: FitContext) -> None:
        inside: dict[int, list[FloatArray]] = {label: [] for label in range(ctx.n_outputs)}
        outside = []
        for picture, boxes in zip(train.X, train.y, strict=True):  # type: ignore[arg-type]
            free = np.ones(picture.shape[:2], dtype=bool)
            for x1, y1, x2, y2, label in boxes.astype(int):
                inside[label].append(picture[y1:y2, x1:x2].reshape(-1, picture.shape[2]))
                free[y1:y2, x1:x2] = False
            outside.append(picture[free])
        self.background = np.concatenate(outside).mean(axis=0)
        self.labels = np.array([label for label, parts in inside.items() if parts])
        self.colours = np.array([np.concatenate(inside[label]).mean(axis=0) for label in self.labels])

    def predict(self, request: Request) -> Boxes:
        return Boxes.of([self._find(picture) for picture in request.X])

    def _find(self, picture: FloatArray) -> list[list[float]]:
        to_label = np.linalg.norm(picture[:, :, None, :] - self.colours, axis=3)
        away = np.linalg.norm(picture - self.background, axis=2)
        found = []
        for position, label in enumerate(self.labels):
            mine = (to_label.argmin(axis=2) == position) & (to_label[:, :, position] < self.params["closeness"] * away)
            blobs = connected(mine)
            for blob in np.unique(blobs[blobs > 0]):
                ys, xs = np.nonzero(blobs == blob)
                if len(xs) >= self.params["min_area"]:
                    box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
                    found.append([*box, label, len(xs) / ((box[2] - box[0]) * (box[3] - box[1]))])
        return found


def connected(mask: AnyArray) -> AnyArray:
    """Number the four-connected regions of a mask: every pixel takes the highest number around until none changes."""
    blobs = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        wide = np.pad(blobs, 1)
        around = np.maximum.reduce([wide[1:-1, 1:-1], wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]])
        grown = np.where(mask, around, 0)
        if np.array_equal(grown, blobs):
            return blobs
        blobs = grown
