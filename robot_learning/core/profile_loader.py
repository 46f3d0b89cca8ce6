"""Reads and checks `robot.yaml`. The keys are described in hardware/README.md."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

from robot_learning.core.errors import ConfigurationError, ProfileError
from robot_learning.core.mistake_finder import MistakeFinder
from robot_learning.core.profile import (
    Arm,
    Camera,
    CameraPose,
    Frame,
    Gripper,
    Joint,
    JointKind,
    RobotProfile,
    Workspace,
)
from robot_learning.core.profile_interfaces import (
    read_leader,
    read_real,
    read_sim,
    refuse_unknown_joints,
)
from robot_learning.core.resources import find_robot
from robot_learning.core.strict_mapping import StrictMapping

SCHEMA_VERSION = 1
# No joint of an arm turns more than two turns either way; a larger limit was meant in degrees.
LARGEST_ANGLE_RAD = 4 * math.pi
# Nor does one turn faster than ten turns a second, or travel further than this.
LARGEST_VELOCITY_RAD_S = 20 * math.pi
LARGEST_TRAVEL_M = 20.0


def load_profile(robot: str | os.PathLike[str]) -> RobotProfile:
    """Load a robot by name, folder or path of its `robot.yaml`.

    Raises:
        ConfigurationError: no such robot; the text lists those there are.
        ProfileError: the file is wrong; the text names the file, the key and what is valid.
    """
    path = find_robot(robot)
    return _read_profile(StrictMapping.read(path, ProfileError), path)


def profile_mistakes(robot: str | os.PathLike[str]) -> list[ConfigurationError]:
    """All mistakes of a profile that one pass over its file finds; none in one that loads.

    Raises:
        ConfigurationError: no such robot; the text lists those there are.
        ProfileError: the file cannot be read, or is no YAML.
    """
    path = find_robot(robot)
    root = MistakeFinder.read(path, ProfileError)
    try:
        _read_profile(root, path)
    except ProfileError as last:
        return [*root.mistakes, last]
    return root.mistakes


def _read_profile(root: StrictMapping, path: Path) -> RobotProfile:
    version = root.integer("schema_version")
    if root.is_sound("schema_version") and version != SCHEMA_VERSION:
        raise root.fail(f"this version reads {SCHEMA_VERSION}, found {version}", "schema_version")
    joints = tuple(_read_joint(entry) for entry in root.mappings("joints"))
    names = _unique(root, "joints", [joint.name for joint in joints])
    if not names or not all(names):
        text = "expected at least one, each with a name; the rest is checked when that is so"
        raise root.fail(text, "joints")
    sound = {
        joint.name: joint for index, joint in enumerate(joints) if root.is_sound(f"joints[{index}]")
    }
    interfaces = root.mapping("interfaces")
    arms = tuple(_read_arm(entry, names, sound) for entry in root.mappings("arms"))
    if not arms:
        root.refuse("a robot needs at least one arm", "arms")
    leaders = root.mappings("leaders", required=False)
    profile = RobotProfile(
        name=root.text("name"),
        path=path,
        description=root.text("description", "no description"),
        control_rate_hz=root.number("control_rate_hz", positive=True),
        joints=joints,
        arms=arms,
        cameras=tuple(_read_camera(entry) for entry in root.mappings("cameras", required=False)),
        sim=read_sim(interfaces.optional_mapping("sim"), path.parent, names),
        real=read_real(interfaces.optional_mapping("real"), names),
        leaders=tuple(read_leader(entry, arms) for entry in leaders if root.is_sound("arms")),
    )
    interfaces.finish()
    root.finish()
    _check_whole(root, profile)
    return profile


def _read_joint(entry: StrictMapping) -> Joint:
    kind = JointKind(entry.deciding_choice("kind", [kind.value for kind in JointKind]))
    unit = kind.position_unit
    # Where joints slide, the key is known only to be refused with its reason.
    turns = kind is JointKind.REVOLUTE or "continuous" in entry
    continuous = entry.flag("continuous", False) if turns else False
    low, high = _read_limits(entry, kind, continuous)
    home = entry.number(f"home_{unit}", 0.0)
    if continuous and abs(home) > math.pi:
        entry.refuse(f"{home:g} is not within one turn, [-pi, pi]", f"home_{unit}")
    if home < low or home > high:
        entry.refuse(f"{home:g} lies outside [{low:g}, {high:g}]", f"home_{unit}")
    joint = Joint(
        name=entry.text("name"),
        kind=kind,
        position_min=low,
        position_max=high,
        velocity_max=entry.number(f"velocity_{unit}_s", positive=True),
        acceleration_max=entry.number(f"acceleration_{unit}_s2", positive=True),
        effort_max=entry.number(f"effort_{kind.effort_unit}", positive=True),
        home=home,
        continuous=continuous,
    )
    entry.finish()
    if kind is JointKind.REVOLUTE and joint.velocity_max > LARGEST_VELOCITY_RAD_S:
        text = f"{joint.velocity_max:g} is more than ten turns a second; radians, not degrees"
        entry.refuse(text, f"velocity_{unit}_s")
    return joint


def _read_limits(entry: StrictMapping, kind: JointKind, continuous: bool) -> tuple[float, float]:
    """The position limits; a continuous joint has none. NaN where they were refused."""
    key = f"position_{kind.position_unit}"
    if continuous and kind is not JointKind.REVOLUTE:
        entry.refuse("only a revolute joint turns without end", "continuous")
    elif continuous and key in entry:
        entry.refuse("a continuous joint has no limits; leave them out, or 'continuous'", key)
    elif continuous:
        return -math.inf, math.inf
    low, high = entry.numbers(key, 2)
    if low >= high:
        entry.refuse(f"the limits are inverted: the lower is {low:g}, the upper {high:g}", key)
    if kind is JointKind.REVOLUTE and max(abs(low), abs(high)) > LARGEST_ANGLE_RAD:
        text = f"[{low:g}, {high:g}] is more than two turns; angles are in radians, not degrees"
        entry.refuse(text, key)
    if kind is JointKind.PRISMATIC and max(abs(low), abs(high)) > LARGEST_TRAVEL_M:
        text = f"[{low:g}, {high:g}] is beyond {LARGEST_TRAVEL_M:g} m; metres, not millimetres"
        entry.refuse(text, key)
    return (low, high) if entry.is_sound(key) else (math.nan, math.nan)


def _read_arm(entry: StrictMapping, names: tuple[str, ...], sound: dict[str, Joint]) -> Arm:
    chain = entry.texts("joints")
    refuse_unknown_joints(entry, "joints", chain, names)
    if not chain:
        entry.refuse("an arm needs at least one joint", "joints")
    arm = Arm(
        name=entry.topic_name("name"),
        joints=chain,
        end_effector=_read_frame(entry.mapping("end_effector")),
        gripper=_read_gripper(entry.optional_mapping("gripper"), names, sound),
        workspace=_read_workspace(entry.mapping("workspace_m")),
    )
    entry.finish()
    if arm.gripper and arm.gripper.joint in chain:
        entry.refuse("the gripper's joint must not be one of the arm's joints", "gripper.joint")
    return arm


def _read_gripper(
    entry: StrictMapping | None, names: tuple[str, ...], sound: dict[str, Joint]
) -> Gripper | None:
    if entry is None:
        return None
    name = entry.deciding_choice("joint", names)
    joint = sound.get(name)
    if joint is None:
        # What its values must be is known when the joint is right.
        return Gripper(name, math.nan, math.nan, math.nan)
    if joint.continuous:
        entry.refuse(f"'{name}' is continuous; a gripper opens and closes", "joint")
    unit = joint.kind.position_unit
    values = {key: entry.number(f"{key}_{unit}") for key in ("open", "closed")}
    for key, value in values.items():
        if value < joint.position_min or value > joint.position_max:
            limits = f"[{joint.position_min:g}, {joint.position_max:g}]"
            entry.refuse(f"{value:g} lies outside the joint's {limits}", f"{key}_{unit}")
    if values["open"] == values["closed"]:
        entry.refuse("open and closed are the same value", f"closed_{unit}")
    width_m = entry.number("clear_width_m", positive=True)
    entry.finish()
    return Gripper(name, values["open"], values["closed"], width_m)


def _read_frame(entry: StrictMapping) -> Frame:
    site, body = entry.optional_text("site"), entry.optional_text("body")
    if (site is None) == (body is None):
        entry.refuse("give exactly one of 'site' and 'body' (a name in the MJCF model)")
    frame = Frame(site, body, _position(entry), _quaternion(entry))
    entry.finish()
    return frame


def _read_workspace(entry: StrictMapping) -> Workspace:
    low, high = entry.numbers("min", 3), entry.numbers("max", 3)
    for axis, lower, upper in zip("xyz", low, high, strict=True):
        if lower >= upper:
            entry.refuse(f"inverted along {axis}: min {lower:g}, max {upper:g}")
    entry.finish()
    return Workspace((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _read_camera(entry: StrictMapping) -> Camera:
    pose = entry.optional_mapping("pose")
    camera = Camera(
        name=entry.topic_name("name"),
        width_px=entry.integer("width_px", minimum=8),
        height_px=entry.integer("height_px", minimum=8),
        rate_hz=entry.number("rate_hz", positive=True),
        mjcf_camera=entry.optional_text("mjcf_camera"),
        pose=_read_camera_pose(pose) if pose else None,
        topic=entry.optional_text("topic"),
    )
    entry.finish()
    if camera.mjcf_camera and camera.pose:
        entry.refuse("give 'mjcf_camera' or 'pose', not both")
    if not any(key in entry for key in ("mjcf_camera", "pose", "topic")):
        entry.refuse("give at least one of 'mjcf_camera', 'pose' (simulation) and 'topic'")
    return camera


def _read_camera_pose(entry: StrictMapping) -> CameraPose:
    pose = CameraPose(
        body=entry.optional_text("body"),
        position_m=_position(entry),
        quaternion_wxyz=_quaternion(entry),
        fovy_rad=entry.number("fovy_rad", positive=True),
    )
    entry.finish()
    if pose.fovy_rad >= math.pi:
        entry.refuse(f"{pose.fovy_rad:g} is not below pi; radians, not degrees", "fovy_rad")
    return pose


def _check_whole(root: StrictMapping, profile: RobotProfile) -> None:
    """Rules that span several keys."""
    _unique(root, "arms", [arm.name for arm in profile.arms])
    _unique(root, "leaders", [leader.arm for leader in profile.leaders])
    _unique(root, "cameras", [camera.name for camera in profile.cameras])
    used: list[str] = []
    for arm in profile.arms:
        used += [*arm.joints, *([arm.gripper.joint] if arm.gripper else [])]
    for name in profile.joint_names if root.is_sound("arms") else ():
        if used.count(name) != 1:
            often = "by no arm" if name not in used else "by more than one arm"
            root.refuse(f"the joint '{name}' is used {often}", "arms")
    if profile.sim is None and profile.real is None:
        root.refuse("give at least one of 'sim' and 'real'", "interfaces")


def _unique(root: StrictMapping, key: str, names: Iterable[str]) -> tuple[str, ...]:
    found = tuple(names)
    # An empty name is one that could not be read.
    for name in filter(None, dict.fromkeys(found)):
        if found.count(name) > 1:
            root.refuse(f"the name '{name}' stands twice", key)
    return found


def _position(entry: StrictMapping) -> tuple[float, float, float]:
    x, y, z = entry.numbers("position_m", 3, (0.0, 0.0, 0.0))
    return (x, y, z)


def _quaternion(entry: StrictMapping) -> tuple[float, float, float, float]:
    w, x, y, z = entry.numbers("quaternion_wxyz", 4, (1.0, 0.0, 0.0, 0.0))
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    if abs(norm - 1.0) > 1e-2:
        entry.refuse(f"not a unit quaternion: its norm is {norm:g}", "quaternion_wxyz")
        return (1.0, 0.0, 0.0, 0.0)
    return (w / norm, x / norm, y / norm, z / norm)
