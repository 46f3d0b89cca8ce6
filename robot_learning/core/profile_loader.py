"""Reads and checks `robot.yaml`. The keys are described in hardware/README.md."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

from robot_learning.core.errors import ProfileError, unknown_choice
from robot_learning.core.profile import (
    Arm,
    BusInterface,
    Camera,
    CameraPose,
    Frame,
    Gripper,
    Joint,
    JointKind,
    Leader,
    LeaderGripper,
    LeaderJoint,
    Mimic,
    Motor,
    RobotProfile,
    Ros2ControlInterface,
    Servo,
    SimInterface,
    Workspace,
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
    root = StrictMapping.read(path, ProfileError)
    version = root.integer("schema_version")
    if version != SCHEMA_VERSION:
        raise root.fail(f"this version reads {SCHEMA_VERSION}, found {version}", "schema_version")
    joints = tuple(_read_joint(entry) for entry in root.mappings("joints"))
    names = _unique(root, "joints", [joint.name for joint in joints])
    by_name = dict(zip(names, joints, strict=True))
    interfaces = root.mapping("interfaces")
    arms = tuple(_read_arm(entry, by_name) for entry in root.mappings("arms"))
    profile = RobotProfile(
        name=root.text("name"),
        path=path,
        description=root.text("description", "no description"),
        control_rate_hz=root.number("control_rate_hz", positive=True),
        joints=joints,
        arms=arms,
        cameras=tuple(_read_camera(entry) for entry in root.mappings("cameras", required=False)),
        sim=_read_sim(interfaces.optional_mapping("sim"), path.parent, names),
        real=_read_real(interfaces.optional_mapping("real"), names),
        leaders=tuple(
            _read_leader(entry, arms) for entry in root.mappings("leaders", required=False)
        ),
    )
    interfaces.finish()
    root.finish()
    _check_whole(root, profile)
    return profile


def _read_joint(entry: StrictMapping) -> Joint:
    kind = JointKind(entry.choice("kind", [kind.value for kind in JointKind]))
    unit = kind.position_unit
    # Where joints slide, the key is known only to be refused with its reason.
    turns = kind is JointKind.REVOLUTE or "continuous" in entry
    continuous = entry.flag("continuous", False) if turns else False
    low, high = _read_limits(entry, kind, continuous)
    home = entry.number(f"home_{unit}", 0.0)
    if continuous and abs(home) > math.pi:
        raise entry.fail(f"{home:g} is not within one turn, [-pi, pi]", f"home_{unit}")
    if not low <= home <= high:
        raise entry.fail(f"{home:g} lies outside [{low:g}, {high:g}]", f"home_{unit}")
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
        raise entry.fail(text, f"velocity_{unit}_s")
    return joint


def _read_limits(entry: StrictMapping, kind: JointKind, continuous: bool) -> tuple[float, float]:
    """The position limits; a continuous joint has none."""
    unit = kind.position_unit
    if continuous:
        if kind is not JointKind.REVOLUTE:
            raise entry.fail("only a revolute joint turns without end", "continuous")
        if f"position_{unit}" in entry:
            text = "a continuous joint has no limits; leave them out, or 'continuous'"
            raise entry.fail(text, f"position_{unit}")
        return -math.inf, math.inf
    low, high = entry.numbers(f"position_{unit}", 2)
    if low >= high:
        text = f"the limits are inverted: the lower is {low:g}, the upper {high:g}"
        raise entry.fail(text, f"position_{unit}")
    if kind is JointKind.REVOLUTE and max(abs(low), abs(high)) > LARGEST_ANGLE_RAD:
        text = f"[{low:g}, {high:g}] is more than two turns; angles are in radians, not degrees"
        raise entry.fail(text, f"position_{unit}")
    if kind is JointKind.PRISMATIC and max(abs(low), abs(high)) > LARGEST_TRAVEL_M:
        text = f"[{low:g}, {high:g}] is beyond {LARGEST_TRAVEL_M:g} m; metres, not millimetres"
        raise entry.fail(text, f"position_{unit}")
    return low, high


def _read_arm(entry: StrictMapping, joints: dict[str, Joint]) -> Arm:
    chain = entry.texts("joints")
    for name in chain:
        if name not in joints:
            raise entry.fail(unknown_choice("joint", name, joints), "joints")
    if not chain:
        raise entry.fail("an arm needs at least one joint", "joints")
    arm = Arm(
        name=entry.topic_name("name"),
        joints=chain,
        end_effector=_read_frame(entry.mapping("end_effector")),
        gripper=_read_gripper(entry.optional_mapping("gripper"), joints),
        workspace=_read_workspace(entry.mapping("workspace_m")),
    )
    entry.finish()
    if arm.gripper and arm.gripper.joint in chain:
        raise entry.fail("the gripper's joint must not be one of the arm's joints", "gripper.joint")
    return arm


def _read_gripper(entry: StrictMapping | None, joints: dict[str, Joint]) -> Gripper | None:
    if entry is None:
        return None
    name = entry.choice("joint", joints)
    joint = joints[name]
    if joint.continuous:
        raise entry.fail(f"'{name}' is continuous; a gripper opens and closes", "joint")
    unit = joint.kind.position_unit
    values = {key: entry.number(f"{key}_{unit}") for key in ("open", "closed")}
    for key, value in values.items():
        if not joint.position_min <= value <= joint.position_max:
            limits = f"[{joint.position_min:g}, {joint.position_max:g}]"
            raise entry.fail(f"{value:g} lies outside the joint's {limits}", f"{key}_{unit}")
    if values["open"] == values["closed"]:
        raise entry.fail("open and closed are the same value", f"closed_{unit}")
    width_m = entry.number("clear_width_m", positive=True)
    entry.finish()
    return Gripper(name, values["open"], values["closed"], width_m)


def _read_frame(entry: StrictMapping) -> Frame:
    site, body = entry.optional_text("site"), entry.optional_text("body")
    if (site is None) == (body is None):
        raise entry.fail("give exactly one of 'site' and 'body' (a name in the MJCF model)")
    frame = Frame(site, body, _position(entry), _quaternion(entry))
    entry.finish()
    return frame


def _read_workspace(entry: StrictMapping) -> Workspace:
    low, high = entry.numbers("min", 3), entry.numbers("max", 3)
    for axis, lower, upper in zip("xyz", low, high, strict=True):
        if lower >= upper:
            raise entry.fail(f"inverted along {axis}: min {lower:g}, max {upper:g}")
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
        raise entry.fail("give 'mjcf_camera' or 'pose', not both")
    if not (camera.mjcf_camera or camera.pose or camera.topic):
        raise entry.fail("give at least one of 'mjcf_camera', 'pose' (simulation) and 'topic'")
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
        raise entry.fail(f"{pose.fovy_rad:g} is not below pi; radians, not degrees", "fovy_rad")
    return pose


def _read_sim(
    entry: StrictMapping | None, folder: Path, names: tuple[str, ...]
) -> SimInterface | None:
    if entry is None:
        return None
    mjcf = folder / entry.text("mjcf")
    if not mjcf.is_file():
        raise entry.fail(f"there is no file {mjcf}", "mjcf")
    sim = SimInterface(
        mjcf=mjcf,
        joints=entry.entries("joints", StrictMapping.text),
        actuators=entry.entries("actuators", StrictMapping.text),
        servos=entry.entries("servos", _read_servo),
        mimics=entry.entries("mimics", _read_mimic),
        held_actuators=entry.entries("held_actuators", StrictMapping.number),
        gravity_compensation=entry.flag("gravity_compensation", True),
    )
    entry.finish()
    for key, mapping in (
        ("joints", sim.joints),
        ("actuators", sim.actuators),
        ("servos", sim.servos),
    ):
        for name in mapping:
            if name not in names:
                raise entry.fail(unknown_choice("joint", name, names), key)
    for mimic in sim.mimics.values():
        if mimic.joint not in names:
            raise entry.fail(unknown_choice("joint", mimic.joint, names), "mimics")
    return sim


def _read_servo(parent: StrictMapping, name: str) -> Servo:
    entry = parent.mapping(name)
    servo = Servo(entry.number("stiffness", positive=True), entry.number("damping", positive=True))
    entry.finish()
    return servo


def _read_mimic(parent: StrictMapping, name: str) -> Mimic:
    entry = parent.mapping(name)
    mimic = Mimic(entry.text("joint"), entry.number("multiplier", 1.0), entry.number("offset", 0.0))
    entry.finish()
    return mimic


def _read_real(
    entry: StrictMapping | None, names: tuple[str, ...]
) -> Ros2ControlInterface | BusInterface | None:
    if entry is None:
        return None
    kind = entry.choice("kind", ["ros2_control", "bus"])
    real = _read_ros2_control(entry, names) if kind == "ros2_control" else _read_bus(entry, names)
    entry.finish()
    return real


def _read_ros2_control(entry: StrictMapping, names: tuple[str, ...]) -> Ros2ControlInterface:
    joints = entry.texts("joints", names)
    for name in joints:
        if name not in names:
            raise entry.fail(unknown_choice("joint", name, names), "joints")
    return Ros2ControlInterface(
        command_topic=entry.text("command_topic"),
        command_type=entry.choice("command_type", ["joint_trajectory", "position_array"]),
        joints=joints,
    )


def _read_bus(entry: StrictMapping, names: tuple[str, ...]) -> BusInterface:
    bus = BusInterface(
        bus=entry.choice("bus", ["dynamixel", "feetech"]),
        port=entry.text("port"),
        baud_rate=entry.integer("baud_rate", minimum=1),
        motors=entry.entries("motors", _read_motor),
    )
    if set(bus.motors) != set(names):
        text = f"expected one motor for each of {', '.join(names)}; found {', '.join(bus.motors)}"
        raise entry.fail(text, "motors")
    ids = [motor.id for motor in bus.motors.values()]
    if len(set(ids)) != len(ids):
        raise entry.fail(f"two motors share an id: {ids}", "motors")
    return bus


def _read_motor(parent: StrictMapping, name: str) -> Motor:
    entry = parent.mapping(name)
    motor = Motor(
        id=entry.integer("id", minimum=0),
        model=entry.text("model"),
        sign=_read_sign(entry),
        zero_ticks=entry.integer("zero_ticks"),
    )
    entry.finish()
    return motor


def _read_leader(entry: StrictMapping, arms: tuple[Arm, ...]) -> Leader:
    name = entry.choice("arm", [arm.name for arm in arms])
    arm = next(arm for arm in arms if arm.name == name)
    joints = tuple(_read_leader_joint(nested, arm) for nested in entry.mappings("joints"))
    followers = [joint.follower for joint in joints]
    if sorted(followers) != sorted(arm.joints):
        text = f"expected each of {', '.join(arm.joints)} once as a follower; found"
        raise entry.fail(f"{text} {', '.join(followers) or '(none)'}", "joints")
    leader = Leader(
        arm=arm.name,
        topic=entry.text("topic"),
        joints=joints,
        gripper=_read_leader_gripper(entry.optional_mapping("gripper"), arm),
        engage_within_rad=entry.number("engage_within_rad", 0.3, positive=True),
    )
    entry.finish()
    return leader


def _read_leader_joint(entry: StrictMapping, arm: Arm) -> LeaderJoint:
    joint = LeaderJoint(
        leader=entry.text("leader"),
        follower=entry.choice("follower", arm.joints),
        sign=_read_sign(entry),
        offset=entry.number("offset_rad", 0.0),
    )
    entry.finish()
    return joint


def _read_leader_gripper(entry: StrictMapping | None, arm: Arm) -> LeaderGripper | None:
    if entry is None:
        return None
    if arm.gripper is None:
        raise entry.fail(f"the arm '{arm.name}' has no gripper")
    gripper = LeaderGripper(entry.text("leader"), entry.number("open"), entry.number("closed"))
    entry.finish()
    if gripper.open == gripper.closed:
        raise entry.fail("open and closed are the same value", "closed")
    return gripper


def _read_sign(entry: StrictMapping) -> int:
    sign = entry.integer("sign", 1)
    if sign not in (-1, 1):
        raise entry.fail(f"expected 1 or -1, found {sign}", "sign")
    return sign


def _check_whole(root: StrictMapping, profile: RobotProfile) -> None:
    """Rules that span several keys."""
    if not profile.arms:
        raise root.fail("a robot needs at least one arm", "arms")
    _unique(root, "arms", [arm.name for arm in profile.arms])
    _unique(root, "leaders", [leader.arm for leader in profile.leaders])
    _unique(root, "cameras", [camera.name for camera in profile.cameras])
    used: list[str] = []
    for arm in profile.arms:
        used += [*arm.joints, *([arm.gripper.joint] if arm.gripper else [])]
    for name in profile.joint_names:
        if used.count(name) != 1:
            often = "by no arm" if name not in used else "by more than one arm"
            raise root.fail(f"the joint '{name}' is used {often}", "arms")
    if profile.sim is None and profile.real is None:
        raise root.fail("give at least one of 'sim' and 'real'", "interfaces")


def _unique(root: StrictMapping, key: str, names: Iterable[str]) -> tuple[str, ...]:
    found = tuple(names)
    for name in found:
        if found.count(name) > 1:
            raise root.fail(f"the name '{name}' stands twice", key)
    return found


def _position(entry: StrictMapping) -> tuple[float, float, float]:
    x, y, z = entry.numbers("position_m", 3, (0.0, 0.0, 0.0))
    return (x, y, z)


def _quaternion(entry: StrictMapping) -> tuple[float, float, float, float]:
    w, x, y, z = entry.numbers("quaternion_wxyz", 4, (1.0, 0.0, 0.0, 0.0))
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    if abs(norm - 1.0) > 1e-2:
        raise entry.fail(f"not a unit quaternion: its norm is {norm:g}", "quaternion_wxyz")
    return (w / norm, x / norm, y / norm, z / norm)
