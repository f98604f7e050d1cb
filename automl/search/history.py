"""What a run writes down so that another process can go on with it, and how that is read back.

The journal tells, in order: ``run``, then ``start``, ``fold`` and ``trial`` for every candidate (and ``closed`` for one
that gets no further repeat), ``narrowed`` when fewer folds count from then on, ``widened`` when all do again,
``resumed`` for every process that went on, and ``finished``. What folds predicted lies beside it; `inputs_state` is
written once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import Any

from automl.contract import (
    ArtifactError,
    Choice,
    Column,
    Finding,
    FitInfo,
    Fold,
    OptionError,
    Predictions,
    Problem,
    Table,
)
from automl.execution.job import Candidate
from automl.search.board import Board
from automl.search.deploy import Deployment, problem_from, problem_state
from automl.search.families import Family, Field
from automl.search.fingerprint import fingerprint
from automl.search.folding import Folding, fewer_folds
from automl.search.scorer import Scorer
from automl.search.settings import DEFAULT_SECONDS, Preset, Settings
from automl.search.trial import FoldResult, Trial
from automl.store import RunFolder
from automl.store.journal import uncollected
from automl.store.values import dumps
from automl.store.versions import versions

LEAST_SECONDS = 5.0
_NOT_KEPT = ("callbacks", "extra_plugins", "path", "overwrite")
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Inputs:
    """What a run began with.

    Attributes:
        params: public options, but those that hold code.
        schema: state of the intake's schema.
        names: the caller's feature names, or None.
    """

    params: Mapping[str, Any]
    task: str
    problem: Problem
    table: Table
    schema: Mapping[str, Any]
    folding: Folding
    names: Sequence[str] | None

    def state(self) -> dict[str, Any]:
        """As values that `write_state` takes."""
        params = {name: value for name, value in self.params.items() if name not in _NOT_KEPT}
        if callable(params.get("metric")):
            params["metric"] = None
        if isinstance(params.get("preset"), Preset):
            params["preset"] = asdict(params["preset"])
        folds = [(fold.train, fold.valid) for fold in self.folding.folds]
        return {
            "params": params,
            "task": self.task,
            "problem": problem_state(self.problem),
            "columns": [dict(vars(column)) for column in map(_bare, self.table)],
            "n_rows": len(self.table),
            "schema": dict(self.schema),
            "folds": folds,
            "repeats": self.folding.repeats,
            "in_time": self.folding.in_time,
            "names": None if self.names is None else [str(name) for name in self.names],
        }

    @classmethod
    def read(cls, folder: RunFolder) -> Inputs:
        """What the folder keeps. Raises ArtifactError when that is damaged, or of a version with other inputs."""
        state = folder.read_inputs()
        try:
            return cls.of(state)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"the data of the run in {folder.path} is of another version: {error!r}; use the version that began it"
            ) from error

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Inputs:
        """What `state` came from."""
        params = dict(state["params"])
        if isinstance(params["preset"], dict):
            known = {one.name for one in fields(Preset)}  # an earlier version may have had others
            params["preset"] = Preset(**{name: value for name, value in params["preset"].items() if name in known})
        table = Table(tuple(Column(**column) for column in state["columns"]), state["n_rows"])
        folds = tuple(Fold(*fold) for fold in state["folds"])
        folding = Folding(folds, state["repeats"], state["in_time"])
        problem = problem_from(state["problem"])
        return cls(params, state["task"], problem, table, state["schema"], folding, state["names"])


def _bare(column: Column) -> Column:
    """Without what was derived from it."""
    return replace(column, values=column.values)


@dataclass
class History:
    """The trials that the journal tells of.

    Attributes:
        run: what the run began with; None when it was broken off before that was written.
        starts: trial -> how it began.
        ends: trial -> how it ended, in the order in which they did.
        folds: trial -> fold -> what came back.
        closed: trials that get no further repeat.
        seconds: of the run, all processes together.
        finished: did it end by itself?
        narrowed: so many folds count in the end; 0 for all.
        rescored: some scores may be of other folds than count now.
        widened: all folds count again from now on.
    """

    run: Record | None = None
    starts: dict[int, Record] = field(default_factory=dict)
    folds: dict[int, dict[int, Record]] = field(default_factory=dict)
    ends: dict[int, Record] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    seconds: float = 0.0
    finished: bool = False
    narrowed: int = 0
    rescored: bool = False
    widened: bool = False

    @classmethod
    @uncollected()
    def of(cls, records: Sequence[Record], folder: RunFolder) -> History:
        """Read it. A fold whose predictions or model are not whole counts as not done."""
        self = cls()
        for record in records:
            kind, trial = record["type"], record.get("trial", -1)
            self.seconds = max(self.seconds, record.get("at", 0.0))
            self.finished = kind == "finished" or (self.finished and kind != "resumed")
            if kind == "run":
                self.run = record
            elif kind == "start":
                self.starts[trial] = record
            elif kind == "fold":
                self.folds.setdefault(trial, {})[record["fold"]] = record
            elif kind == "closed":
                self.closed.add(trial)
            elif kind == "narrowed":
                self.narrowed, self.rescored = record["folds"], True
            elif kind == "widened":
                self.narrowed = 0
            elif kind == "trial":
                self.ends.pop(trial, None)
                self.ends[trial] = record
        for number, folds in self.folds.items():
            kept = self._models_wanted(number)
            self.folds[number] = {f: record for f, record in folds.items() if _whole(record, folder, kept)}
        return self

    def _models_wanted(self, number: int) -> bool:
        """Models of trials that were given up are not kept."""
        return bool(self.ends.get(number, {}).get("state", "ok") == "ok")

    def widen(self, seconds: float) -> None:
        """Let all folds count again where there are more seconds from now on than there were before."""
        self.widened = bool(self.narrowed) and seconds > self.seconds
        self.narrowed = 0 if self.widened else self.narrowed

    @property
    def findings(self) -> list[Finding]:
        """What the model of this process should say of those before: fewer folds that count, and other versions."""
        return [*self._narrowing, *self._other_versions]

    @property
    def _narrowing(self) -> list[Finding]:
        return [fewer_folds((self.run or {}).get("folds", 0), self.narrowed)] if self.narrowed else []

    @property
    def _other_versions(self) -> list[Finding]:
        before, here = (self.run or {}).get("versions", {}), versions()
        changed = [f"{name} {old} is now {here.get(name) or 'missing'}" for name, old in before.items()]
        changed = [what for (name, old), what in zip(before.items(), changed, strict=True) if here.get(name) != old]
        if not changed:
            return []
        done = "scores of before and of now stand side by side; start anew where that matters"
        return [Finding("versions", f"the run began with other versions: {', '.join(changed)}", done=done)]

    def check(self, metric: str) -> None:
        """Raises OptionError when scores of now could not be compared with those of before."""
        before = (self.run or {}).get("metric", metric)
        if before != metric:
            raise OptionError(
                f"the run's scores are {before!r}, so it cannot go on with metric {metric!r}; leave metric out, or fit "
                "anew in another folder"
            )

    def options(
        self, params: Mapping[str, Any], time_limit: float | None, n_trials: int | None
    ) -> tuple[dict[str, Any], float]:
        """The run's options with more time or trials, and the seconds of its limit that are spent.

        Raises OptionError when it has ended and is given neither, or needs what is not kept.
        """
        if self.finished and time_limit is None and n_trials is None:
            raise OptionError(
                "the run has ended, and its model can be loaded; to go on, give it time_limit= or n_trials= (on the "
                "command line --time-limit or --n-trials)"
            )
        if params["metric"] is None:
            raise OptionError("the run's metric was a function, which is not kept; give it again: metric=function")
        if params["time_limit"] is None and params["n_trials"] is None:
            params = {**params, "time_limit": DEFAULT_SECONDS}
        spent = self.seconds
        if time_limit is not None:
            params = {**params, "time_limit": spent + time_limit}
        elif params["time_limit"] is not None:
            spent = min(spent, params["time_limit"] - LEAST_SECONDS)
        return {**params, "n_trials": params["n_trials"] if n_trials is None else n_trials}, spent

    def models(self) -> dict[str, dict[int, str]]:
        """Key -> fold -> folder of the models that are still wanted."""
        kept: dict[str, dict[int, str]] = {}
        for number, folds in self.folds.items():
            if not self._models_wanted(number):
                continue
            found = {fold: record["folder"] for fold, record in folds.items() if record["folder"]}
            if found:
                kept[self.starts[number]["key"]] = found
        return kept

    @uncollected()
    def restore(
        self, fields: Field, board: Board, scorer: Scorer, container: type[Predictions], folder: RunFolder
    ) -> tuple[list[Trial], list[Trial]]:
        """Put the trials on the board; gives them in the order in which they began, and those that ended in that order.

        Raises ArtifactError for a model that is not here.
        """
        families = {family.name: family for family in fields.families}
        for number in sorted(self.starts):
            start = self.starts[number]
            if start["model"] not in families:
                reason = next((s.reason for s in fields.skipped if s.name == start["model"]), "it is not installed")
                raise ArtifactError(f"the run tried the model {start['model']!r}, which cannot be used here: {reason}")
            trial = self._restored(number, families[start["model"]], board)
            for fold, record in self.folds.get(number, {}).items():
                if self.narrowed and fold >= self.narrowed:
                    continue
                trial.results[fold] = _result(record, partial(_read, folder, record["place"], container))
            trial.submitted = set(trial.results)
            trial.closed = number in self.closed
            _conclude(trial, self.ends.get(number), board.n_folds, scorer, self.rescored)
        ended = [board.trials[number] for number in self.ends if number in self.starts]
        return list(board.trials), [trial for trial in ended if not trial.running]

    def _restored(self, number: int, family: Family, board: Board) -> Trial:
        start = self.starts[number]
        params, encoders = as_options(start["params"], family), tuple(start["encoders"])
        candidate = Candidate(start["model"], params, encoders, start["fidelity"], start["seed"])
        trial = board.add(family, candidate, start["phase"])
        if trial is None or trial.number != number:
            raise ArtifactError(f"the journal is no whole account of the run: trial {number} is out of place")
        return trial


def as_options(params: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """Settings from a journal as the family's space and its start points say them: a list may be a tuple there."""
    known = [option for knob in family.space.knobs.values() if isinstance(knob, Choice) for option in knob.options]
    known += [value for point in family.points for value in point.values()]
    tuples = {dumps(value): value for value in known if isinstance(value, tuple | list)}
    return {name: tuples.get(dumps(v), v) if isinstance(v, list) else v for name, v in params.items()}


