import subprocess
import sys

import pytest
import rclpy
from rclpy.context import Context

from robot_learning.core.errors import ConfigurationError
from robot_learning.ros.common.node_base import check_environment, declare_parameters
from robot_learning.ros.common.parameters import NODE_PARAMETERS, ParameterSpec
from robot_learning.ros.common.stop import Stop

SPECS = (
    ParameterSpec("speed", 1.0, "a number", minimum=0.0, maximum=10.0),
    ParameterSpec("count", 3, "a whole number", minimum=0, read_only=False),
    ParameterSpec("kind", "one", "a text", choices=("one", "two")),
    ParameterSpec("names", ["all"], "a list"),
    ParameterSpec("flag", False, "a switch"),
)


@pytest.fixture
def declare(worker_domain):
    context = Context()
    nodes = []

    def one(*assignments):
        arguments = ["--ros-args"]
        for assignment in assignments:
            arguments += ["-p", assignment]
        rclpy.init(args=arguments, context=context, domain_id=worker_domain)
        nodes.append(rclpy.create_node("a_node", context=context))
        return nodes[0], declare_parameters(nodes[0], SPECS)

    yield one
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_defaults_hold_where_nothing_is_given(declare):
    _, values = declare()
    assert values == {"speed": 1.0, "count": 3, "kind": "one", "names": ["all"], "flag": False}


def test_what_people_type_is_understood(declare):
    node, values = declare("speed:=2", "names:=front", "count:=5", "kind:=two", "flag:=true")
    assert values == {"speed": 2.0, "count": 5, "kind": "two", "names": ["front"], "flag": True}
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
    ],
)
def test_a_wrong_value_names_parameter_and_what_is_valid(declare, assignment, text):
    with pytest.raises(ConfigurationError, match=text):
        declare(assignment)


@pytest.mark.parametrize("domain", ["-1", "233", "1.5", "one"])
def test_a_wrong_domain_is_refused(monkeypatch, domain):
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    with pytest.raises(ConfigurationError, match="from 0 to 232"):
        check_environment()


@pytest.mark.parametrize("domain", ["", "0", "232"])
def test_a_right_domain_is_taken(monkeypatch, domain):
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    check_environment()


def test_the_first_exit_code_counts():
    stop = Stop()
    stop.set(3)
    stop.set(0)
    assert stop.is_set
    assert stop.exit_code == 3


def test_every_parameter_is_described_and_its_default_valid(declare):
    node, _ = declare()
    for specs in NODE_PARAMETERS.values():
        assert all(spec.description for spec in specs)
        names = [spec.name for spec in specs]
        assert len(set(names)) == len(names)
        declare_parameters(node, [spec for spec in specs if not node.has_parameter(spec.name)])


def test_a_middleware_that_does_not_come_back_cannot_keep_the_process():
    program = """
import os, signal, time
from robot_learning.ros.common.stop import Stop
stop = Stop()
stop.end_limit_s = 0.2
stop.install()
stop.begin()
os.kill(os.getpid(), signal.SIGINT)
while True:
    time.sleep(1)
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert ended.returncode == 1
    assert b"most recent call first" in ended.stderr
