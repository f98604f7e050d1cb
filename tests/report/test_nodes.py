"""What each machine did, as a table of text."""

from __future__ import annotations

import pytest

from automl.execution.protocol import NodeUse
from automl.report.nodes import node_lines, utilisation

NODES = (NodeUse("10.0.0.1", 4, 40, 36.0, 30.0), NodeUse("a-much-longer-name", 8, 3, 8.0, 7.0))


def test_several_nodes_are_a_table_and_one_is_none() -> None:
    lines = node_lines(NODES, 10.0)
    assert [line.split()[:5] for line in lines] == [
        ["node", "slots", "jobs", "busy", "cpu"],
        ["10.0.0.1", "4", "40", "90%", "█████████"],
        ["a-much-longer-name", "8", "3", "10%", "█"],
    ]
    assert len({len(line) for line in lines}) == 1
    assert node_lines(NODES[:1], 10.0) == []
    assert node_lines((), 10.0) == []


@pytest.mark.parametrize(("busy", "expected"), [(0.0, 0.0), (20.0, 0.5), (400.0, 1.0)])
def test_utilisation_is_of_slots_times_seconds(busy: float, expected: float) -> None:
    assert utilisation(NodeUse("n", 4, 1, busy, 0.0), 10.0) == expected


def test_a_hostile_name_is_shown_not_obeyed() -> None:
    lines = node_lines((NodeUse("\x1b[31mevil", 1, 0, 0.0, 0.0), NODES[0]), 1.0)
    assert all(line.isprintable() for line in lines)
