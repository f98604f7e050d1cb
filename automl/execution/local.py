"""Jobs in worker processes of this machine: no server, no main guard needed, safe in notebooks and daemons."""

from __future__ import annotations

import contextlib
import os
import platform
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import IO

from automl.contract import ExecutionError
from automl.execution import guard
from automl.execution.channel import Channel
from automl.execution.environment import by_value, module_paths, thread_variables
from automl.execution.job import Dataset, Event, Job
from automl.execution.limits import gpu_devices, total_memory
from automl.execution.memory import resident, tree
from automl.execution.pool import PoolExecutor
from automl.execution.running import UNIT, Runner, decode
from automl.execution.seats import Place, Seat, Seating
from automl.execution.shared import Shared
from automl.execution.workers import Ended, Ready, Worker

_GROWTH = 1_500_000_000
_LOG_BYTES = 1_000_000
_TAIL_BYTES = 4096
_REAP_SECONDS = 0.5


class LocalExecutor(PoolExecutor):
    """Worker processes, one job each at a time, that share the data read-only.

    Args:
        slots: jobs at once.
        memory: bytes that all workers together may hold; above it the largest busy one is ended. 0 for no cap.
        preload: modules that workers import while they wait for the first job.
        gpus: devices as CUDA_VISIBLE_DEVICES would name them; None looks which there are.
        runner: import path of the function that does a job, or the function.
    """

    def __init__(
        self,
        slots: int,
        memory: int = 0,
        *,
        preload: Sequence[str] = (),
        gpus: Sequence[str] | None = None,
        runner: str | Runner = UNIT,
    ) -> None:
        devices = gpu_devices() if gpus is None else tuple(gpus)
        super().__init__(Seating((Place("", platform.node(), slots, devices, total_memory()),)), memory)
        self._hello = (by_value(runner), tuple(preload))
        self._guard: Guard | None = None
        self._data = Data()
        self._held.append(self._data)

    def _hire(self, seat: Seat) -> Worker:
        if self._guard is None:
            self._guard = Guard()
            self._held.append(self._guard)
        return LocalWorker(seat, self._hello, self._data, self._guard)

    def _share(self, dataset: Dataset) -> None:
        self._data.replace(dataset)

    def _listen(self, seconds: float) -> None:
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                if isinstance(worker, LocalWorker):
                    selector.register(worker.channel, selectors.EVENT_READ)
            selector.select(seconds)


class Data:
    """What is shared now, and how many data sets there have been."""

    def __init__(self) -> None:
        self.shared: Shared | None = None
        self.generation = 0

    def replace(self, dataset: Dataset) -> None:
        """Publish other data."""
        self.close()
        self.shared = Shared(dataset)
        self.generation += 1

    def close(self) -> None:
        """Free it."""
        if self.shared is not None:
            self.shared.close()
            self.shared = None


