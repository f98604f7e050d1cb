"""The kits are the whole test of a task and its models."""

from automl_segments import KMeans, OneSegment, Segments

from automl.testing import ModelChecks, TaskChecks


class TestSegments(TaskChecks):
    plugin = Segments


class TestOneSegment(ModelChecks):
    plugin = OneSegment


class TestKMeans(ModelChecks):
    plugin = KMeans
