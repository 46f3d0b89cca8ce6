"""Settings as ROS parameters: declared, read, changed, and taken back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
import rclpy
from msgspec import Meta
from rclpy.context import Context
from rclpy.exceptions import ParameterUninitializedException
from rclpy.parameter import Parameter

from robot_learning.core import decoding
from robot_learning.core.decoding import mistakes
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.option import LIVE, options_of
from robot_learning.nodes.catalog import NODE_SETTINGS
from robot_learning.ros.common.parameters import (
    changed_settings,
    current_setting,
    current_settings,
    declare_settings,
    live_parameters,
)


@dataclass(frozen=True, kw_only=True)
class Group:
    depth: Annotated[float, Meta(gt=0, description="a number"), LIVE] | None = None
    label: Annotated[str, Meta(description="a text"), LIVE] | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    speed: Annotated[float, Meta(ge=0, le=10, description="a number")] = 1.0
    count: Annotated[int, Meta(ge=0, description="a whole number"), LIVE] = 3
    kind: Annotated[Literal["one", "two"], Meta(description="a text")] = "one"
    names: Annotated[tuple[str, ...], Meta(description="a list")] = ("all",)
    flag: Annotated[bool, Meta(description="a switch")] = False
    rate: Annotated[float, Meta(gt=0, description="a number")] | None = None
    group: Group = field(default_factory=Group)


@pytest.fixture
def declare(worker_domain):
    context = Context()
    nodes = []

    def one(*assignments, settings=Settings, on_change=None):
        arguments = ["--ros-args"]
        for assignment in assignments:
            arguments += ["-p", assignment]
        if not context.ok():
            rclpy.init(args=arguments, context=context, domain_id=worker_domain)
        nodes.append(rclpy.create_node(f"node_{len(nodes)}", context=context))
        return nodes[-1], declare_settings(nodes[-1], settings, on_change)

    yield one
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_defaults_hold_where_nothing_is_given(declare):
    node, settings = declare()
    assert settings == Settings()
    with pytest.raises(ParameterUninitializedException):
        node.get_parameter("rate")
    assert node.describe_parameter("rate").type == Parameter.Type.DOUBLE.value


def test_what_people_type_is_understood(declare):
    node, settings = declare(
        *("speed:=2", "names:=front", "count:=5", "kind:=two", "flag:=true", "rate:=4"),
        "group.label:=''",
    )
    assert settings == Settings(
        speed=2.0, count=5, kind="two", names=("front",), flag=True, rate=4.0
    )
    assert node.get_parameter("speed").value == 2.0


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ("speed:=fast", "parameter 'speed': expected a number, found 'fast'"),
        ("speed:=11.0", "at least 0 and at most 10, found 11"),
        ("count:=-1", "expected at least 0, found -1"),
        ("count:=1.5", "expected a whole number"),
        ("count:=true", "expected a whole number, found True"),
        ("kind:=tow", "did you mean 'two'"),
        ("flag:=1", "expected true or false"),
        ("rate:=0", "parameter 'rate': expected above 0, found 0"),
        ("group.depth:=deep", "parameter 'group.depth': expected a number, found 'deep'"),
    ],
)
def test_a_wrong_value_names_parameter_and_what_is_valid(declare, assignment, text):
    with pytest.raises(ConfigurationError, match=text):
        declare(assignment)


def test_a_live_setting_is_changed_and_taken_back(declare):
    node, before = declare()

    def change(name, value):
        (result,) = node.set_parameters([Parameter(name, value=value)])
        return result.successful, current_settings(node, Settings).group

    assert change("group.depth", 0.5) == (True, Group(depth=0.5))
    assert change("group.label", "deep") == (True, Group(depth=0.5, label="deep"))
    assert change("group.depth", -1.0) == (True, Group(label="deep"))
    assert change("group.label", "") == (True, Group())
    assert change("group.depth", 2.0) == (True, Group(depth=2.0))
    node.set_parameters(live_parameters(before))
    assert current_settings(node, Settings) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("group.depth", 0.0), ("group.depth", -0.5), ("group.depth", math.nan)),
        *(("count", -1), ("count", "many"), ("speed", 2.0)),
    ],
)
def test_a_change_to_what_is_not_valid_is_refused(declare, name, value):
    node, before = declare()
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert result.reason
    assert current_settings(node, Settings) == before


def test_what_would_be_after_a_change_is_known_beforehand(declare):
    node, before = declare("count:=4")
    after = changed_settings(node, Settings, [Parameter("count", value=6)])
    assert (before.count, after.count, current_settings(node, Settings).count) == (4, 6, 4)
    with pytest.raises(ConfigurationError, match="parameter 'count': expected at least 0"):
        changed_settings(node, Settings, [Parameter("count", value=-2)])


def test_a_node_takes_or_refuses_what_a_change_leaves_and_it_is_decoded_once(declare, monkeypatch):
    taken, checked = [], []

    def take(after):
        taken.append(after)
        if after.count > 10:
            raise ConfigurationError("count: not while it runs")

    node, _ = declare(on_change=take)
    monkeypatch.setattr(
        decoding, "mistakes", lambda *given: checked.append(given) or mistakes(*given)
    )
    (result,) = node.set_parameters([Parameter("count", value=6)])
    assert (result.successful, [each.count for each in taken], len(checked)) == (True, [6], 1)
    (result,) = node.set_parameters([Parameter("count", value=11)])
    assert (result.successful, result.reason) == (False, "count: not while it runs")
    (result,) = node.set_parameters([Parameter("count", value=-1)])
    assert not result.successful and len(taken) == 2, "what is wrong is not handed on"
    assert node.get_parameter("count").value == 6


@pytest.mark.parametrize("executable", NODE_SETTINGS)
def test_every_parameter_is_described_and_its_default_valid(declare, executable):
    kind = NODE_SETTINGS[executable]
    assert all(option.description for option in options_of(kind))
    names = [option.name for option in options_of(kind)]
    assert len(set(names)) == len(names)
    _, settings = declare(settings=kind)
    assert settings == kind()


def test_one_live_setting_is_read_as_all_of_them_are(declare):
    node, _ = declare("count:=4", "group.depth:=2.5")
    for changes in ((), (Parameter("count", value=7), Parameter("group.depth", value=-1.0))):
        if changes:
            assert all(each.successful for each in node.set_parameters(list(changes)))
        now = current_settings(node, Settings)
        assert current_setting(node, Settings, "count") == now.count
        assert current_setting(node, Settings, "group.depth") == now.group.depth
        assert current_setting(node, Settings, "group.label") is now.group.label is None
    assert (now.count, now.group.depth) == (7, None)
