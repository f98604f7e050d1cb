"""What each machine did for an executor: slots, jobs, and seconds of work."""

from __future__ import annotations

from dataclasses import replace

from automl.execution.job import Event
from automl.execution.protocol import NodeUse


class Tally:
    """Counts by machine."""

    def __init__(self) -> None:
        self._uses: dict[str, NodeUse] = {}

    def seen(self, name: str, slots: int) -> None:
        """A machine is there with so many slots."""
        use = self._uses.get(name)
        self._uses[name] = replace(use, slots=slots) if use else NodeUse(name, slots, 0, 0.0, 0.0)

    def ended(self, name: str, event: Event, seconds: float, threads: int) -> None:
        """A job of so many slots ended there, so many seconds after it was begun."""
        use = self._uses.get(name) or NodeUse(name, threads, 0, 0.0, 0.0)
        cpu = event.outcome.cpu if event.outcome is not None else 0.0
        self._uses[name] = replace(
            use,
            jobs=use.jobs + 1,
            busy_seconds=use.busy_seconds + max(0.0, seconds) * threads,
            cpu_seconds=use.cpu_seconds + cpu,
        )

    def all(self) -> list[NodeUse]:
        """Every machine ever seen, in the order of appearance."""
        return list(self._uses.values())
