"""Suggestions for all families; where many slots wait for them, a process of its own makes them ahead of need."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from automl.contract import Params, SearchSpace
from automl.execution.environment import module_paths
from automl.search.proposer import Proposer
from automl.search.settings import Settings

_MANY_SLOTS = 32
_FEWEST_AHEAD, _AHEAD_PER_SLOT = 2, 2
_OTHER_SEED = 500_009
_END_SECONDS = 2.0
_YIELDS = 10  # niceness: the driver and the workers beside it come first, for what is late is drawn at random
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Suggestions:
    """Proposers by family, asked where this runs.

    Args:
        spaces: family -> what may be suggested. Those without knobs are never asked.
        seed: of the first; each has its own.
    """

    def __init__(self, spaces: Mapping[str, SearchSpace], task: str, seed: int) -> None:
        self._proposers = {name: Proposer(space, task, seed + n) for n, (name, space) in enumerate(spaces.items())}

    def exhausted(self, family: str) -> bool:
        """Is there nothing to search?"""
        return self._proposers[family].exhausted

    def learn(self, family: str, params: Mapping[str, Any], score: float) -> None:
        """Take in a result, higher is better; NaN, and families that are not searched, teach nothing."""
        proposer = self._proposers.get(family)
        if proposer is not None and not proposer.exhausted:
            proposer.learn(params, score)

    def ask(self, family: str, turn: int) -> Params:
        """A point of the family's space: which one of those that the results allow, `turn` says."""
        return self._proposers[family].ask(turn)

    def close(self) -> None:
        """Nothing more will be asked."""


class SuggestionsAhead(Suggestions):
    """Suggestions that another process keeps ready: two for each slot, made of what was known when they were.

    No slot ever waits for that process, nor depends on it: where it cannot keep up, what is not ready is drawn at
    random, in less than a hundredth of the time; where it is not there yet or no more, it is made here.

    Args:
        slots: that are to be fed.
    """

    def __init__(self, spaces: Mapping[str, SearchSpace], task: str, seed: int, slots: int) -> None:
        super().__init__(spaces, task, seed)
        searched = {name: space for name, space in spaces.items() if space.knobs}
        self._depth = max(_FEWEST_AHEAD, _AHEAD_PER_SLOT * slots // max(1, len(searched)))
        self._ready: dict[str, deque[Params]] = {name: deque() for name in searched}
        self._wanted = dict.fromkeys(searched, 0)
        self._other = _Other(searched, task, seed + _OTHER_SEED)

    def learn(self, family: str, params: Mapping[str, Any], score: float) -> None:
        """Here and there."""
        super().learn(family, params, score)
        if family in self._ready:
            self._other.say(("learn", family, dict(params), score))

    def ask(self, family: str, turn: int) -> Params:
        """One that is ready, else one that takes no time; made as in `Suggestions` while there is no other process."""
        for name, params in self._other.heard():
            self._wanted[name] -= 1
            self._ready[name].append(params)
        found = self._ready[family].popleft() if self._ready[family] else None
        more = self._depth - len(self._ready[family]) - self._wanted[family]
        if more > 0:
            self._wanted[family] += more
            self._other.say(("ask", family, more))
        if found is not None:
            return found
        if not self._other.awake:
            return super().ask(family, turn)
        self._proposers[family].rest()
        return self._proposers[family].anything()

    def close(self) -> None:
        """End the process."""
        self._other.close()


def suggestions_for(spaces: Mapping[str, SearchSpace], task: str, settings: Settings) -> Suggestions:
    """Ahead of need where many slots ask for them and the clock may decide, else on demand."""
    if settings.clocked and settings.slots >= _MANY_SLOTS:
        return SuggestionsAhead(spaces, task, settings.seed, settings.slots)
    return Suggestions(spaces, task, settings.seed)


class _Other:
    """The process at the other end of a socket pair; it ends when this end is closed, however that comes about.

    Threads speak and listen, so that neither ever waits for it.
    """

    def __init__(self, spaces: Mapping[str, SearchSpace], task: str, seed: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"import sys; sys.path[:] = {module_paths()!r}; {_CODE}", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **_ONE_THREAD},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._answered = False
        self._connection = Connection(ours.detach())
        self._to_say: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[tuple[str, Params]] = queue.SimpleQueue()
        self.say((dict(spaces), task, seed))
        self._listener = threading.Thread(target=self._listen, name="automl-suggestions", daemon=True)
        self._listener.start()
        threading.Thread(target=self._speak, name="automl-suggestions", daemon=True).start()

    def say(self, message: Any) -> None:
        """Send it some time."""
        self._to_say.put(message)

    @property
    def awake(self) -> bool:
        """Has it answered, and is it still there?"""
        return self._answered and self._listener.is_alive()

    def heard(self) -> Sequence[tuple[str, Params]]:
        """What has come since the last time."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._heard.get_nowait())
        self._answered = self._answered or bool(found)
        return found

    def close(self) -> None:
        """End it."""
        self._to_say.put(None)
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            self._process.wait(_END_SECONDS)
            self._connection.close()

    def _speak(self) -> None:
        with contextlib.suppress(Exception):  # it is gone, or a stranger's options cannot be sent: all are made here
            while (message := self._to_say.get()) is not None:
                self._connection.send(message)

    def _listen(self) -> None:
        with contextlib.suppress(OSError, EOFError, TypeError):  # it is gone, or the connection was closed meanwhile
            while True:
                self._heard.put(self._connection.recv())


_CODE = "from automl.search.suggestions import serve; serve(int(sys.argv[1]))"


def serve(descriptor: int) -> None:
    """The other process: learn all that is there to learn, then make one suggestion, and again."""
    connection = Connection(descriptor)
    os.nice(_YIELDS)
    with contextlib.suppress(EOFError, OSError):
        spaces, task, seed = connection.recv()
        suggestions, wanted, turn = Suggestions(spaces, task, seed), deque[str](), 0
        while True:
            while not wanted or connection.poll():
                kind, family, *rest = connection.recv()
                if kind == "learn":
                    suggestions.learn(family, *rest)
                else:
                    wanted.extend([family] * rest[0])
            family, turn = wanted.popleft(), turn + 1
            connection.send((family, suggestions.ask(family, turn)))
