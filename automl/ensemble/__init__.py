"""Several models' predictions become one answer, with a score that its own choices do not flatter."""

from automl.ensemble.blend import Blend, blend
from automl.ensemble.greedy import GreedyMean
from automl.ensemble.honest import score_interval, selection_optimism
from automl.ensemble.mean import VariedMean, WeightedMean
from automl.ensemble.recipe import Recipe, restored

__all__ = [
    "Blend",
    "GreedyMean",
    "Recipe",
    "VariedMean",
    "WeightedMean",
    "blend",
    "restored",
    "score_interval",
    "selection_optimism",
]
