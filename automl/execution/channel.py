"""Messages between the driver and a worker over a socket pair: framed, never half-read, able to carry a file."""

from __future__ import annotations

import os
import pickle
import select
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from typing import Any

from automl.execution.nameless import nameless_file, write_all

_HEAD = struct.Struct("<Q")
_FD = struct.Struct("i")
_CHUNK = 1 << 20
_SEND_SECONDS = 10
_MOST_FILES = 64
_SMALL = 1 << 16
_IN_FILE = 1 << 63


class Channel:
    """One end. The worker blocks in `receive`; the driver takes what is there with `drain`."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._inbox = bytearray()
        self._fds: deque[int] = deque()
        self.heard = 0.0

    def fileno(self) -> int:
        """For selectors."""
        return self._end.fileno()

    def give_up_sending(self) -> None:
        """From now on a peer that does not read for 10 s makes `send` fail with an OSError instead of blocking."""
        self._end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_SECONDS, 0))

    def send(self, message: Any, fd: int | None = None) -> None:
        """Send a picklable message, and with it an open file. Raises OSError when the peer is gone."""
        body = pickle.dumps(message, protocol=5)
        self._end.sendall(_HEAD.pack(len(body)) + body)
        if fd is not None:
            socket.send_fds(self._end, [b"f"], [fd])

    def lend(self, message: Any) -> None:
        """Send a picklable message for `receive`, in a nameless file if it is large: the peer need not be reading.

        Raises OSError.
        """
        body = pickle.dumps(message, protocol=5)
        if len(body) <= _SMALL:
            self._end.sendall(_HEAD.pack(len(body)) + body)
            return
        with nameless_file(len(body)) as file:
            write_all(file.fileno(), memoryview(body))
            self._end.sendall(_HEAD.pack(_IN_FILE))
            socket.send_fds(self._end, [b"f"], [file.fileno()])

    def send_if_room(self, message: Any) -> None:
        """Send a small message unless the peer is far behind, then drop it: for progress, which must never block."""
        if select.select([], [self._end], [], 0)[1]:
            self.send(message)

    def receive(self) -> Any:
        """The next message, however long it takes. Raises EOFError when the peer is gone."""
        (size,) = _HEAD.unpack(self._exactly(_HEAD.size))
        return pickle.loads(_content(self.receive_fd()) if size == _IN_FILE else self._exactly(size))

    def waits(self) -> bool:
        """Has more of what `receive` gives arrived?"""
        return bool(select.select([self._end], [], [], 0)[0])

    def receive_fd(self) -> int:
        """The file that came with the message just received."""
        _, fds, _, _ = socket.recv_fds(self._end, 1, 1)
        if not fds:
            raise EOFError("the driver is gone")
        return fds[0]

    def drain(self) -> tuple[list[Any], bool]:
        """All complete messages that are there, and whether the peer is still connected. Never blocks.

        Files that came with them are kept for `take_file`.
        """
        connected = True
        while True:
            try:
                chunk = self._chunk()
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            if not chunk:
                connected = False
                break
            self._inbox += chunk
            self.heard = time.monotonic()
        return self._complete(), connected

    def put(self, message: Any, blob: bytes) -> None:
        """Send a message and, in a nameless file, bytes of any length: the peer need not be reading. Raises OSError."""
        with nameless_file(len(blob)) as file:
            write_all(file.fileno(), memoryview(blob))
            body = pickle.dumps(message, protocol=5)
            socket.send_fds(self._end, [_HEAD.pack(len(body)) + body], [file.fileno()])

    def take_file(self) -> bytes:
        """The bytes that came with the oldest `put` whose file was not taken yet. Raises EOFError if there is none."""
        if not self._fds:
            raise EOFError("the message came without its file")
        return _content(self._fds.popleft())

    @property
    def midway(self) -> bool:
        """Has part of a message arrived, and something within the last 5 seconds?"""
        return bool(self._inbox) and time.monotonic() - self.heard < 5.0

    def close(self) -> None:
        """Close this end, and files that nobody took."""
        self._end.close()
        while self._fds:
            with suppress(OSError):
                os.close(self._fds.popleft())

    def _chunk(self) -> bytes:
        """What has arrived; files that came with it are put away. Never blocks: `socket.recv_fds` drops its flags."""
        room = socket.CMSG_SPACE(_MOST_FILES * _FD.size)
        chunk, extra, _, _ = self._end.recvmsg(_CHUNK, room, socket.MSG_DONTWAIT)
        for level, kind, data in extra:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._fds.extend(fd for (fd,) in _FD.iter_unpack(data[: len(data) - len(data) % _FD.size]))
        return chunk

    def _complete(self) -> list[Any]:
        messages = []
        while len(self._inbox) >= _HEAD.size:
            (size,) = _HEAD.unpack_from(self._inbox)
            end = _HEAD.size + size
            if len(self._inbox) < end:
                break
            messages.append(pickle.loads(bytes(self._inbox[_HEAD.size : end])))
            del self._inbox[:end]
        return messages

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view.nbytes:
            count = self._end.recv_into(view)
            if not count:
                raise EOFError("the driver is gone")
            view = view[count:]
        return data


def _content(fd: int) -> bytes:
    """The bytes of a file that came with a message, which is closed."""
    with open(fd, "rb") as file:  # one read of the system gives 2 GiB at most
        file.seek(0)
        return file.read()
