"""What is started together, as plain data: arguments, nodes with their parameters, environment.

Both `launch/*.launch.py` (under ROS 2's launch) and `robot-learning up` (without it) carry out
the plans that are made here, so that the two cannot differ.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from robot_learning.core.decoding import mistakes
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.options.option import nested, options_of
from robot_learning.core.options.texts import from_texts, text_choices, text_of
from robot_learning.core.resources import share_directory
from robot_learning.nodes.catalog import NODE_SETTINGS

ParameterValue = bool | int | float | str | list[str]
Parameters = Mapping[str, ParameterValue] | Path
ArgumentsT = TypeVar("ArgumentsT")

RCLPY_OF_KILTED = 9


class OnExit(Enum):
    """What the end of a node means for the others."""

    KEEP = "keep"
    """The others go on if it ended well; otherwise as FAIL."""
    FAIL = "fail"
    """A required node: everything is taken down, and that is a failure."""
    FINISH = "finish"
    """The work is done: everything is taken down, with this node's exit code."""


@dataclass(frozen=True, slots=True)
class LaunchArgument:
    """One argument of a group of nodes, as text: `name:=value`.

    Attributes:
        name: name of the argument.
        default: text of its default.
        description: meaning of the argument, with its unit.
        choices: valid texts; empty where any text may be valid.
    """

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node: an executable of this package and what it is given.

    Attributes:
        executable: the module in `robot_learning.ros` and the name for `ros2 run`.
        name: name of the node, as in the ROS graph.
        namespace: namespace of the node; empty for the root.
        parameters: values by name and YAML files; where they differ, the later one wins.
        remappings: topic or service -> its new name.
        log_level: lowest severity to log: debug, info, warn, error or fatal.
        on_exit: what the end of the node means for the others.
        owns_terminal: whether its output is shown as it is, without the node's name.
        hosted: nodes that run in this one process, in lockstep; the process has no node of its
            own then. Empty for an ordinary node.
    """

    executable: str
    name: str
    namespace: str = ""
    parameters: tuple[Parameters, ...] = ()
    remappings: Mapping[str, str] = field(default_factory=dict)
    log_level: str = "info"
    on_exit: OnExit = OnExit.FAIL
    owns_terminal: bool = False
    hosted: tuple[NodeSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """The nodes to start, and environment variables to set where they are not set yet."""

    nodes: tuple[NodeSpec, ...]
    environment: Mapping[str, str]

    @property
    def specs(self) -> Mapping[str, NodeSpec]:
        """The spec of each node by its name, whichever process it runs in."""
        return {each.name: each for node in self.nodes for each in node.hosted or (node,)}


@dataclass(frozen=True)
class LaunchGroup(Generic[ArgumentsT]):
    """A group of nodes that one command starts.

    Attributes:
        name: name of the group.
        description: what the group consists of.
        settings: class of the group's arguments.
        plan: makes the plan for given arguments.
        earlier: finds the arguments, as texts, that the run to be resumed was last started with;
            None where nothing is resumed.
    """

    name: str
    description: str
    settings: type[ArgumentsT]
    plan: Callable[[ArgumentsT], LaunchPlan]
    earlier: Callable[[ArgumentsT], Mapping[str, str]] | None = None

    @property
    def arguments(self) -> tuple[LaunchArgument, ...]:
        """The arguments as texts, in the order of the class."""
        return tuple(
            LaunchArgument(
                option.name,
                text_of(option, option.default),
                option.description,
                text_choices(option),
            )
            for option in options_of(self.settings)
        )

    def resolve(self, given: Mapping[str, str]) -> LaunchPlan:
        """The plan for the arguments given.

        The others are those of the run that is resumed, or take their defaults.

        Raises:
            ConfigurationError: an unknown argument, or a wrong value; lists what is valid.
        """
        known = {argument.name: argument for argument in self.arguments}
        for name, text in given.items():
            if name not in known:
                raise ConfigurationError(unknown_choice(f"argument of '{self.name}'", name, known))
            choices = known[name].choices
            if choices and text and text not in choices:
                raise ConfigurationError(f"{name}: {unknown_choice('value', text, choices)}")
        arguments = from_texts(self.settings, given)
        if self.earlier is not None:
            # An earlier version may have had arguments that are gone.
            kept = {n: text for n, text in self.earlier(arguments).items() if n in known}
            arguments = from_texts(self.settings, {**kept, **given})
        return self.plan(arguments)


def resume_command(command: str, arguments: object, without: Collection[str] = ()) -> str:
    """The command that resumes a run: the same arguments, with `--resume`.

    Args:
        command: subcommand of `robot-learning`.
        arguments: arguments of the group that the command starts; defaults are not repeated.
        without: names of arguments that are left out.
    """
    given = [
        f"{option.name}:={text_of(option, getattr(arguments, option.name))}"
        for option in options_of(type(arguments))
        if getattr(arguments, option.name) != option.default
        and option.name not in ("resume", *without)
    ]
    return shlex.join(["robot-learning", command, "--resume", *given])


def node_parameters(executable: str, values: Mapping[str, Any]) -> dict[str, ParameterValue]:
    """Settings of a node as parameters of a plan; a setting of None is left out.

    Args:
        executable: name of the node's executable.
        values: settings of the node, by their full names.

    Raises:
        ConfigurationError: a value that the node would refuse, by name.
    """
    kind = NODE_SETTINGS[executable]
    given = {name: value for name, value in values.items() if value is not None}
    for mistake in mistakes(nested(given), kind):
        raise ConfigurationError(f"{executable}: {mistake}")
    return {name: list(v) if isinstance(v, tuple) else v for name, v in given.items()}


def shipped_parameters(name: str) -> Path:
    """A YAML file of parameters that ships with the package."""
    return share_directory() / "launch" / "config" / f"{name}.yaml"


def user_parameters(path: str | None) -> tuple[Path, ...]:
    """The user's own YAML file, if one was given.

    Raises:
        ConfigurationError: it is not there.
    """
    if path and not Path(path).is_file():
        raise ConfigurationError(f"params_file: no such file: {path}")
    return (Path(path),) if path else ()


def middleware_environment() -> dict[str, str]:
    """Fast DDS with a shared-memory segment that is large enough for images.

    With the default segment half of the raw 640x480 frames are lost. Other middleware ignores
    the variable. It has a new name since Kilted, which warns about the old one. A profile that
    the user has set wins.
    """
    variable = f"{'FASTRTPS' if _older_than_kilted() else 'FASTDDS'}_DEFAULT_PROFILES_FILE"
    profile = share_directory() / "launch" / "config" / "fastdds.xml"
    return {variable: os.environ.get(variable) or str(profile)}


def _older_than_kilted() -> bool:
    distribution = os.environ.get("ROS_DISTRO", "")
    if distribution:
        return distribution in ("humble", "iron", "jazzy")
    # Wheels have no setup.bash that would set it. Imported here, as the import takes a tenth of the
    # time in which `--help` answers.
    import importlib.metadata

    try:
        major = importlib.metadata.version("rclpy").split(".")[0]
    except importlib.metadata.PackageNotFoundError:
        return False
    return major.isdigit() and int(major) < RCLPY_OF_KILTED


def node_arguments(node: NodeSpec) -> Sequence[str]:
    """The command line, mostly `--ros-args`, that gives an executable what its spec says."""
    if node.hosted:
        return ["--graph", specs_to_json(node.hosted)]
    arguments = ["--ros-args", "-r", f"__node:={node.name}"]
    if node.namespace:
        arguments += ["-r", f"__ns:=/{node.namespace.strip('/')}"]
    for topic, target in node.remappings.items():
        arguments += ["-r", f"{topic}:={target}"]
    for entry in node.parameters:
        if isinstance(entry, Path):
            arguments += ["--params-file", str(entry)]
        else:
            for name, value in entry.items():
                arguments += ["-p", f"{name}:={_yaml(value)}"]
    return [*arguments, "--log-level", node.log_level]


def _yaml(value: ParameterValue) -> str:
    # JSON is YAML, and unlike a bare word it cannot turn a text such as "1" into a number.
    return json.dumps(value)


def specs_to_json(specs: Sequence[NodeSpec]) -> str:
    """Node specs as one text, for a command line."""
    return json.dumps([_plain(spec) for spec in specs])


def specs_from_json(text: str) -> tuple[NodeSpec, ...]:
    """What `specs_to_json` wrote.

    Raises:
        ConfigurationError: the text is not a list of node specs.
    """
    try:
        return tuple(_spec(plain) for plain in json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"--graph: expected a list of node specs: {error!r}") from error


def _plain(spec: NodeSpec) -> dict[str, Any]:
    parameters = [
        str(entry) if isinstance(entry, Path) else dict(entry) for entry in spec.parameters
    ]
    return {
        "executable": spec.executable,
        "name": spec.name,
        "namespace": spec.namespace,
        "parameters": parameters,
        "remappings": dict(spec.remappings),
        "log_level": spec.log_level,
        "on_exit": spec.on_exit.value,
    }


def _spec(plain: dict[str, Any]) -> NodeSpec:
    parameters = tuple(
        Path(entry) if isinstance(entry, str) else dict(entry) for entry in plain["parameters"]
    )
    return NodeSpec(**{**plain, "parameters": parameters, "on_exit": OnExit(plain["on_exit"])})
