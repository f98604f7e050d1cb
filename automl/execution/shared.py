"""The data of a run, written once and mapped by every worker: arrays come out read-only and are not copied."""

from __future__ import annotations

import io
import mmap
import os
import pickle
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.contract import AnyArray
from automl.execution.nameless import nameless_file, write_all

_ALIGN = 64
_HEAD = struct.Struct("<Q")


class Shared:
    """An object in memory that other processes can map. The file has no name, so nothing can be left behind."""

    def __init__(self, value: Any) -> None:
        parts = pack(value)
        self.size = sum(len(part) for part in parts)
        with nameless_file(self.size) as file:
            self.fd = os.dup(file.fileno())
        for part in parts:
            write_all(self.fd, part)

    def close(self) -> None:
        """Give up this process's hold. Workers that have mapped it keep theirs until they end."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def attach(fd: int) -> Any:
    """The object behind a file descriptor of `Shared`, over read-only memory. The descriptor is closed."""
    try:
        mapped = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(fd)
    return unpack(memoryview(mapped))


def pack(value: Any) -> list[memoryview]:
    """The object as consecutive pieces: header, pickle, then each array at a multiple of 64 bytes."""
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _pickler(stream, buffers).dump(value)
    raw = [buffer.raw() for buffer in buffers]
    sizes = [stream.getbuffer().nbytes, *(piece.nbytes for piece in raw)]
    header = _HEAD.pack(len(sizes)) + b"".join(_HEAD.pack(size) for size in sizes)
    pieces: list[memoryview] = []
    for piece in (memoryview(header), stream.getbuffer(), *raw):
        pieces += [piece, memoryview(bytes(-piece.nbytes % _ALIGN))]
    return pieces


def unpack(block: memoryview) -> Any:
    """The object that `pack` wrote into one block; its arrays lie in the block and are read-only if it is."""
    (count,) = _HEAD.unpack_from(block)
    sizes = [_HEAD.unpack_from(block, _HEAD.size * (1 + index))[0] for index in range(count)]
    start = _padded(_HEAD.size * (1 + count))
    pieces = []
    for size in sizes:
        pieces.append(block[start : start + size])
        start += _padded(size)
    return pickle.loads(pieces[0], buffers=pieces[1:])


def _pickler(stream: io.BytesIO, buffers: list[pickle.PickleBuffer]) -> pickle.Pickler:
    import cloudpickle

    class ArrayPickler(cloudpickle.Pickler):  # type: ignore[misc]
        """Cloudpickle, but every array is out of band or comes back read-only."""

        def reducer_override(self, value: Any) -> Any:
            if type(value) is np.ndarray:
                if value.dtype.hasobject:
                    return _objects, (value.shape, value.dtype, value.ravel().tolist())
                if not (value.flags.c_contiguous or value.flags.f_contiguous):
                    return np.ascontiguousarray(value).__reduce_ex__(5)
            return super().reducer_override(value)

    def keep(buffer: pickle.PickleBuffer) -> None:
        buffers.append(buffer)

    pickler: pickle.Pickler = ArrayPickler(stream, protocol=5, buffer_callback=keep)
    return pickler


def _objects(shape: Sequence[int], dtype: np.dtype[Any], values: list[Any]) -> AnyArray:
    array = np.fromiter(values, dtype=dtype, count=len(values)).reshape(shape)
    array.flags.writeable = False
    return array


def _padded(size: int) -> int:
    return size + -size % _ALIGN
