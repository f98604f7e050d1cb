"""The journal of a run, and how a run ends whose disk takes no more: with what it has committed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from automl.contract import ArtifactError, Finding
from automl.search.events import Noticed, RunEvent
from automl.store import RunFolder


class Diary:
    """Writes down what happens in a run.

    Args:
        elapsed: gives the seconds that the run has taken.

    Attributes:
        why: what the disk said when it took no more, so that the run should end; None while it does.
    """

    def __init__(self, folder: RunFolder, elapsed: Callable[[], float], emit: Callable[[RunEvent], None]) -> None:
        self._folder, self._elapsed, self._emit = folder, elapsed, emit
        self.why: ArtifactError | None = None

    @property
    def ended(self) -> bool:
        """Should the run end?"""
        return self.why is not None

    def note(self, record: Mapping[str, Any]) -> None:
        """Add a record, with the seconds that the run has taken."""
        if self.ended:
            return
        try:
            self._folder.journal.append({**record, "at": round(self._elapsed(), 3)})
        except ArtifactError as error:
            self.end(error)

    def end(self, error: ArtifactError) -> None:
        """Let the run end, and say why, once."""
        if self.ended:
            return
        self.why = error
        finding = Finding("disk-full", str(error), done="the run ends with the best model that is committed")
        self._emit(Noticed(finding))
        warnings.warn(f"{finding.what}; {finding.done}", stacklevel=2)

    def close(self) -> None:
        """Nothing more happens in this run."""
        try:
            self._folder.rest()
        except ArtifactError as error:
            self.end(error)
