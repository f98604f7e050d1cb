"""Space files say what may be searched; a mistake in one is named with its file and its knob."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl.contract import Choice, Float, Int, ModelPlugin, SearchSpace, SpaceError, Start
from automl.discovery import Registry, parse_space, read_space, space_of

GOOD = """
[rate]
kind = "float"
low = 0.01
high = 0.5
log = true
default = 0.1
default_for = { regression = 0.05 }

[depth]
kind = "int"
low = 2
high = 10
default = 6

[grow]
kind = "choice"
options = ["leaf", "level", true, 3]
default = "leaf"

[leaves]
kind = "int"
low = 4
high = 64
step = 4
default = 32
when = { grow = ["leaf", "level"] }

[[start]]
id = "small"
params = { depth = 3, rate = 0.2 }
regime = { rows = [0, 1000] }
source = "a paper"

[[start]]
id = "numbers"
params = { depth = 8 }
regime = { tasks = ["regression"] }
"""


def test_a_file_becomes_knobs_defaults_and_start_points() -> None:
    space = parse_space(GOOD)
    assert space.knobs["rate"] == Float(0.01, 0.5, log=True)
    assert space.knobs["depth"] == Int(2, 10)
    assert space.knobs["grow"] == Choice(("leaf", "level", True, 3))
    assert space.default == {"rate": 0.1, "depth": 6, "grow": "leaf", "leaves": 32}
    assert [start.id for start in space.starts] == ["small", "numbers"]
    assert space.starts[0].source == "a paper"


def test_a_task_may_have_a_default_of_its_own() -> None:
    space = parse_space(GOOD)
    assert space.point("regression")["rate"] == 0.05
    assert space.point("binary")["rate"] == 0.1
    assert space.point("regression", {"rate": 0.3})["rate"] == 0.3


def test_start_points_apply_by_size_and_task() -> None:
    space = parse_space(GOOD)
    assert [p["depth"] for p in space.portfolio("binary", 500)] == [6, 3]
    assert [p["depth"] for p in space.portfolio("binary", 5000)] == [6]
    assert [p["depth"] for p in space.portfolio("regression", 5000)] == [6, 8]


def test_start_points_apply_by_what_the_task_learnt() -> None:
    regime = "{ facts = { skew = [1.0, 1e9], low = [0, 10] } }"
    space = parse_space(GOOD + f'\n[[start]]\nid = "skewed"\nparams = {{ depth = 9 }}\nregime = {regime}\n')
    depths = [
        [p["depth"] for p in space.portfolio("binary", 5000, facts)]
        for facts in ({"skew": 2.0, "low": 0.0}, {"skew": 0.5, "low": 0.0}, {"skew": 2.0}, None)
    ]
    assert depths == [[6, 9], [6], [6], [6]]


def test_a_start_point_may_be_the_default_where_it_applies() -> None:
    start = '\n[[start]]\nid = "slow"\ndefault = true\nparams = { rate = 0.01 }\nregime = { rows = [100, 1000] }\n'
    space = parse_space(GOOD + start)
    assert space.suited("regression", 50).portfolio("regression", 50)[0]["rate"] == 0.05
    moved = space.suited("regression", 500)
    assert [p["rate"] for p in moved.portfolio("regression", 500)] == [0.01, 0.2, 0.01]
    assert moved.point("regression", {"rate": 0.3})["rate"] == 0.3
    with pytest.raises(SpaceError, match="default is true or false"):
        parse_space(GOOD + start.replace("true", "1"))


@pytest.mark.parametrize(
    ("regime", "said"),
    [
        ("{ rows = [5, 1] }", r"'x': rows is \[5, 1\], not \[low, high\]"),
        ("{ facts = { skew = 3 } }", r"skew is 3, not \[low, high\]"),
        ("{ facts = [1, 2] }", "not a table of ranges"),
        ('{ tasks = "binary" }', "not a list of names"),
        ("{ colour = [1, 2] }", "it may say rows, tasks and facts"),
    ],
)
def test_a_regime_that_means_nothing_is_named(regime: str, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        parse_space(GOOD + f'\n[[start]]\nid = "x"\nparams = {{ depth = 9 }}\nregime = {regime}\n', "file")


def test_a_knob_with_a_regime_keeps_its_default_in_problems_that_it_does_not_suit() -> None:
    knob = '[bend]\nkind = "choice"\noptions = [1, 2]\ndefault = 1\nregime = { facts = { skew = [1.0, 1e9] } }\n'
    start = '\n[[start]]\nid = "bent"\nparams = { bend = 2 }\n'
    space = parse_space(knob + GOOD + start)
    assert "bend" not in space.suited("binary", 500, {}).knobs
    assert [(p["depth"], p["bend"]) for p in space.suited("binary", 500).portfolio("binary", 500)] == [(6, 1), (3, 1)]
    skewed = space.suited("binary", 500, {"skew": 2.0})
    assert [p["bend"] for p in skewed.portfolio("binary", 500)] == [1, 1, 2]
    with pytest.raises(SpaceError, match=r"knob 'bend': skew is 3, not \[low, high\]"):
        parse_space(knob.replace("[1.0, 1e9]", "3"))


def test_a_knob_exists_only_where_the_other_has_one_of_the_values() -> None:
    space = parse_space(GOOD)
    assert space.active("leaves", {"grow": "leaf"})
    assert not space.active("leaves", {"grow": 3})
    assert space.active("depth", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[rate\n", "not valid TOML"),
        ("rate = 3", "'rate' is not a table"),
        ('[rate]\nkind = "float"\nlow = 0\nhigh = 1', "no default"),
        ('[rate]\nkind = "float"\nlow = 0\nhigh = 1\ndefault = 0.5\nmaximum = 2', "maximum"),
        ('[rate]\nkind = "float"\nlow = 0\ndefault = 0.5', "'high'"),
        ('[rate]\nkind = "real"\ndefault = 0.5', "'real'"),
        ('[rate]\nkind = "float"\nlow = 0\nhigh = 1\ndefault = 2.0', "'rate'"),
        ('[rate]\nkind = "float"\nlow = 0\nhigh = 1\nlog = true\ndefault = 0.5', "logarithmic"),
        ('[rate]\nkind = "int"\nlow = 9\nhigh = 1\ndefault = 5', "above high"),
        ('[rate]\nkind = "choice"\noptions = []\ndefault = 5', "no options"),
        ('[rate]\nkind = "choice"\noptions = [1]\ndefault = true', "'rate'"),
        ('[rate]\nkind = "int"\nlow = 1\nhigh = 9\ndefault = 5\nwhen = { other = 1 }', "other"),
        ('[rate]\nkind = "int"\nlow = 1\nhigh = 9\ndefault = 5\ndefault_for = { binary = 99 }', "[rate]"),
        ('[rate]\nkind = "int"\nlow = "a"\nhigh = 9\ndefault = 5', "[rate] has low"),
        ('[rate]\nkind = "int"\nlow = 1\nhigh = 9\nstep = 2\ndefault = 4', "'rate'"),
        ('[rate]\nkind = "float"\nlow = 0\nhigh = 1\nstep = 0.25\ndefault = 0.3', "'rate'"),
        ('[rate]\nkind = "int"\nlow = 1\nhigh = 9\nstep = 2\nlog = true\ndefault = 1', "only one of the two"),
        ('[rate]\nkind = "float"\nlow = 1\nhigh = 9\nstep = 0\ndefault = 1', "must be above 0"),
        ("[[start]]\nid = 's'\nparams = { speed = 1 }", "'speed'"),
    ],
)
def test_a_mistake_names_the_file_and_the_knob(text: str, said: str) -> None:
    with pytest.raises(SpaceError, match=r"here\.toml") as caught:
        parse_space(text, "here.toml")
    assert said in str(caught.value)


def test_a_start_point_outside_its_range_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"here\.toml: start 'small' sets depth = 33"):
        parse_space(GOOD.replace("depth = 3", "depth = 33"), "here.toml")


def test_two_start_points_may_not_share_an_id() -> None:
    with pytest.raises(SpaceError, match="share an id"):
        parse_space(GOOD.replace('id = "numbers"', 'id = "small"'))


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD, encoding="utf-8")
    assert read_space(file) == parse_space(GOOD)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"knobs": {"a": (1, 5)}}, r"knob 'a' is \(1, 5\), which is no knob: write Int\(1, 5\)"),
        ({"knobs": {"a": (0.1, 5)}}, r"write Float\(0.1, 5\)"),
        ({"knobs": {"a": ["x", "y", "z"]}}, r"write Choice\(\('x', 'y', 'z'\)\)"),
        ({"knobs": {"a": 3}}, r"write Float\(low, high\), Int\(low, high\) or Choice"),
        (
            {"default": {"neighbours": 3}, "knobs": {"neighbors": Int(1, 9)}},
            r"'neighbors' has no default.*'neighbours'",
        ),
        ({"default": {}}, "knob 'depth' has no default; give it one"),
        ({"starts": (Start("x", {"dept": 3}),)}, "start 'x' sets 'dept', which is no knob; did you mean 'depth'"),
        ({"starts": (Start("x", {"colour": 3}),)}, r"which is no knob; it has \['depth'\]"),
        ({"starts": (Start("x", {"depth": 99}),)}, "start 'x' sets depth = 99, outside Int"),
        ({"starts": Start("x", {"depth": 9})}, "write a tuple"),
        ({"starts": ({"depth": 9},)}, "write a tuple"),
        ({"default_for": {"binary": {"dept": 3}}}, r"default_for\['binary'\] sets 'dept'.*'depth'"),
        ({"default_for": {"binary": {"depth": 99}}}, r"default_for\['binary'\] sets depth = 99, outside"),
        ({"default_for": {"binary": 99}}, r"default_for\['binary'\] is 99; it must map"),
    ],
)
def test_a_mistake_in_a_space_that_is_written_in_python_says_what_to_write(fields: Any, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        SearchSpace(**{"knobs": {"depth": Int(1, 9)}, "default": {"depth": 3}, **fields})


def test_a_models_own_space_comes_before_the_shipped_file() -> None:
    own = SearchSpace({"a": Int(0, 3)}, {"a": 1})
    shipped = Registry.installed([]).models.load("lightgbm")
    assert space_of(type("Own", (shipped,), {"space": own}), "tabular") is own
    assert space_of(shipped, "tabular").knobs


def test_a_model_without_any_space_has_an_empty_one() -> None:
    class Plain(ModelPlugin):
        name = "of-no-file"

        def fit(self, train: object, valid: object, ctx: object) -> None:
            return None

        def predict(self, request: object) -> Any:
            return []

    assert space_of(Plain, "tabular") == SearchSpace()
    assert space_of(Plain, "no-such-family") == SearchSpace()