def _conclude(trial: Trial, end: Record | None, n_folds: int, scorer: Scorer, rescored: bool) -> None:
    """Its state as it was told; a trial whose end was not, or that misses a fold, goes on.

    rescored: may its score have been of other folds?
    """
    scorer.attend(trial)
    if end is None:
        return
    if end["state"] != "ok":
        trial.told = True
        trial.end(end["state"], end["kind"], end["reason"], end["detail"])
    elif repeats := trial.repeats(n_folds):
        trial.told = True
        trial.end("ok")
        known = end["score"] is not None and repeats == 1 and not rescored
        trial.score = end["score"] if known else scorer.score(trial.judged)


def _result(record: Record, read: Callable[[], Predictions]) -> FoldResult:
    info = FitInfo(record["best_step"], record["refit"])
    wall, cpu, predict_s, row_s = (record[name] for name in ("wall", "cpu", "predict_s", "row_s"))
    return FoldResult(record["score"], read, info, wall, cpu, predict_s, row_s, record["size"])


def _read(folder: RunFolder, place: Sequence[int], container: type[Predictions]) -> Predictions:
    assert folder.results is not None
    return container.from_state(folder.results.read(place))


def _whole(record: Record, folder: RunFolder, model: bool) -> bool:
    """Are its predictions there, and its model, if that is wanted?"""
    if not record.get("place") or folder.results is None or not folder.results.whole(record["place"]):
        return False
    return not model or not record["folder"] or folder.holds(record["folder"], record["size"])


def first_record(task: str, metric: str, settings: Settings, folding: Folding, table: Table) -> dict[str, Any]:
    """The first line of the journal."""
    return {
        "type": "run",
        "task": task,
        "metric": metric,
        "seed": settings.seed,
        "n_trials": settings.n_trials,
        "folds": folding.judged,
        "repeats": folding.repeats,
        "data": fingerprint(table),
        "versions": versions(),
    }


def committed_plan(folder: RunFolder) -> Deployment | None:
    """What the processes before have committed, so that only better models replace it."""
    return None if folder.committed is None else Deployment.of(folder.committed.content["deployment"])
