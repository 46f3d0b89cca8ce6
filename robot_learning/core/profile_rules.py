"""What must hold in a `robot.yaml` beyond the types of its values.

Each rule is a function from what was read to its mistakes. NaN stands for a number that could not
be read, an empty text for a name; no rule holds them against anybody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from robot_learning.core.decoding import Mistake
from robot_learning.core.draft import Draft
from robot_learning.core.errors import unknown_choice
from robot_learning.core.profile import (
    BusInterface,
    Camera,
    Frame,
    Joint,
    JointKind,
    Leader,
    Motor,
    Quaternion,
    SerialBus,
    SimInterface,
    Workspace,
)
from robot_learning.core.profile_file import (
    ArmEntry,
    GripperEntry,
    PrismaticEntry,
    RevoluteEntry,
    RobotFile,
)

SCHEMA_VERSION = 1
# No joint of an arm turns more than two turns either way; a larger limit was meant in degrees.
LARGEST_ANGLE_RAD = 4 * math.pi
# Nor does one turn faster than ten turns a second, or travel further than this.
LARGEST_VELOCITY_RAD_S = 20 * math.pi
LARGEST_TRAVEL_M = 20.0
_TOPIC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def profile_mistakes(draft: Draft[RobotFile], folder: Path) -> list[Mistake]:
    """All mistakes of a profile in `folder`, in its order, but none that follows from another."""
    version = draft.value.schema_version
    if draft.is_read("schema_version") and version != SCHEMA_VERSION:
        return [Mistake("schema_version", f"this version reads {SCHEMA_VERSION}, found {version}")]
    broken = [each for each in _rules(draft, folder) if not draft.is_lost(each.key)]
    return sorted([*draft.mistakes, *broken], key=_place)


def _place(mistake: Mistake) -> tuple[float, float]:
    """Where a mistake stands in the order of keys; what concerns a whole list comes last in it."""
    section, _, rest = mistake.key.partition(".")[0].partition("[")
    sections = RobotFile.__struct_fields__
    index = float(rest.removesuffix("]")) if rest else math.inf
    return (sections.index(section) if section in sections else math.inf, index)


def _rules(draft: Draft[RobotFile], folder: Path) -> Iterator[Mistake]:
    file = draft.value
    sound: dict[str, Joint] = {}
    for index, entry in enumerate(file.joints):
        key = f"joints[{index}]"
        broken = list(_joint_rules(entry, key))
        yield from broken
        if draft.is_read(key) and not broken:
            sound[entry.name] = entry.joint()
    names = [entry.name for entry in file.joints]
    yield from _repeats(names, "joints")
    yield from _camera_rules(file.cameras)
    if not names or not all(names):
        text = "expected at least one, each with a name; the rest is checked when that is so"
        yield Mistake("joints", text)
        return
    broken = list(_arm_rules(file.arms, names, sound))
    yield from broken
    yield from _interface_rules(draft, folder, names)
    if draft.is_read("arms") and not broken:
        yield from _usage_rules(file.arms, names)
        yield from _leader_rules(file.leaders, file.arms)


def _joint_rules(entry: RevoluteEntry | PrismaticEntry, key: str) -> Iterator[Mistake]:
    joint = entry.joint()
    unit = joint.kind.position_unit
    limits = f"{key}.position_{unit}"
    if joint.kind is JointKind.REVOLUTE and joint.velocity_max > LARGEST_VELOCITY_RAD_S:
        text = f"{joint.velocity_max:g} is more than ten turns a second; radians, not degrees"
        yield Mistake(f"{key}.velocity_{unit}_s", text)
    if isinstance(entry, PrismaticEntry) and entry.continuous:
        yield Mistake(f"{key}.continuous", "only a revolute joint turns without end")
    if isinstance(entry, RevoluteEntry) and (entry.position_rad is None) != entry.continuous:
        if entry.continuous:
            text = "a continuous joint has no limits; leave them out, or 'continuous'"
            yield Mistake(limits, text)
        else:
            text = "the key 'position_rad' is missing; give [lower, upper], or 'continuous: true'"
            yield Mistake(key, text)
        return
    broken = list(_limit_rules(joint, limits))
    yield from broken
    if joint.continuous and abs(joint.home) > math.pi:
        text = f"{joint.home:g} is not within one turn, [-pi, pi]"
        yield Mistake(f"{key}.home_{unit}", text)
    if not broken and (joint.home < joint.position_min or joint.home > joint.position_max):
        text = f"{joint.home:g} lies outside {_span(joint)}"
        yield Mistake(f"{key}.home_{unit}", text)


def _limit_rules(joint: Joint, key: str) -> Iterator[Mistake]:
    low, high = joint.position_min, joint.position_max
    if joint.continuous:
        return
    if low >= high:
        text = f"the limits are inverted: the lower is {low:g}, the upper {high:g}"
        yield Mistake(key, text)
    largest = max(abs(low), abs(high))
    if joint.kind is JointKind.REVOLUTE and largest > LARGEST_ANGLE_RAD:
        text = f"{_span(joint)} is more than two turns; angles are in radians, not degrees"
        yield Mistake(key, text)
    if joint.kind is JointKind.PRISMATIC and largest > LARGEST_TRAVEL_M:
        text = f"{_span(joint)} is beyond {LARGEST_TRAVEL_M:g} m; metres, not millimetres"
        yield Mistake(key, text)


def _arm_rules(
    arms: tuple[ArmEntry, ...], names: list[str], sound: Mapping[str, Joint]
) -> Iterator[Mistake]:
    if not arms:
        yield Mistake("arms", "a robot needs at least one arm")
    for index, arm in enumerate(arms):
        key = f"arms[{index}]"
        yield from _topic_rule(arm.name, f"{key}.name")
        yield from _unknown_joints(arm.joints, names, f"{key}.joints")
        if not arm.joints:
            yield Mistake(f"{key}.joints", "an arm needs at least one joint")
        yield from _frame_rules(arm.end_effector, f"{key}.end_effector")
        if arm.gripper is not None:
            yield from _unknown_joints([arm.gripper.joint], names, f"{key}.gripper.joint")
            if arm.gripper.joint in arm.joints:
                text = "the gripper's joint must not be one of the arm's joints"
                yield Mistake(f"{key}.gripper.joint", text)
            # What its values must be is known when the joint is right.
            if joint := sound.get(arm.gripper.joint):
                yield from _gripper_rules(arm.gripper, joint, f"{key}.gripper")
        yield from _box_rules(arm.workspace_m, f"{key}.workspace_m")
    yield from _repeats([arm.name for arm in arms], "arms")


def _gripper_rules(gripper: GripperEntry, joint: Joint, key: str) -> Iterator[Mistake]:
    if joint.continuous:
        text = f"'{joint.name}' is continuous; a gripper opens and closes"
        yield Mistake(f"{key}.joint", text)
    unit, other = ("rad", "m") if joint.kind is JointKind.REVOLUTE else ("m", "rad")
    kind = f"the joint '{joint.name}' is {joint.kind.value}"
    for state in ("open", "closed"):
        value = gripper.value(state, unit)
        if gripper.value(state, other) is not None:
            yield Mistake(f"{key}.{state}_{other}", f"{kind}; give '{state}_{unit}'")
        elif value is None:
            yield Mistake(key, f"the key '{state}_{unit}' is missing; {kind}")
        if value is not None and (value < joint.position_min or value > joint.position_max):
            text = f"{value:g} lies outside the joint's {_span(joint)}"
            yield Mistake(f"{key}.{state}_{unit}", text)
    opened, closed = gripper.value("open", unit), gripper.value("closed", unit)
    if opened is not None and opened == closed:
        yield Mistake(f"{key}.closed_{unit}", "open and closed are the same value")


def _usage_rules(arms: tuple[ArmEntry, ...], names: list[str]) -> Iterator[Mistake]:
    """Each joint belongs to exactly one arm."""
    used = [name for arm in arms for name in arm.joints]
    used += [arm.gripper.joint for arm in arms if arm.gripper]
    for name in dict.fromkeys(names):
        if used.count(name) != 1:
            often = "by no arm" if name not in used else "by more than one arm"
            yield Mistake("arms", f"the joint '{name}' is used {often}")


def _camera_rules(cameras: tuple[Camera, ...]) -> Iterator[Mistake]:
    for index, camera in enumerate(cameras):
        key = f"cameras[{index}]"
        yield from _topic_rule(camera.name, f"{key}.name")
        if camera.mjcf_camera is not None and camera.pose is not None:
            yield Mistake(key, "give 'mjcf_camera' or 'pose', not both")
        if camera.mjcf_camera is None and camera.pose is None and camera.topic is None:
            text = "give at least one of 'mjcf_camera', 'pose' (simulation) and 'topic'"
            yield Mistake(key, text)
        if camera.pose is not None:
            yield from _unit_rule(camera.pose.quaternion_wxyz, f"{key}.pose")
            if camera.pose.fovy_rad >= math.pi:
                text = f"{camera.pose.fovy_rad:g} is not below pi; radians, not degrees"
                yield Mistake(f"{key}.pose.fovy_rad", text)
    yield from _repeats([camera.name for camera in cameras], "cameras")


def _interface_rules(draft: Draft[RobotFile], folder: Path, names: list[str]) -> Iterator[Mistake]:
    sim, real = draft.value.interfaces.sim, draft.value.interfaces.real
    if sim is None and real is None:
        yield Mistake("interfaces", "give at least one of 'sim' and 'real'")
    if sim is not None:
        yield from _sim_rules(sim, folder, names)
    if isinstance(real, BusInterface):
        yield from _bus_rules(draft, real, names)
    elif real is not None:
        yield from _unknown_joints(real.joints, names, "interfaces.real.joints")


def _sim_rules(sim: SimInterface, folder: Path, names: list[str]) -> Iterator[Mistake]:
    key = "interfaces.sim"
    if not (folder / sim.mjcf).is_file():
        yield Mistake(f"{key}.mjcf", f"there is no file {folder / sim.mjcf}")
    yield from _unknown_joints(sim.joints, names, f"{key}.joints")
    yield from _unknown_joints(sim.actuators, names, f"{key}.actuators")
    yield from _unknown_joints(sim.servos, names, f"{key}.servos")
    followed = [mimic.joint for mimic in sim.mimics.values()]
    yield from _unknown_joints(followed, names, f"{key}.mimics")


def _bus_rules(draft: Draft[RobotFile], real: BusInterface, names: list[str]) -> Iterator[Mistake]:
    key = "interfaces.real"
    if not real.buses:
        yield Mistake(f"{key}.buses", "servos need at least one bus")
    for index, bus in enumerate(real.buses):
        if (bus.adapter is None) == (bus.port is None):
            text = "give exactly one of 'adapter' (its serial number) and 'port'"
            yield Mistake(f"{key}.buses[{index}]", text)
    yield from _repeats([bus.name for bus in real.buses], f"{key}.buses")
    yield from _repeats([bus.adapter or bus.port or "" for bus in real.buses], f"{key}.buses")
    if set(real.motors) != set(names):
        found = ", ".join(real.motors) or "(none)"
        text = f"expected one motor for each of {', '.join(names)}; found {found}"
        yield Mistake(f"{key}.motors", text)
    if draft.is_read(f"{key}.motors"):
        used = {motor.bus for motor in real.motors.values()}
        for index, bus in enumerate(real.buses):
            if bus.name and bus.name not in used:
                yield Mistake(f"{key}.buses[{index}]", f"no motor is on the bus '{bus.name}'")
    if draft.is_read(f"{key}.buses"):
        buses = {bus.name: bus for bus in real.buses}
        for name, motor in real.motors.items():
            yield from _motor_rules(motor, buses, f"{key}.motors.{name}")
    for bus in real.buses:
        yield from _id_rules(draft, real, bus.name)
    if draft.is_read("arms") and draft.is_read("joints"):
        yield from _moved_rules(draft.value, real)


def _motor_rules(motor: Motor, buses: Mapping[str, SerialBus], key: str) -> Iterator[Mistake]:
    if motor.bus and motor.bus not in buses:
        yield Mistake(f"{key}.bus", unknown_choice("bus", motor.bus, buses))
    elif motor.shadow is not None and motor.bus and buses[motor.bus].protocol == "feetech":
        text = "only a servo of the protocol dynamixel obeys the id of another"
        yield Mistake(f"{key}.shadow", text)


def _id_rules(draft: Draft[RobotFile], real: BusInterface, bus: str) -> Iterator[Mistake]:
    """Each id is on a bus once."""
    key, ids = "interfaces.real.motors", []
    for name, motor in real.motors.items():
        if motor.bus == bus and bus:
            # What stands for an id that could not be read is not one.
            ids += [motor.id] if draft.is_read(f"{key}.{name}.id") else []
            ids += [] if motor.shadow is None else [motor.shadow]
    if len(set(ids)) != len(ids):
        yield Mistake(key, f"two motors on the bus '{bus}' share an id: {ids}")


def _moved_rules(file: RobotFile, real: BusInterface) -> Iterator[Mistake]:
    """What a motor is asked for that its joint does not do."""
    grippers = [arm.gripper.joint for arm in file.arms if arm.gripper]
    endless = [entry.name for entry in file.joints if entry.continuous]
    for name, motor in real.motors.items():
        key = f"interfaces.real.motors.{name}"
        if name in endless:
            text = f"'{name}' is continuous; servos here go to positions within limits"
            yield Mistake(key, text)
        if motor.stall_hold_s is not None and name not in grippers:
            valid = ", ".join(grippers) or "(none)"
            text = f"only a gripper holds what it has closed on; grippers: {valid}"
            yield Mistake(f"{key}.stall_hold_s", text)


def _leader_rules(leaders: tuple[Leader, ...], arms: tuple[ArmEntry, ...]) -> Iterator[Mistake]:
    known = {arm.name: arm for arm in arms}
    for index, leader in enumerate(leaders):
        key = f"leaders[{index}]"
        if leader.arm in known:
            yield from _leader_joint_rules(leader, known[leader.arm], f"{key}.joints")
            yield from _leader_gripper_rules(leader, known[leader.arm], f"{key}.gripper")
        elif leader.arm:
            yield Mistake(f"{key}.arm", unknown_choice("arm", leader.arm, known))
    yield from _repeats([leader.arm for leader in leaders], "leaders")


def _leader_joint_rules(leader: Leader, arm: ArmEntry, key: str) -> Iterator[Mistake]:
    followers = [joint.follower for joint in leader.joints]
    unknown = [
        Mistake(f"{key}[{index}].follower", unknown_choice("joint", name, arm.joints))
        for index, name in enumerate(followers)
        if name and name not in arm.joints
    ]
    yield from unknown
    if not unknown and all(followers) and sorted(followers) != sorted(arm.joints):
        text = f"expected each of {', '.join(arm.joints)} once as a follower; found"
        yield Mistake(key, f"{text} {', '.join(followers) or '(none)'}")


def _leader_gripper_rules(leader: Leader, arm: ArmEntry, key: str) -> Iterator[Mistake]:
    if leader.gripper is not None:
        if arm.gripper is None:
            yield Mistake(key, f"the arm '{arm.name}' has no gripper")
        if leader.gripper.open == leader.gripper.closed:
            yield Mistake(f"{key}.closed", "open and closed are the same value")


def _frame_rules(frame: Frame, key: str) -> Iterator[Mistake]:
    if (frame.site is None) == (frame.body is None):
        text = "give exactly one of 'site' and 'body' (a name in the MJCF model)"
        yield Mistake(key, text)
    yield from _unit_rule(frame.quaternion_wxyz, key)


def _box_rules(box: Workspace, key: str) -> Iterator[Mistake]:
    for axis, low, high in zip("xyz", box.min_m, box.max_m, strict=True):
        if low >= high:
            yield Mistake(key, f"inverted along {axis}: min {low:g}, max {high:g}")


def _unit_rule(quaternion: Quaternion, key: str) -> Iterator[Mistake]:
    norm = math.hypot(*quaternion)
    if abs(norm - 1.0) > 1e-2:
        text = f"not a unit quaternion: its norm is {norm:g}"
        yield Mistake(f"{key}.quaternion_wxyz", text)


def _topic_rule(name: str, key: str) -> Iterator[Mistake]:
    if name and _TOPIC_NAME.fullmatch(name) is None:
        text = f"'{name}' becomes part of a topic: a letter, then letters, digits, underscores"
        yield Mistake(key, text)


def _unknown_joints(given: Iterable[str], names: list[str], key: str) -> Iterator[Mistake]:
    for name in given:
        if name and name not in names:
            yield Mistake(key, unknown_choice("joint", name, names))


def _repeats(names: list[str], key: str) -> Iterator[Mistake]:
    for name in dict.fromkeys(names):
        if name and names.count(name) > 1:
            yield Mistake(key, f"duplicate name '{name}'")


def _span(joint: Joint) -> str:
    return f"[{joint.position_min:g}, {joint.position_max:g}]"
