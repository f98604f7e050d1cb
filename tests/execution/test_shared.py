"""Shared data comes out equal, read-only and without a copy."""

import os
from typing import Any

import numpy as np

from automl.execution.shared import Shared, attach, pack, unpack


def test_arrays_of_all_sorts_come_out_equal_and_read_only() -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "plain": rng.normal(size=(100, 3)),
        "fortran": np.asfortranarray(rng.normal(size=(100, 3))),
        "strided": rng.normal(size=(100, 6))[:, ::2],
        "codes": np.arange(10, dtype=np.int32),
        "objects": np.array(["a", None, 3, [1, 2]], dtype=object),
        "lists": np.fromiter(([1, 2], [3, 4]), dtype=object, count=2),
        "empty": np.empty(0),
        "grid": np.array([["a", "b"], ["c", "d"]], dtype=object),
    }
    shared = Shared(arrays)
    try:
        found: dict[str, Any] = attach(os.dup(shared.fd))
    finally:
        shared.close()
        shared.close()
    for name, array in arrays.items():
        assert found[name].tolist() == array.tolist(), name
        assert found[name].dtype == array.dtype
        assert not found[name].flags.writeable, name


def test_numbers_lie_in_the_block_itself() -> None:
    block = b"".join(pack(np.arange(1000.0)))
    assert np.shares_memory(unpack(memoryview(block)), np.frombuffer(block, dtype=np.uint8))
