"""Saving state without code: JSON for scalars and lists, safetensors for arrays, skops for scikit-learn parts.

A folder written here holds ``state.json`` and, when needed, ``arrays.safetensors`` and ``<name>.skops``.
Nothing in it is a pickle, and reading it builds no type that the reading class did not declare itself.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl.contract.errors import ArtifactError

_STATE, _ARRAYS = "state.json", "arrays.safetensors"
_LENGTH = struct.Struct("<Q")


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write named values: JSON values, numpy arrays (also in dicts and lists), scikit-learn estimators on their own.

    Raises ArtifactError naming the first value that is none of these, OSError when the disk does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    for name, value in state.items():
        if _is_estimator(value):
            plain[name] = {"__skops__": _write_estimator(folder, name, value)}
        else:
            plain[name] = _plain(value, name, arrays)
    (folder / _STATE).write_text(json.dumps(plain), encoding="utf-8")
    if arrays:
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        try:
            save_file(arrays, folder / _ARRAYS)
        except SafetensorError as error:  # what it calls a disk that takes no more
            raise OSError(f"cannot write {folder / _ARRAYS}: {error}") from error


def read_state(folder: Path, trusted_types: Sequence[str] = ()) -> dict[str, Any]:
    """Read what `write_state` wrote.

    Args:
        folder: where it was written.
        trusted_types: full names of the types a scikit-learn part may contain beyond skops' own safe list; given by
            the reading class, never taken from the folder.

    Raises ArtifactError when a file is missing, damaged or holds a type that is not trusted.
    """
    try:
        plain = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"cannot read {folder / _STATE}: {error}; the saved model is incomplete") from error
    try:
        arrays = _read_arrays(folder / _ARRAYS)
        out: dict[str, Any] = {}
        for name, value in plain.items():
            if isinstance(value, dict) and "__skops__" in value:
                out[name] = _read_estimator(folder, value["__skops__"], trusted_types)
            else:
                out[name] = _rich(value, arrays)
        return out
    except ArtifactError:
        raise
    except Exception as error:  # every parser has errors of its own for what is no state
        raise ArtifactError(f"cannot read {folder}: {error!r}; the saved model is damaged") from error


def pack_state(state: Mapping[str, Any]) -> bytes:
    """The same in one piece, for files that hold many: JSON values and numpy arrays, no estimators.

    Raises ArtifactError naming the first value that is neither.
    """
    arrays: dict[str, Any] = {}
    plain = json.dumps({name: _plain(value, name, arrays) for name, value in state.items()}).encode()
    if not arrays:
        return _LENGTH.pack(len(plain)) + plain
    from safetensors.numpy import save

    return _LENGTH.pack(len(plain)) + plain + save(arrays)


def unpack_state(data: bytes | memoryview) -> dict[str, Any]:
    """What `pack_state` was given. Raises ArtifactError for anything else."""
    try:
        (length,) = _LENGTH.unpack(data[: _LENGTH.size])
        end = _LENGTH.size + length
        plain = json.loads(bytes(data[_LENGTH.size : end]))
        arrays: Mapping[str, Any] = {}
        if len(data) > end:
            from safetensors.numpy import load

            arrays = load(bytes(data[end:]))
        return {name: _rich(value, arrays) for name, value in plain.items()}
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"these {len(data)} bytes are no saved state: {error!r}") from error


def _read_arrays(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    from safetensors.numpy import load_file

    return dict(load_file(file))


def _plain(value: Any, path: str, arrays: dict[str, Any]) -> Any:
    """A JSON value that stands for `value`; arrays are put aside under `path`."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "OSU":
            return {"__list__": [_plain(v, f"{path}.{i}", arrays) for i, v in enumerate(value.tolist())]}
        arrays[path] = np.asarray(value, order="C")
        return {"__array__": path}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"__float__": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return {"__tuple__": [_plain(v, f"{path}.{i}", arrays) for i, v in enumerate(value)]}
    if isinstance(value, list):
        return [_plain(v, f"{path}.{i}", arrays) for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        pairs = [
            [_plain(k, f"{path}.k{i}", arrays), _plain(v, f"{path}.{i}", arrays)]
            for i, (k, v) in enumerate(value.items())
        ]
        return {"__dict__": pairs}
    if _is_estimator(value):
        raise ArtifactError(
            f"{path!r} is a {type(value).__qualname__} inside a list or dict; scikit-learn estimators are saved only "
            "as attributes of their own: self.first, self.second …"
        )
    raise ArtifactError(
        f"{path!r} is a {type(value).__module__}.{type(value).__qualname__}, which is not saved by default: keep JSON "
        "values, numpy arrays or scikit-learn estimators as attributes, or write your own save and load"
    )


def _rich(value: Any, arrays: Mapping[str, Any]) -> Any:
    """The value that `_plain` wrote down."""
    if isinstance(value, list):
        return [_rich(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    (tag, inner), *_ = value.items()
    if tag == "__array__":
        return arrays[inner]
    if tag == "__float__":
        return float(inner)
    if tag == "__tuple__":
        return tuple(_rich(v, arrays) for v in inner)
    if tag == "__list__":
        out = np.empty(len(inner), dtype=object)
        out[:] = [_rich(v, arrays) for v in inner]
        return out
    if tag == "__dict__":
        return {_rich(k, arrays): _rich(v, arrays) for k, v in inner}
    raise ArtifactError(f"state.json holds an unknown mark {tag!r}; it was written by a newer version")


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and hasattr(value, "fit") and not isinstance(value, type)


def _write_estimator(folder: Path, name: str, value: Any) -> str:
    import skops.io

    file = f"{name}.skops"
    skops.io.dump(value, folder / file)
    return file


def _read_estimator(folder: Path, name: str, trusted_types: Sequence[str]) -> Any:
    import skops.io

    file = folder / name
    if file.name != name:
        raise ArtifactError(f"{folder / _STATE} refers to {name!r}, which is not beside it; the saved model was forged")
    unknown = set(skops.io.get_untrusted_types(file=file)) - set(trusted_types)
    if unknown:
        raise ArtifactError(f"{file.name} holds types that its plugin does not trust: {_advice(sorted(unknown))}")
    return skops.io.load(file, trusted=list(trusted_types))


def _advice(unknown: Sequence[str]) -> str:
    """These types, and what the plugin's author can do about them."""
    python = [name for name in unknown if name.partition(".")[0] in sys.stdlib_module_names]
    if python:
        return (
            f"{python} of Python itself can run any code; keep plain values in the fitted object instead, for example "
            "an argument by name in place of a function"
        )
    return f"{list(unknown)}; add them to the plugin's trusted_types if they come from its own libraries"
