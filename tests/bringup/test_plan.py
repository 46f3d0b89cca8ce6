import importlib.metadata
from pathlib import Path

import pytest

from robot_learning.bringup.groups import GROUPS
from robot_learning.bringup.plan import NodeSpec, OnExit, middleware_environment, node_arguments
from robot_learning.core.errors import ConfigurationError

SIM, DEMO = GROUPS["sim"], GROUPS["demo"]


def parameters(plan, executable="robot_node"):
    (node,) = [node for node in plan.specs.values() if node.executable == executable]
    return next(entry for entry in node.parameters if isinstance(entry, dict))


def test_arguments_become_parameters_of_the_right_type():
    plan = SIM.resolve(
        {"robot": "bench_arm", "task": "push", "seed": "7", "cameras": "front, wrist"}
    )
    found = parameters(plan)
    assert (found["robot"], found["task"], found["seed"]) == ("bench_arm", "push", 7)
    assert found["cameras"] == ["front", "wrist"]
    assert found["sim_speed"] == 1.0
    assert found["headless"] is True


@pytest.mark.parametrize(
    ("speed", "use_sim_time", "expected"),
    [("1", "auto", False), ("0", "auto", True), ("2.5", "auto", True), ("1", "true", True)],
)
def test_simulated_time_is_used_where_it_has_to_be(speed, use_sim_time, expected):
    plan = SIM.resolve({"sim_speed": speed, "use_sim_time": use_sim_time})
    assert parameters(plan)["publish_clock"] is expected


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"robt": "desk_arm"}, "unknown argument of 'sim' 'robt'; did you mean 'robot'"),
        ({"robot": "desk"}, "unknown robot 'desk'"),
        ({"headless": "maybe"}, "valid: auto, false, true"),
        ({"sim_speed": "fast"}, "expected a number"),
        ({"seed": "1.5"}, "expected a whole number"),
        ({"sim_speed": "0", "use_sim_time": "false"}, "needs use_sim_time:=true"),
        ({"params_file": "/nowhere.yaml"}, "no such file"),
    ],
)
def test_a_wrong_argument_says_what_is_valid(given, text):
    with pytest.raises(ConfigurationError, match=text):
        SIM.resolve(given)


def test_a_users_file_comes_last_so_that_it_wins(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("/**: {ros__parameters: {seed: 3}}")
    (node,) = SIM.resolve({"params_file": str(file)}).nodes
    assert node.parameters[-1] == file
    assert list(node_arguments(node))[-4:-2] == ["--params-file", str(file)]


def test_a_nodes_arguments_say_what_its_spec_says(tmp_path):
    spec = NodeSpec(
        "some_node",
        "one",
        namespace="left",
        parameters=({"text": "1", "flag": True, "names": ["a"]}, tmp_path / "x.yaml"),
        remappings={"joint_command": "teleop/command"},
    )
    text = " ".join(node_arguments(spec))
    assert text == (
        "--ros-args -r __node:=one -r __ns:=/left -r joint_command:=teleop/command "
        f'-p text:="1" -p flag:=true -p names:=["a"] --params-file {tmp_path}/x.yaml '
        "--log-level info"
    )


def test_the_demonstration_ends_with_its_monitor_and_goes_on_without_its_expert():
    ends = {node.executable: node.on_exit for node in DEMO.resolve({}).specs.values()}
    assert ends == {
        "robot_node": OnExit.FAIL,
        "arbiter_node": OnExit.FAIL,
        "expert_node": OnExit.KEEP,
        "demo_node": OnExit.FINISH,
    }


def test_in_the_demonstration_only_the_arbiter_commands_the_robot():
    nodes = {node.executable: node for node in DEMO.resolve({}).specs.values()}
    assert nodes["expert_node"].remappings == {"joint_command": "teleop/command"}
    assert parameters(DEMO.resolve({}), "arbiter_node")["autostart"] is True


def test_without_a_video_no_camera_is_rendered():
    assert parameters(DEMO.resolve({"video": ""}))["cameras"] == ["none"]
    assert parameters(DEMO.resolve({"camera": "wrist"}))["cameras"] == ["wrist"]


@pytest.mark.parametrize(
    ("distribution", "variable"),
    [("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"), ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE")],
)
def test_images_fit_the_shared_memory_of_the_middleware(monkeypatch, distribution, variable):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    monkeypatch.delenv(variable, raising=False)
    environment = middleware_environment()
    assert list(environment) == [variable]
    text = Path(environment[variable]).read_text(encoding="utf-8")
    assert "<segment_size>33554432</segment_size>" in text
    monkeypatch.setenv(variable, "/etc/of_their_own.xml")
    assert middleware_environment() == {variable: "/etc/of_their_own.xml"}


@pytest.mark.parametrize(
    ("version", "variable"),
    [
        ("7.1.5", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("9.1.2", "FASTDDS_DEFAULT_PROFILES_FILE"),
        (None, "FASTDDS_DEFAULT_PROFILES_FILE"),
    ],
)
def test_wheels_tell_their_distribution_by_their_version(monkeypatch, version, variable):
    def installed(name):
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.delenv("ROS_DISTRO", raising=False)
    monkeypatch.setattr(importlib.metadata, "version", installed)
    assert list(middleware_environment()) == [variable]
