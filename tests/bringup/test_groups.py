"""Whatever a plan or a shipped YAML file says is something that a node understands."""

from pathlib import Path

import pytest
import yaml

from robot_learning.bringup.groups import GROUPS
from robot_learning.core.decoding import mistakes
from robot_learning.core.options.option import nested, options_of
from robot_learning.core.resources import share_directory
from robot_learning.nodes.catalog import NODE_SETTINGS

LAUNCH = Path(__file__).parents[2] / "launch"
YAML_FILES = sorted(path for path in (LAUNCH / "config").glob("*.yaml"))


def check(executable, values):
    kinds = {each.name: each.kind for each in options_of(NODE_SETTINGS[executable])}
    for name, value in values.items():
        assert name in kinds, f"{executable} has no parameter '{name}'"
        assert type(value) is {tuple: list}.get(kinds[name], kinds[name]), f"{name}: {value!r}"
    assert not list(mistakes(nested(values), NODE_SETTINGS[executable]))


def yaml_parameters(path):
    ((_, values),) = yaml.safe_load(path.read_text()).items()
    assert list(values) == ["ros__parameters"]
    return values["ros__parameters"]


def yaml_node(path):
    """`/**/NODE` is for one node of several; `/**` for that which the file is called after."""
    (key,) = yaml.safe_load(path.read_text())
    assert key.startswith("/**"), "in any namespace"
    return key.removeprefix("/**").removeprefix("/") or path.stem


@pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.name)
def test_a_plan_sets_parameters_that_its_nodes_declare(group):
    for node in group.resolve({}).specs.values():
        for entry in node.parameters:
            values = yaml_parameters(entry) if isinstance(entry, Path) else entry
            check(node.executable, values)


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_a_shipped_yaml_file_is_of_a_node_and_fits_it(path):
    check(yaml_node(path), yaml_parameters(path))


@pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.name)
def test_a_group_has_a_launch_file_and_a_launch_file_has_a_group(group):
    assert (share_directory() / "launch" / f"{group.name}.launch.py").is_file()
    names = {path.name.removesuffix(".launch.py") for path in LAUNCH.glob("*.launch.py")}
    assert names == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.name)
def test_arguments_are_described_and_their_defaults_valid(group):
    for argument in group.arguments:
        assert argument.description
        assert not argument.choices or argument.default in argument.choices
