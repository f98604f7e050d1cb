"""What a run puts into its folder; a disk that takes no more ends the search, and costs nothing that was committed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

from automl.contract import ArtifactError, Finding
from automl.execution.job import Outcome
from automl.search.clock import Clock
from automl.search.events import Noticed, RunEvent
from automl.search.trial import Trial
from automl.store import RunFolder


class Keeper:
    """Writes to the run's folder until the disk takes no more.

    Attributes:
        trouble: what the disk did not take, and what that means; None while it takes all.
    """

    def __init__(self, folder: RunFolder, clock: Clock, emit: Callable[[RunEvent], None]) -> None:
        self.folder, self.clock, self.emit = folder, clock, emit
        self.trouble: Finding | None = None

    def note(self, record: Mapping[str, Any]) -> None:
        """Into the journal, with the seconds that the run has taken."""
        if self.trouble is not None:
            return
        try:
            self.folder.journal.append({**record, "at": round(self.clock.elapsed(), 3)})
        except ArtifactError as error:
            self._end(error)

    def keep(self, trial: Trial, fold: int, outcome: Outcome) -> dict[str, Any] | None:
        """Put away a fold's model, if it was wanted, and its predictions, if the run may be resumed; where they are.

        None when the disk takes no more. Raises ArtifactError for what can be written to no disk.
        """
        key, place = trial.candidate.key, None
        try:
            if outcome.files:
                self.folder.write_model(key, fold, outcome.files)
            if self.folder.results is not None and outcome.predictions is not None:
                place = self.folder.results.append(outcome.predictions.state())
        except ArtifactError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            self._end(error)
            return None
        return {"folder": self.folder.place_of(key, fold), "place": place}

    def put(self, key: str, number: int, files: Mapping[str, bytes]) -> bool:
        """Keep a model that was fitted on all rows, -1 or less. Raises ArtifactError for what no disk takes."""
        try:
            self.folder.write_model(key, number, files)
        except ArtifactError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            self._end(error)
            return False
        return True

    def commit(
        self,
        content: Mapping[str, Any],
        states: Mapping[str, Mapping[str, Any]],
        members: Mapping[str, Collection[int]],
    ) -> bool:
        """Make these the model on disk; False when the disk does not take it and has the commit before."""
        try:
            self.folder.commit(content, states, members)
        except ArtifactError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            self._end(error)
            return False
        return True

    def rest(self) -> None:
        """Nothing more happens in this run for now."""
        try:
            self.folder.rest()
        except ArtifactError as error:
            self._end(error)

    def _end(self, error: ArtifactError) -> None:
        """Say it once."""
        if self.trouble is not None:
            return
        done = "the run ends with the model that was committed before"
        if self.folder.results is not None:
            done += "; free some space, and AutoML.resume or `automl resume` goes on"
        self.trouble = Finding("disk", f"the run's folder takes no more: {error}", str(self.folder.path), done)
        self.emit(Noticed(self.trouble))
        warnings.warn(f"{self.trouble.what}; {done}", stacklevel=2)
