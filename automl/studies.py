"""From the folder of a run or a saved model to Optuna studies, with the spaces of the plugins that are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.contract import PluginError, SearchSpace
from automl.discovery import Registry, space_of
from automl.search.past import read_past
from automl.search.studies import write_studies


def to_optuna(folder: str | Path, registry: Registry, storage: Any, study_name: str | None = None) -> list[str]:
    """Write what has ended of a run that may still be going on; see `AutoML.to_optuna`.

    Raises ArtifactError when the folder holds no run and no model, OptionError when the storage cannot be used.
    """
    place = Path(folder)
    run = read_past(place)
    spaces = _spaces(registry, run.task)
    return write_studies(run, spaces, storage, study_name or place.resolve().name)


def _spaces(registry: Registry, task: str) -> dict[str, SearchSpace]:
    """Model -> its space, of all that can be loaded here."""
    try:
        family = registry.tasks.load(task).family
    except PluginError:
        return {}
    return {name: space_of(model, family) for name, model in registry.models.load_all().items()}
