"""The loader refuses what is wrong, and says where, what and what is valid."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError, ProfileError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile

Change = Callable[[dict[str, Any]], None]


def test_what_is_written_is_what_is_read(load: Callable[..., RobotProfile], tmp_path: Path) -> None:
    profile = load()
    assert profile.name == "small"
    assert profile.joint_names == ("turn", "slide", "grip")
    np.testing.assert_array_equal(profile.position_min, [-2.0, 0.0, 0.0])
    np.testing.assert_array_equal(profile.position_max, [2.0, 0.3, 0.04])
    np.testing.assert_array_equal(profile.velocity_max, [3.0, 0.5, 0.1])
    np.testing.assert_array_equal(profile.acceleration_max, [10.0, 2.0, 1.0])
    np.testing.assert_array_equal(profile.effort_max, [5.0, 50.0, 20.0])
    np.testing.assert_array_equal(profile.home, [0.5, 0.0, 0.0])
    arm = profile.arm("arm")
    assert arm.joints == ("turn", "slide")
    assert arm.end_effector.quaternion_wxyz == (1.0, 0.0, 0.0, 0.0)
    assert arm.gripper is not None
    assert (arm.gripper.open, arm.gripper.closed) == (0.04, 0.0)
    assert profile.cameras[0].topic == "front"
    assert profile.sim is not None
    assert profile.sim.mjcf == tmp_path / "small.xml"
    assert profile.sim.gravity_compensation
    assert profile.real is None


def set_joint(index: int, **values: Any) -> Change:
    return lambda profile: profile["joints"][index].update(values)


def turn_without_end(**values: Any) -> Change:
    def change(profile: dict[str, Any]) -> None:
        del profile["joints"][0]["position_rad"]
        profile["joints"][0].update(continuous=True, **values)

    return change


def rename_joint_key(index: int, old: str, new: str) -> Change:
    def change(profile: dict[str, Any]) -> None:
        joint = profile["joints"][index]
        profile["joints"][index] = {new if key == old else key: joint[key] for key in joint}

    return change


JOINT_KEYS = (
    "acceleration_rad_s2, continuous, effort_nm, home_rad, kind, name, position_rad, velocity_rad_s"
)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(
            lambda p: p.update(colour="red"),
            "unknown key 'colour'; valid: arms, cameras, control_rate_hz, description, "
            "interfaces, joints, leaders, name, schema_version",
            id="unknown key at the top",
        ),
        pytest.param(
            set_joint(0, speed=1.0),
            f"joints[0]: unknown key 'speed'; valid: {JOINT_KEYS}",
            id="unknown key of a joint",
        ),
        pytest.param(
            lambda p: p["joints"][0].pop("velocity_rad_s"),
            "joints[0]: the key 'velocity_rad_s' is missing; found name, kind, position_rad, "
            "acceleration_rad_s2, effort_nm, home_rad",
            id="missing key",
        ),
        pytest.param(
            rename_joint_key(0, "position_rad", "position_deg"),
            f"joints[0]: unknown key 'position_deg'; did you mean 'position_rad'? "
            f"Valid: {JOINT_KEYS}",
            id="wrong unit in the key",
        ),
        pytest.param(
            set_joint(0, position_rad=[-115, 115]),
            "joints[0].position_rad: [-115, 115] is more than two turns; "
            "angles are in radians, not degrees",
            id="degrees",
        ),
        pytest.param(
            set_joint(0, velocity_rad_s=120.0),
            "joints[0].velocity_rad_s: 120 is more than ten turns a second; radians, not degrees",
            id="velocity in degrees",
        ),
        pytest.param(
            set_joint(1, position_m=[0.0, 40.0]),
            "joints[1].position_m: [0, 40] is beyond 20 m; metres, not millimetres",
            id="millimetres",
        ),
        pytest.param(
            set_joint(1, velocity_rad_s=1.0),
            "joints[1]: unknown key 'velocity_rad_s'; did you mean 'velocity_m_s'? Valid: "
            "acceleration_m_s2, continuous, effort_n, home_m, kind, name, position_m, "
            "velocity_m_s",
            id="radians for a prismatic joint",
        ),
        pytest.param(
            set_joint(0, continuous=True),
            "joints[0].position_rad: a continuous joint has no limits; leave them out, or "
            "'continuous'",
            id="limits of a continuous joint",
        ),
        pytest.param(
            set_joint(1, continuous=True),
            "joints[1].continuous: only a revolute joint turns without end",
            id="a continuous joint that slides",
        ),
        pytest.param(
            set_joint(0, continuous="yes"),
            "joints[0].continuous: expected true or false, found 'yes'",
            id="continuous in words",
        ),
        pytest.param(
            turn_without_end(home_rad=3.5),
            "joints[0].home_rad: 3.5 is not within one turn, [-pi, pi]",
            id="home of a continuous joint",
        ),
        pytest.param(
            lambda p: p["joints"][0].pop("position_rad"),
            "joints[0]: the key 'position_rad' is missing; give [lower, upper], or "
            "'continuous: true'",
            id="neither limits nor continuous",
        ),
        pytest.param(
            set_joint(0, position_rad=[2.0, -2.0]),
            "joints[0].position_rad: the limits are inverted: the lower is 2, the upper -2",
            id="limit inverted",
        ),
        pytest.param(
            set_joint(0, position_rad=[0.0]),
            "joints[0].position_rad: expected a list of 2 numbers, found a list of 1",
            id="half a limit",
        ),
        pytest.param(
            set_joint(0, home_rad=2.5),
            "joints[0].home_rad: 2.5 lies outside [-2, 2]",
            id="home outside of the limits",
        ),
        pytest.param(
            set_joint(0, effort_nm=0),
            "joints[0].effort_nm: expected above 0, found 0",
            id="no effort",
        ),
        pytest.param(
            set_joint(0, velocity_rad_s="fast"),
            "joints[0].velocity_rad_s: expected a number, found 'fast'",
            id="text for a number",
        ),
        pytest.param(
            set_joint(0, velocity_rad_s=float("inf")),
            "joints[0].velocity_rad_s: expected a finite number, found inf",
            id="infinity",
        ),
        pytest.param(
            set_joint(0, kind="rotary"),
            "joints[0].kind: unknown value 'rotary'; valid: prismatic, revolute",
            id="unknown kind",
        ),
        pytest.param(
            lambda p: p["arms"][0].update(name="my arm"),
            "arms[0].name: 'my arm' becomes part of a topic: a letter, then letters, digits, "
            "underscores",
            id="arm that is no topic",
        ),
        pytest.param(
            lambda p: p["cameras"][0].update(name="1st"),
            "cameras[0].name: '1st' becomes part of a topic: a letter, then letters, digits, "
            "underscores",
            id="camera that is no topic",
        ),
        pytest.param(set_joint(1, name="turn"), "joints: duplicate name 'turn'", id="joint twice"),
        pytest.param(
            lambda p: p.update(control_rate_hz=-100),
            "control_rate_hz: expected above 0, found -100",
            id="negative rate",
        ),
        pytest.param(
            lambda p: p.update(schema_version=2),
            "schema_version: this version reads 1, found 2",
            id="another version",
        ),
        pytest.param(
            lambda p: p["arms"][0].update(joints=["turn", "slid"]),
            "arms[0].joints: unknown joint 'slid'; did you mean 'slide'? Valid: grip, slide, turn",
            id="arm with an unknown joint",
        ),
        pytest.param(
            lambda p: p["arms"][0].update(joints=["turn", "turn"]),
            "arms[0].joints: duplicate value 'turn'",
            id="arm with a joint twice",
        ),
        pytest.param(
            lambda p: p["arms"][0].update(joints=[]),
            "arms[0].joints: an arm needs at least one joint",
            id="arm without joints",
        ),
        pytest.param(
            lambda p: p["arms"][0].update(joints=["turn"]),
            "arms: the joint 'slide' is used by no arm",
            id="joint of no arm",
        ),
        pytest.param(
            lambda p: p["arms"].append(copy.deepcopy(p["arms"][0]) | {"name": "second"}),
            "arms: the joint 'turn' is used by more than one arm",
            id="joint of two arms",
        ),
        pytest.param(
            lambda p: p.update(arms=[]), "arms: a robot needs at least one arm", id="no arm"
        ),
        pytest.param(
            lambda p: p["arms"][0].update(end_effector={}),
            "arms[0].end_effector: give exactly one of 'site' and 'body' (a name in the MJCF "
            "model)",
            id="end effector without a frame",
        ),
        pytest.param(
            lambda p: p["arms"][0]["end_effector"].update(quaternion_wxyz=[1, 1, 0, 0]),
            "arms[0].end_effector.quaternion_wxyz: not a unit quaternion: its norm is 1.41421",
            id="no unit quaternion",
        ),
        pytest.param(
            lambda p: p["arms"][0]["gripper"].update(open_m=0.08),
            "arms[0].gripper.open_m: 0.08 lies outside the joint's [0, 0.04]",
            id="gripper opens too far",
        ),
        pytest.param(
            lambda p: p["arms"][0]["gripper"].update(closed_m=0.04),
            "arms[0].gripper.closed_m: open and closed are the same value",
            id="gripper that never closes",
        ),
        pytest.param(
            lambda p: p["arms"][0]["gripper"].update(joint="slide"),
            "arms[0].gripper.joint: the gripper's joint must not be one of the arm's joints",
            id="gripper is an arm joint",
        ),
        pytest.param(
            lambda p: p["arms"][0]["workspace_m"].update(max=[0.4, -0.3, 0.3]),
            "arms[0].workspace_m: inverted along y: min -0.2, max -0.3",
            id="workspace inverted",
        ),
        pytest.param(
            lambda p: p["cameras"][0].update(width_px=4),
            "cameras[0].width_px: expected at least 8, found 4",
            id="tiny image",
        ),
        pytest.param(
            lambda p: p["cameras"][0].pop("topic"),
            "cameras[0]: give at least one of 'mjcf_camera', 'pose' (simulation) and 'topic'",
            id="camera from nowhere",
        ),
        pytest.param(
            lambda p: p["cameras"][0].update(mjcf_camera="a", pose={"fovy_rad": 1.0}),
            "cameras[0]: give 'mjcf_camera' or 'pose', not both",
            id="camera in two places",
        ),
        pytest.param(
            lambda p: p["cameras"][0].update(pose={"fovy_rad": 45.0}),
            "cameras[0].pose.fovy_rad: 45 is not below pi; radians, not degrees",
            id="camera in degrees",
        ),
        pytest.param(
            lambda p: p["cameras"].append(p["cameras"][0].copy()),
            "cameras: duplicate name 'front'",
            id="camera twice",
        ),
        pytest.param(
            lambda p: p.update(interfaces={}),
            "interfaces: give at least one of 'sim' and 'real'",
            id="no interface",
        ),
        pytest.param(
            lambda p: p["interfaces"]["sim"].update(servos={"elbow": {}}),
            "interfaces.sim.servos.elbow: the key 'stiffness' is missing; found (nothing)",
            id="servo without gains",
        ),
        pytest.param(
            lambda p: p["interfaces"]["sim"].update(
                servos={"elbow": {"stiffness": 1.0, "damping": 1.0}}
            ),
            "interfaces.sim.servos: unknown joint 'elbow'; valid: grip, slide, turn",
            id="servo of an unknown joint",
        ),
        pytest.param(
            lambda p: p["interfaces"]["sim"].update(mimics={"other": {"joint": "gripp"}}),
            "interfaces.sim.mimics: unknown joint 'gripp'; did you mean 'grip'? "
            "Valid: grip, slide, turn",
            id="mimic of an unknown joint",
        ),
        pytest.param(
            lambda p: p["interfaces"].update(real={"kind": "can"}),
            "interfaces.real.kind: unknown value 'can'; valid: bus, ros2_control",
            id="unknown real interface",
        ),
    ],
)
def test_a_wrong_profile_is_refused_with(
    refusal: Callable[[Change], str], change: Change, text: str
) -> None:
    assert refusal(change) == text


def test_a_continuous_joint_has_no_limits(load: Callable[..., RobotProfile]) -> None:
    profile = load(turn_without_end())
    assert profile.joints[0].continuous
    assert not profile.joints[1].continuous
    assert (profile.position_min[0], profile.position_max[0]) == (-np.inf, np.inf)
    assert profile.position_range[0] == pytest.approx(2 * np.pi)


def test_a_gripper_is_never_continuous(refusal: Callable[[Change], str]) -> None:
    def change(profile: dict[str, Any]) -> None:
        turn_without_end()(profile)
        profile["arms"][0].update(joints=["slide"])
        gripper = {"joint": "turn", "open_rad": 0, "closed_rad": 1, "clear_width_m": 0.1}
        profile["arms"][0]["gripper"] = gripper

    text = "arms[0].gripper.joint: 'turn' is continuous; a gripper opens and closes"
    assert refusal(change) == text


def test_a_missing_mjcf_file_is_named(refusal: Callable[[Change], str], tmp_path: Path) -> None:
    text = refusal(lambda p: p["interfaces"]["sim"].update(mjcf="none.xml"))
    assert text == f"interfaces.sim.mjcf: there is no file {tmp_path / 'none.xml'}"


def test_a_key_given_twice_in_the_file_is_refused(profile_file: Path) -> None:
    profile_file.write_text(profile_file.read_text() + "name: again\n")
    with pytest.raises(ProfileError, match="duplicate key 'name'"):
        load_profile(profile_file)


def test_a_file_that_is_no_yaml_is_refused(profile_file: Path) -> None:
    profile_file.write_text("joints: [")
    with pytest.raises(ProfileError, match="not valid YAML"):
        load_profile(profile_file)


def test_an_unknown_robot_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_profile("desk_amr")
    text = str(caught.value)
    assert text.startswith("unknown robot 'desk_amr'; did you mean 'desk_arm'? Valid: ")
    for name in ("bench_arm", "desk_arm", "desk_duo"):
        assert name in text


def test_an_unknown_joint_or_arm_lists_the_valid_ones(load: Callable[..., RobotProfile]) -> None:
    profile = load()
    with pytest.raises(ConfigurationError) as caught:
        profile.joint_index("trun")
    assert str(caught.value) == (
        "unknown joint of robot 'small' 'trun'; did you mean 'turn'? Valid: grip, slide, turn"
    )
    with pytest.raises(ConfigurationError, match="unknown arm of robot 'small' 'left'; valid: arm"):
        profile.arm("left")
