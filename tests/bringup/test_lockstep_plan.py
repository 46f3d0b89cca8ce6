"""Which groups are run in lockstep when, and how their nodes are handed over."""

from dataclasses import replace

import pytest
import yaml

from robot_learning.bringup.groups import GROUPS
from robot_learning.bringup.lockstep import EXECUTABLE
from robot_learning.bringup.plan import OnExit, node_arguments, specs_from_json
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.resources import find_robot
from robot_learning.ros.executables import lockstep as entry_point

SCRIPTED = {"device": "scripted"}
GIVEN = {"sim": {}, "demo": {}, "serve": {}, "teleop_record": SCRIPTED, "dagger": SCRIPTED}
BY_DEFAULT = {"demo", "teleop_record", "dagger"}
"""Groups with nobody whose time is the machine's."""


def names(plan):
    return [node.executable for node in plan.nodes]


_OF_A_RESUMED_RUN = ("resume_command", "launch_arguments")


def unresumed(node):
    """Without what a resumed run is given, which repeats the arguments, `lockstep` among them."""
    plain = [
        {name: value for name, value in entry.items() if name not in _OF_A_RESUMED_RUN}
        if isinstance(entry, dict)
        else entry
        for entry in node.parameters
    ]
    return replace(node, parameters=tuple(plain))


@pytest.fixture
def real_robot(tmp_path):
    source = find_robot("desk_arm")
    profile = yaml.safe_load(source.read_text())
    profile["interfaces"]["sim"]["mjcf"] = str(source.parent / "desk_arm.xml")
    profile["interfaces"]["real"] = {
        "kind": "ros2_control",
        "command_topic": "position_controller/commands",
        "command_type": "position_array",
    }
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(profile))
    return str(path)


@pytest.mark.parametrize("group", GIVEN)
def test_a_group_is_in_lockstep_when_asked_and_some_by_default(group):
    apart = GROUPS[group].resolve({**GIVEN[group], "lockstep": "false"})
    assert EXECUTABLE not in names(apart)
    together = GROUPS[group].resolve({**GIVEN[group], "lockstep": "true"})
    assert names(together) == [EXECUTABLE]
    # The same nodes with the same parameters, and whoever looks for one of them finds it.
    assert tuple(map(unresumed, together.nodes[0].hosted)) == tuple(map(unresumed, apart.nodes))
    assert list(together.specs) == list(apart.specs)
    assert together.environment == apart.environment
    by_default = GROUPS[group].resolve({**GIVEN[group], "lockstep": "auto"})
    assert names(by_default) == (names(together) if group in BY_DEFAULT else names(apart))
    assert GROUPS[group].resolve(GIVEN[group]) == by_default


@pytest.mark.parametrize("group", ["teleop_record", "dagger"])
@pytest.mark.parametrize("device", ["keyboard", "gamepad"])
def test_whoever_drives_by_hand_does_so_in_real_time(group, device):
    assert EXECUTABLE not in names(GROUPS[group].resolve({"device": device}))
    with pytest.raises(
        ConfigurationError, match=f"lockstep:=true does not go with device:={device}"
    ):
        GROUPS[group].resolve({"device": device, "lockstep": "true"})


@pytest.mark.parametrize("group", ["teleop_record", "dagger", "serve"])
def test_a_real_robot_has_its_own_time(group, real_robot):
    given = {**GIVEN[group], "sim": "false", "robot": real_robot}
    assert EXECUTABLE not in names(GROUPS[group].resolve(given))
    with pytest.raises(ConfigurationError, match="lockstep:=true needs a simulated robot"):
        GROUPS[group].resolve({**given, "lockstep": "true"})


@pytest.mark.parametrize("speed", ["2", "0", "0.5"])
def test_another_speed_does_not_go_with_lockstep(speed):
    with pytest.raises(ConfigurationError, match=f"sim_speed:={speed} does not go with it"):
        GROUPS["sim"].resolve({"lockstep": "true", "sim_speed": speed})


def test_the_process_ends_as_the_node_that_leads_and_has_the_terminal_as_one_of_them():
    (record,) = GROUPS["teleop_record"].resolve({**SCRIPTED, "log_level": "warn"}).nodes
    assert record.on_exit is OnExit.FINISH
    assert record.owns_terminal, "the status line of teleop_node"
    assert record.log_level == "warn"
    (alone,) = GROUPS["sim"].resolve({"lockstep": "true"}).nodes
    assert alone.on_exit is OnExit.FAIL
    assert not alone.owns_terminal


def test_its_nodes_survive_the_command_line():
    (process,) = GROUPS["dagger"].resolve({**SCRIPTED, "namespace": "left"}).nodes
    option, text = node_arguments(process)
    assert option == "--graph"
    for before, after in zip(process.hosted, specs_from_json(text), strict=True):
        assert node_arguments(after) == node_arguments(before)
        assert after.on_exit is before.on_exit
    assert callable(entry_point)


@pytest.mark.parametrize("text", ["", "{", "3", "[1]", '[{"executable": "robot_node"}]', "[[]]"])
def test_a_text_that_is_no_graph_is_refused(text):
    with pytest.raises(ConfigurationError, match="--graph: expected a list of node specs"):
        specs_from_json(text)
