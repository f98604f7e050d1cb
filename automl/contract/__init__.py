"""The public door: all that a plugin author may import. Imports numpy and nothing else of automl."""

from automl.contract.arrays import AnyArray, BoolArray, CodeArray, FloatArray, IntArray, Matrix
from automl.contract.combiner import WeightedCombiner
from automl.contract.context import Estimate, Facts, FitContext, FitInfo, Resources
from automl.contract.encoder import EncoderPlugin
from automl.contract.errors import (
    ArtifactError,
    AutoMLError,
    DataError,
    ExecutionError,
    NothingFitted,
    OptionError,
    PluginError,
    SpaceError,
)
from automl.contract.metric import AIMS, CombineContext, Combiner, Metric, relative_sizes, size_of
from automl.contract.model import ModelPlugin
from automl.contract.persist import pack_state, read_state, unpack_state, write_state
from automl.contract.plugin import Plugin
from automl.contract.predictions import ADDITIVE, ArrayPredictions, Predictions, widen
from automl.contract.problem import Batch, Finding, Fold, FoldPlan, Problem, Request, Truth
from automl.contract.readable import Feature, Formula, Levels, Line, Reading, Steps, Tree
from automl.contract.space import Choice, Float, Int, Knob, Params, SearchSpace, Start
from automl.contract.table import KINDS, Column, Kind, Table
from automl.contract.task import Example, TaskPlugin, role_column, with_metric

__all__ = [
    "ADDITIVE",
    "AIMS",
    "KINDS",
    "AnyArray",
    "ArrayPredictions",
    "ArtifactError",
    "AutoMLError",
    "Batch",
    "BoolArray",
    "Choice",
    "CodeArray",
    "Column",
    "CombineContext",
    "Combiner",
    "DataError",
    "EncoderPlugin",
    "Estimate",
    "Example",
    "ExecutionError",
    "Facts",
    "Feature",
    "Finding",
    "FitContext",
    "FitInfo",
    "Float",
    "FloatArray",
    "Fold",
    "FoldPlan",
    "Formula",
    "Int",
    "IntArray",
    "Kind",
    "Knob",
    "Levels",
    "Line",
    "Matrix",
    "Metric",
    "ModelPlugin",
    "NothingFitted",
    "OptionError",
    "Params",
    "Plugin",
    "PluginError",
    "Predictions",
    "Problem",
    "Reading",
    "Request",
    "Resources",
    "SearchSpace",
    "SpaceError",
    "Start",
    "Steps",
    "Table",
    "TaskPlugin",
    "Tree",
    "Truth",
    "WeightedCombiner",
    "pack_state",
    "read_state",
    "relative_sizes",
    "role_column",
    "size_of",
    "unpack_state",
    "widen",
    "with_metric",
    "write_state",
]
