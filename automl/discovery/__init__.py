"""Finding plugins and their search spaces."""

from automl.discovery.reference import PluginRef
from automl.discovery.registry import Group, Listed, Registry, missing_requirement, strange_groups
from automl.discovery.spaces import parse_space, read_space, space_of

__all__ = [
    "Group",
    "Listed",
    "PluginRef",
    "Registry",
    "missing_requirement",
    "parse_space",
    "read_space",
    "space_of",
    "strange_groups",
]
