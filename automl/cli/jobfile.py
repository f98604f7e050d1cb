"""What a job file says: data, target, options, and where the model shall go. TOML, or the same as JSON."""

from __future__ import annotations

import inspect
import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl.contract import OptionError
from automl.intake.remote import is_url

_TEXTS = ("data", "output", "target", "groups", "time", "sample_weight")
_TABLES = ("options", "roles", "runtime_env")
_OF_THE_JOB = ("path", "overwrite", "extra_plugins", "callbacks", "ray_address")


@dataclass(frozen=True)
class JobFile:
    """A run in writing.

    Attributes:
        folder: where the file lies; its relative paths begin there.
        data: path or URL of the table.
        output: folder or URL for the model.
        target, groups, time, sample_weight: column names.
        roles: as in `AutoML.fit`.
        packages: wheels of plugins, which travel with the job.
        options: of `AutoML`.
        runtime_env: of the Ray job, as Ray spells it: ``pip``, ``env_vars`` …
    """

    folder: Path
    data: str
    output: str = "model"
    target: str | None = None
    groups: str | None = None
    time: str | None = None
    sample_weight: str | None = None
    roles: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    runtime_env: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> JobFile:
        """Raises OptionError that names the file and the entry at fault."""
        try:
            text = path.read_text(encoding="utf-8")
            said = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise OptionError(f"{path} is no readable job file: {error}") from error
        try:
            return cls(path.absolute().parent, **_checked(said))
        except OptionError as error:
            raise OptionError(f"{path}: {error}") from None

    def text(self) -> str:
        """The file's content as JSON."""
        return json.dumps({name: value for name, value in vars(self).items() if value and name != "folder"}, indent=1)

    def place(self, entry: str) -> str | Path:
        """An entry as a URL, or as a path that does not depend on where the command is given."""
        return entry if is_url(entry) else self.folder / entry

    def wheels(self) -> list[Path]:
        """The packages. Raises OptionError for one that is not there or no wheel."""
        found = [self.folder / name for name in self.packages]
        for path in found:
            if path.suffix != ".whl" or not path.is_file():
                what = "is no wheel" if path.exists() else "is not there"
                raise OptionError(f"{path} {what}; make one: pip wheel --no-deps -w {path.parent} FOLDER")
        return found


def _checked(said: Mapping[str, Any]) -> dict[str, Any]:
    known = [*_TEXTS, *_TABLES, "packages"]
    for name, value in said.items():
        _check_known("entry", name, known)
        if name in _TEXTS and not isinstance(value, str):
            raise OptionError(f"{name} = {value!r} must be text")
        if name in _TABLES and not isinstance(value, dict):
            raise OptionError(f"{name} = {value!r} must be a table: write [{name}] and its entries below")
    packages = said.get("packages", [])
    if not isinstance(packages, list) or not all(isinstance(name, str) for name in packages):
        raise OptionError(f"packages = {packages!r} must be a list of wheels")
    if not said.get("data"):
        raise OptionError('there is no data; write data = "train.csv", or a URL such as "s3://bucket/train.parquet"')
    for name in said.get("options", {}):
        _check_known("option", name, _options())
    return {**said, "packages": tuple(packages)}


def _options() -> list[str]:
    from automl.api import AutoML

    return [name for name in inspect.signature(AutoML).parameters if name not in _OF_THE_JOB]


def _check_known(kind: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        from difflib import get_close_matches

        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
        raise OptionError(f"there is no {kind} {name!r}; {hint}")
