"""A search space that is sound, and one that breaks each rule: `BAD` maps the check that must catch it to it."""

from __future__ import annotations

from typing import Any

from automl.contract import Choice, Float, Int, Knob, SearchSpace, Start

KNOBS: dict[str, Knob] = {
    "booster": Choice(("tree", "line")),
    "depth": Int(1, 9, when={"booster": "tree"}),
    "rate": Float(0.01, 1.0),
}
DEFAULT = {"booster": "tree", "depth": 3, "rate": 0.1}

GOOD = SearchSpace(
    KNOBS, DEFAULT, {"some-task": {"rate": 0.2}}, (Start("deep", {"depth": 9}, {"rows": [0, 1000], "tasks": ["a"]}),)
)


def forced(**fields: Any) -> SearchSpace:
    """A space that its constructor would refuse, as one that came about in another way."""
    space = object.__new__(SearchSpace)
    for name, value in {"knobs": KNOBS, "default": DEFAULT, "default_for": {}, "starts": (), **fields}.items():
        object.__setattr__(space, name, value)
    return space


BAD: dict[str, Any] = {
    "it_can_be_read": {"rate": 0.1},
    "every_knob_has_a_default_inside_its_range": forced(default_for={"some-task": {"rate": 7.0}}),
    "every_start_point_lies_inside": forced(starts=(Start("deep", {"depht": 9}),)),
    "start_points_have_a_name_and_a_regime_that_means_something": SearchSpace(
        KNOBS, DEFAULT, starts=(Start("deep", {"depth": 9}, {"row": [0, 1000]}),)
    ),
    "everything_in_it_is_json": SearchSpace({"shape": Choice(((1, 2), (3, 4)))}, {"shape": (1, 2)}),
    "every_condition_can_hold": SearchSpace({**KNOBS, "depth": Int(1, 9, when={"booster": "forest"})}, DEFAULT),
}