class Guard:
    """The process that ends the workers should the driver be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [_python(), "-I", "-S", guard.__file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """This process group is to die with the driver."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """This group has ended."""
        self._tell(f"-{group}\n")

    def mark(self, mark: str) -> None:
        """Processes with this ``NAME=value`` in their environment are to die with the driver."""
        self._tell(f"={mark}\n")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.write(line.encode())


class LocalWorker(Worker):
    """A process on this machine, in a session of its own, on the other end of a socket pair."""

    depth = 2

    def __init__(self, seat: Seat, hello: tuple[bytes, tuple[str, ...]], data: Data, guard: Guard) -> None:
        super().__init__(seat)
        self._data, self._guard = data, guard
        self._generation, self._rested = 0, 0
        self._log = _log_file()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _spawn(seat, theirs.fileno(), self._log.fileno())
        self.channel = Channel(ours)
        self.channel.give_up_sending()
        guard.watch(self._process.pid)
        self._say(lambda: self.channel.send(hello))
        if data.generation:
            self.share()

    def share(self) -> None:
        """Send it the open file that holds the data, and where modules are found now."""
        self.ready = False
        shared, message = self._data.shared, ("data", self._data.generation, module_paths())
        if shared is not None:
            self._say(lambda: self.channel.send(message, shared.fd))

    def send(self, job: Job) -> None:
        """Send the job, by value where it holds what has no import path, to a worker that may be busy with another."""
        import cloudpickle

        parcel = cloudpickle.dumps(job, protocol=5)
        self._say(lambda: self.channel.lend(("job", job.id, parcel)))

    def pass_over(self, job: int) -> None:
        """Tell it; what it has begun by now it will not hear of before the end."""
        self._say(lambda: self.channel.send(("void", job)))

    def collect(self) -> Sequence[Ready | Ended | Event]:
        """Read its socket; a socket that is closed, or a process that is gone, is its end."""
        gone = self._process.poll() is not None
        messages, connected = self.channel.drain()
        said: list[Ready | Ended | Event] = []
        for kind, *rest in messages:
            if kind == "ready" and rest[0] == self._data.generation:
                self._rested = self.memory()
                said.append(Ready())
            elif kind == "progress":
                said.append(Event(rest[0], "progress", step=rest[1], value=rest[2]))
            elif kind == "end":
                said.append(decode(rest[0], self.channel.take_file()))
        if gone or not connected:
            said.append(self._obituary())
        elif os.fstat(self._log.fileno()).st_size > _LOG_BYTES:
            os.ftruncate(self._log.fileno(), 0)
        return said

    def kill(self) -> None:
        """Kill its process group, and its descendants in case they left the group."""
        if self._process.poll() is None:
            for pid in tree(self._process.pid)[1:]:
                _end(os.kill, pid)
        _end(os.killpg, self._process.pid)

    def reap(self) -> None:
        """Collect the exit status."""
        try:
            self._process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            _UNREAPED.append(self._process)
        _UNREAPED[:] = [process for process in _UNREAPED if process.poll() is None]
        self._guard.forget(self._process.pid)
        self.channel.close()
        self._log.close()

    def talking(self) -> bool:
        """Is its result arriving?"""
        return self.channel.midway

    def memory(self) -> int:
        """Resident bytes of its process tree, without the shared data."""
        return resident(self._process.pid, self._data.shared.size if self._data.shared else 0)

    def swollen(self) -> bool:
        """Does it hold 1.5 GB more than before its first job?"""
        return self.memory() - self._rested > _GROWTH

    def _say(self, deliver: Callable[[], None]) -> None:
        try:
            deliver()
        except OSError:
            self.kill()

    def _obituary(self) -> Ended:
        self.kill()
        try:
            code = self._process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        return Ended("crashed", _how_it_ended(code), self._tail())

    def _tail(self) -> str:
        """The last 4 kB of what it wrote to stderr."""
        fd = self._log.fileno()
        size = os.fstat(fd).st_size
        return os.pread(fd, _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode(errors="replace")


_UNREAPED: list[subprocess.Popen[bytes]] = []


def _spawn(seat: Seat, fd: int, log: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [_python(), "-P", "-m", "automl.execution.worker", str(fd)],
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=_environment(seat),
            start_new_session=True,
        )
    except OSError as error:
        raise ExecutionError(f"a worker process cannot be started: {error}") from error


def _log_file() -> IO[bytes]:
    """For stderr: without a name, and always written at its end, so that it can be cut while it is written."""
    import fcntl

    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in reap
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file


def _environment(seat: Seat) -> dict[str, str]:
    return {
        **os.environ,
        **thread_variables(seat.threads),
        "CUDA_VISIBLE_DEVICES": ",".join(seat.devices),
        "PYTHONPATH": os.pathsep.join(module_paths()),
    }


def _python() -> str:
    if not sys.executable:
        raise ExecutionError('no Python interpreter to start workers with (sys.executable is empty); use "inline"')
    return sys.executable


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"the worker process exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (often the system's answer to memory running out)" if name == "SIGKILL" else ""
    return f"the worker process was ended by {name}{hint}"


def _end(deliver: Callable[[int, int], None], pid: int) -> None:
    with contextlib.suppress(OSError):
        deliver(pid, signal.SIGKILL)
