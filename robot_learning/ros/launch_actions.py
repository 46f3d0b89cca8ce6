"""Carries a plan of `robot_learning.bringup` out with ROS 2's own launch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue as TypedValue

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from robot_learning.bringup.plan import (
    LaunchGroup,
    NodeSpec,
    OnExit,
    ParameterValue,
    node_arguments,
)
from robot_learning.core.errors import RobotLearningError


def launch_description(group: LaunchGroup[Any]) -> LaunchDescription:
    """The launch description of a group: its arguments, then whatever its plan says."""
    declared = [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for argument in group.arguments
    ]

    named: set[str] = set()

    def note(context: LaunchContext) -> None:
        # Once they are declared, a default is like what was given: it would change a resumed run.
        named.update(context.launch_configurations)

    def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
        given = {
            argument.name: LaunchConfiguration(argument.name).perform(context)
            for argument in group.arguments
            if argument.name in named
        }
        plan = group.resolve(given)
        environment = [
            SetEnvironmentVariable(name, value)
            for name, value in plan.environment.items()
            if name not in os.environ
        ]
        return [*environment, *(_action(node) for node in plan.nodes)]

    first = OpaqueFunction(function=note)
    return LaunchDescription([first, *declared, OpaqueFunction(function=start)])


def _action(node: NodeSpec) -> Node:
    def ended(context: LaunchContext) -> list[Shutdown]:
        code = context.locals.event.returncode
        if code == 0 and node.on_exit is OnExit.KEEP:
            return []
        if context.is_shutdown or (code == 0 and node.on_exit is OnExit.FINISH):
            return [Shutdown(reason=f"{node.name} has finished")]
        # An exception is what makes launch itself end with a non-zero exit code.
        raise RobotLearningError(f"{node.name} ended with exit code {code}; ending everything")

    if node.hosted:
        # Named, it would give its name to every node in it.
        return Node(
            package="robot_learning",
            executable=node.executable,
            arguments=list(node_arguments(node)),
            output="screen",
            emulate_tty=not node.owns_terminal,
            on_exit=[OpaqueFunction(function=ended)],
        )
    return Node(
        package="robot_learning",
        executable=node.executable,
        name=node.name,
        namespace=node.namespace,
        parameters=[
            str(entry)
            if isinstance(entry, Path)
            else {name: _typed(value) for name, value in entry.items()}
            for entry in node.parameters
        ],
        remappings=list(node.remappings.items()),
        arguments=["--ros-args", "--log-level", node.log_level],
        output="screen",
        # A node that draws on the terminal must see that this is none.
        emulate_tty=not node.owns_terminal,
        on_exit=[OpaqueFunction(function=ended)],
    )


def _typed(value: ParameterValue) -> ParameterValue | TypedValue:
    """Launch would read a text as YAML, and make an operator named "no" a flag."""
    return TypedValue(value, value_type=str) if isinstance(value, str) else value
