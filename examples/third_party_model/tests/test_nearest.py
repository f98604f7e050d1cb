"""The conformance kit is the whole test of a model."""

from automl_nearest import Nearest

from automl.testing import ModelChecks


class TestNearest(ModelChecks):
    plugin = Nearest
