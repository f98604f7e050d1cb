"""A model with a file format of its own keeps it compressed."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contract import ArtifactError


@pytest.fixture(scope="module")
def fitted(bench: Any, problems: Mapping[str, Any]) -> Any:
    return bench.fit("catboost", problems["two"])


def test_what_was_saved_before_files_were_compressed_is_read(
    bench: Any, problems: Mapping[str, Any], fitted: Any, tmp_path: Path
) -> None:
    fitted.model.save(tmp_path)
    (packed,) = tmp_path.glob("*.gz")
    (tmp_path / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    assert packed.stat().st_size < 0.7 * (tmp_path / packed.stem).stat().st_size
    packed.unlink()
    table = problems["two"].table
    before = type(fitted.model).load(tmp_path)
    np.testing.assert_array_equal(fitted.predict(table, before), fitted.predict(table))


def test_a_damaged_or_missing_file_is_named(fitted: Any, tmp_path: Path) -> None:
    fitted.model.save(tmp_path)
    (packed,) = tmp_path.glob("*.gz")
    packed.write_bytes(packed.read_bytes()[:50])
    with pytest.raises(ArtifactError, match=r"model\.cbm\.gz is damaged"):
        type(fitted.model).load(tmp_path)
    packed.unlink()
    with pytest.raises(ArtifactError, match=r"model\.cbm\.gz is missing"):
        type(fitted.model).load(tmp_path)
