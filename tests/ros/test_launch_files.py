"""The launch files under ROS 2's own launch, where it is installed."""

from pathlib import Path

import pytest

from robot_learning.bringup.groups import GROUPS

launch = pytest.importorskip("launch.launch_description", reason="ROS 2's launch is not here")
launch_ros = pytest.importorskip("launch_ros.actions", reason="ROS 2's launch_ros is not here")

LAUNCH = Path(__file__).parents[2] / "launch"
FILES = sorted(LAUNCH.glob("*.launch.py"))


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def path(request):
    return request.param


def load(path):
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(path))
    from launch import LaunchContext

    context = LaunchContext()
    return context, source.get_launch_description(context)


def test_it_declares_the_arguments_of_its_group(path):
    group = GROUPS[path.name.removesuffix(".launch.py")]
    _, description = load(path)
    declared = {argument.name: argument for argument in description.get_launch_arguments()}
    assert set(declared) == {argument.name for argument in group.arguments}
    assert all(argument.description for argument in declared.values())


def test_it_starts_the_nodes_of_its_plan(path):
    group = GROUPS[path.name.removesuffix(".launch.py")]
    context, description = load(path)
    found = []
    for entity in description.entities:
        for action in entity.visit(context) or []:
            if isinstance(action, launch_ros.Node):
                found.append(action.node_executable)
    assert found == [node.executable for node in group.resolve({}).nodes]
