"""What became of a run's trials, read from its journal, or from the leaderboard of a model that was saved."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl.contract import ArtifactError
from automl.search.deploy import ENSEMBLE
from automl.store import Journal, Manifest, load_manifest
from automl.store.claim import JOURNAL

Record = Mapping[str, Any]


@dataclass(frozen=True)
class PastTrial:
    """A trial that has ended.

    Attributes:
        number: in the order of the run, from 0.
        name: on the leaderboard.
        model: the plugin it is a configuration of.
        state: ``ok``, ``pruned`` or ``failed``.
        score: on all folds, higher is better; None unless it is ok.
        params: its settings; empty where only the leaderboard was kept.
        fold_scores: fold -> score, of finished folds.
        facts: what else is known, as JSON values under the leaderboard's names.
        began, ended: seconds since the run's start, or NaN.
    """

    number: int
    name: str
    model: str
    state: str
    score: float | None
    params: Mapping[str, Any] = field(default_factory=dict)
    fold_scores: Mapping[int, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    began: float = math.nan
    ended: float = math.nan


@dataclass(frozen=True)
class PastRun:
    """A run, as far as it has come.

    Attributes:
        mark: the same for the same run only.
        task: name of its task.
        metric: name of what the scores are made of.
        started: POSIX seconds, by the time of the journal's last record; NaN when not known.
        best_baseline: best score of the baselines that have ended; None before there is one.
        trials: those that have ended, in their order.
    """

    mark: str
    task: str
    metric: str
    started: float
    best_baseline: float | None
    trials: Sequence[PastTrial]


def read_past(folder: Path) -> PastRun:
    """The run in a folder, finished or not, or the one that a saved model came from.

    A folder that `AutoML.save` wrote has no journal: there, the trials have no settings and no scores of folds.

    Raises ArtifactError when the folder holds neither.
    """
    if (folder / JOURNAL).is_file():
        return _of_journal(folder / JOURNAL)
    return _of_board(load_manifest(folder))


def _of_journal(path: Path) -> PastRun:
    records = Journal.read(path)
    if not records or records[0]["type"] != "run":
        raise ArtifactError(f"{path} does not tell of a run yet; wait for its first trial")
    run = records[0]
    starts = {r["trial"]: r for r in records if r["type"] == "start"}
    folds: dict[int, dict[int, Record]] = {}
    for record in records:
        if record["type"] == "fold":
            folds.setdefault(record["trial"], {})[record["fold"]] = record
    ends = {r["trial"]: r for r in records if r["type"] == "trial"}
    floor = _floor([(starts[number]["phase"] == "baseline", end) for number, end in ends.items()])
    trials = [_ended(starts[number], folds.get(number, {}), ends[number], floor) for number in sorted(ends)]
    started = path.stat().st_mtime - max(record.get("at", 0.0) for record in records)
    mark = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]
    return PastRun(mark, run["task"], run["metric"], started, floor, trials)


def _ended(start: Record, folds: Mapping[int, Record], end: Record, floor: float | None) -> PastTrial:
    ok = end["state"] == "ok"
    facts = {
        "state": end["kind"] or end["state"],
        "reason": end["reason"],
        "baseline": start["phase"] == "baseline",
        "lift": end["score"] - floor if ok and floor is not None else None,
        "phase": start["phase"],
        "encoders": list(start["encoders"]),
        "share_of_rows": start["fidelity"],
        "seed": start["seed"],
        "fit_s": sum(fold["wall"] for fold in folds.values()),
        "cpu_s": sum(fold["cpu"] for fold in folds.values()),
        "predict_s": sum(fold["predict_s"] for fold in folds.values()),
        "size_bytes": sum(fold["size"] for fold in folds.values()),
    }
    scores = {fold: record["score"] for fold, record in sorted(folds.items()) if not math.isnan(record["score"])}
    times = (start.get("at", math.nan), end.get("at", math.nan))
    score = end["score"] if ok else None
    return PastTrial(
        start["trial"], start["name"], start["model"], end["state"], score, start["params"], scores, facts, *times
    )


def _of_board(manifest: Manifest) -> PastRun:
    content = manifest.content
    rows = [row for row in content["board"] if row["state"] != "skipped" and row["model"] != ENSEMBLE]
    floor = _floor([(row["baseline"], row) for row in rows])
    trials = []
    for number, row in enumerate(rows):
        state = row["state"] if row["state"] in ("ok", "pruned") else "failed"
        score = row["score"] if state == "ok" else None
        facts = {name: value for name, value in row.items() if name not in ("model", "family", "score")}
        facts["lift"] = score - floor if score is not None and floor is not None else None
        trials.append(PastTrial(number, row["model"], row["family"], state, score, facts=facts))
    return PastRun(f"saved {manifest.created}", content["task"], content["metric"], math.nan, floor, trials)


def _floor(ends: Sequence[tuple[bool, Record]]) -> float | None:
    """The best score of the baselines; None when there is none."""
    scores = [end["score"] for baseline, end in ends if baseline and end["state"] == "ok" and end["score"] is not None]
    return max(scores, default=None)
