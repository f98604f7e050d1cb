"""Cairn: AutoML and ensembling whose models, tasks and encoders are plugins.

>>> from automl import AutoML
>>> model = AutoML(time_limit=60).fit(frame, target="churned")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.api import AutoML
    from automl.estimators import AutoMLClassifier, AutoMLRegressor
    from automl.search.settings import Preset

__version__ = "0.1.0"
__all__ = ["AutoML", "AutoMLClassifier", "AutoMLRegressor", "Preset", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the public classes on first use, so that `import automl` stays light."""
    if name == "AutoML":
        from automl.api import AutoML

        return AutoML
    if name in ("AutoMLClassifier", "AutoMLRegressor"):
        from automl import estimators

        return getattr(estimators, name)
    if name == "Preset":
        from automl.search.settings import Preset

        return Preset
    raise AttributeError(f"module 'automl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
