"""Reads the parts of `robot.yaml` through which others reach the joints: simulation, arm, leaders.

A `StrictMapping` raises the first mistake; a `MistakeFinder` notes each, and puts something else in
the place of what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from robot_learning.core.errors import unknown_choice
from robot_learning.core.profile import (
    Arm,
    BusInterface,
    Leader,
    LeaderGripper,
    LeaderJoint,
    Mimic,
    Motor,
    Ros2ControlInterface,
    Servo,
    SimInterface,
)
from robot_learning.core.strict_mapping import StrictMapping


def read_sim(
    entry: StrictMapping | None, folder: Path, names: tuple[str, ...]
) -> SimInterface | None:
    """How the joints are found in a model; its file lies in `folder`.

    Args:
        entry: the mapping at `sim`; None where the profile has no simulation.
        folder: folder of the profile, which `mjcf` is relative to.
        names: names of the profile's joints.
    """
    if entry is None:
        return None
    mjcf = folder / entry.text("mjcf")
    if not mjcf.is_file():
        entry.refuse(f"there is no file {mjcf}", "mjcf")
    sim = SimInterface(
        mjcf=mjcf,
        joints=entry.entries("joints", _read_text),
        actuators=entry.entries("actuators", _read_text),
        servos=entry.entries("servos", _read_servo),
        mimics=entry.entries("mimics", _read_mimic),
        held_actuators=entry.entries("held_actuators", _read_number),
        gravity_compensation=entry.flag("gravity_compensation", True),
    )
    entry.finish()
    refuse_unknown_joints(entry, "joints", sim.joints, names)
    refuse_unknown_joints(entry, "actuators", sim.actuators, names)
    refuse_unknown_joints(entry, "servos", sim.servos, names)
    if entry.is_sound("mimics"):
        followed = [mimic.joint for mimic in sim.mimics.values()]
        refuse_unknown_joints(entry, "mimics", followed, names)
    return sim


def refuse_unknown_joints(
    entry: StrictMapping, key: str, given: Iterable[str], names: tuple[str, ...]
) -> None:
    """Refuse each joint that is given at `key` and is not among `names`.

    Args:
        entry: mapping that the joints are given in.
        key: key in `entry` that gives them.
        given: the joints that are named.
        names: names of the profile's joints.
    """
    for name in given:
        if name not in names:
            entry.refuse(unknown_choice("joint", name, names), key)


def _read_text(parent: StrictMapping, name: str) -> str:
    return parent.text(name)


def _read_number(parent: StrictMapping, name: str) -> float:
    return parent.number(name)


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


def read_real(
    entry: StrictMapping | None, names: tuple[str, ...]
) -> Ros2ControlInterface | BusInterface | None:
    """How a real arm is reached."""
    if entry is None:
        return None
    kind = entry.deciding_choice("kind", ["ros2_control", "bus"])
    real = _read_ros2_control(entry, names) if kind == "ros2_control" else _read_bus(entry, names)
    entry.finish()
    return real


def _read_ros2_control(entry: StrictMapping, names: tuple[str, ...]) -> Ros2ControlInterface:
    joints = entry.texts("joints", names)
    refuse_unknown_joints(entry, "joints", joints, names)
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
        entry.refuse(text, "motors")
    ids = [motor.id for motor in bus.motors.values()]
    if entry.is_sound("motors") and len(set(ids)) != len(ids):
        entry.refuse(f"two motors share an id: {ids}", "motors")
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


def read_leader(entry: StrictMapping, arms: tuple[Arm, ...]) -> Leader:
    """A leader arm that drives one of `arms`, of which there is at least one."""
    name = entry.deciding_choice("arm", [arm.name for arm in arms])
    arm = next(arm for arm in arms if arm.name == name)
    joints = tuple(_read_leader_joint(nested, arm) for nested in entry.mappings("joints"))
    followers = [joint.follower for joint in joints]
    if entry.is_sound("joints") and sorted(followers) != sorted(arm.joints):
        text = f"expected each of {', '.join(arm.joints)} once as a follower; found"
        entry.refuse(f"{text} {', '.join(followers) or '(none)'}", "joints")
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
        entry.refuse(f"the arm '{arm.name}' has no gripper")
    gripper = LeaderGripper(entry.text("leader"), entry.number("open"), entry.number("closed"))
    entry.finish()
    if gripper.open == gripper.closed:
        entry.refuse("open and closed are the same value", "closed")
    return gripper


def _read_sign(entry: StrictMapping) -> int:
    sign = entry.integer("sign", 1)
    if sign not in (-1, 1):
        entry.refuse(f"expected 1 or -1, found {sign}", "sign")
    return sign
