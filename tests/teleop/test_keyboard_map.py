"""The keyboard map: what is refused, and what the operator sees."""

from __future__ import annotations

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.teleop.actions import CARTESIAN_AXES, signed
from robot_learning.teleop.device import OperatorEvent
from robot_learning.teleop.devices import DEVICES, make_device
from robot_learning.teleop.keyboard_map import load_keyboard_map


def test_the_shipped_map_reaches_every_axis_and_event() -> None:
    keyboard_map = load_keyboard_map()
    assert set(keyboard_map.cartesian_keys.values()) == set(signed(CARTESIAN_AXES))
    assert {event.value for event in OperatorEvent} <= set(keyboard_map.keys.values())
    assert {f"joint_{n}{s}" for n in range(1, 8) for s in "+-"} == set(
        keyboard_map.joint_keys.values()
    )


def test_the_printed_map_names_every_key_and_what_it_does(profile) -> None:
    text = load_keyboard_map().describe(profile)
    for word in ("space", "release; the robot holds", "esc", "STOP the robot", "w", "x+", "?"):
        assert word in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_printed_map_names_the_robots_joints_and_leaves_out_what_cannot_act(profile) -> None:
    text = make_device("keyboard", profile).describe()
    assert all(f"{joint}+" in text for joint in profile.arms[0].joints)
    for idle in ("joint_", "align", "next arm"):
        assert idle not in text
    assert "close the gripper" in text


def test_with_two_arms_joints_are_counted_and_the_arm_is_selected(duo) -> None:
    text = make_device("keyboard", duo).describe()
    assert "joint_1+" in text
    assert "select the next arm" in text


def test_a_gamepad_names_the_robots_joints_too(profile) -> None:
    text = make_device("gamepad", profile).describe()
    assert f"{profile.arms[0].joints[0]}+" in text
    assert "joint_1" not in text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("keys: {spacebar: hold}", "unknown key 'spacebar'; did you mean 'space'.*single char"),
        ("keys: {t: takeover}", "unknown action 'takeover'; did you mean 'take_over'"),
        ("cartesian_keys: {w: x}", "unknown action 'x'"),
        ("cartesian_keys: {W: x+}", "write 'W' as 'w'"),
        ("keys: {' ': hold}", "by name, such as 'space'"),
        ("keys: {w: hold}\ncartesian_keys: {w: x+}", "'w' is bound in 'keys' too"),
        ("keys: {w: hold, w: halt}", "duplicate key"),
        ("joint_keys: {w: joint_12+}", "unknown action"),
        ("engagement: dead_man", "needs a key bound to the action dead_man"),
        ("engagement: never", "unknown value 'never'"),
        ("key: {}", "did you mean 'keys'"),
    ],
)
def test_a_wrong_map_is_refused(tmp_path, body: str, text: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(f"schema_version: 1\ndevice: keyboard\n{body}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=text) as error:
        load_keyboard_map(path)
    assert str(path) in str(error.value)


def test_an_unknown_device_lists_the_valid_ones(profile) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'keyboard'") as error:
        make_device("keybord", profile)
    assert all(name in str(error.value) for name in DEVICES)


def test_a_missing_map_lists_the_shipped_ones(profile) -> None:
    with pytest.raises(ConfigurationError, match="spacemouse, xbox"):
        make_device("gamepad", profile, "switch")
