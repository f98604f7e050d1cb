"""What each machine of a run did, as a small table of text."""

from __future__ import annotations

from collections.abc import Sequence

from automl.execution.protocol import NodeUse
from automl.report.text import bar, duration, plain


def utilisation(node: NodeUse, seconds: float) -> float:
    """Share of the node's slots x the run's seconds in which they had a job, 0 to 1."""
    return min(1.0, node.busy_seconds / max(1e-9, node.slots * seconds))


def node_lines(nodes: Sequence[NodeUse], seconds: float) -> list[str]:
    """A heading and one line for each node; nothing for a single one, whose share `RunFinished.busy` tells.

    seconds: that the run took.
    """
    if len(nodes) < 2:
        return []
    width = max(len("node"), *(len(plain(node.name, 40)) for node in nodes))
    lines = [f"{'node':<{width}}  slots  jobs  {'busy':<16}  {'cpu':>8}"]
    for node in nodes:
        share = utilisation(node, seconds)
        busy = f"{share:4.0%}  {bar(share, 1.0):<10}"
        lines.append(
            f"{plain(node.name, 40):<{width}}  {node.slots:>5}  {node.jobs:>4}  {busy}  {duration(node.cpu_seconds):>8}"
        )
    return lines
