"""Small arms of makes that are not ours, each with what made its kind fail once.

Only joints, gains, friction, limits and fingers are like those of real arms; links are bare masses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile

HEAD = """
<mujoco>
  <compiler angle="radian" autolimits="true"/>
  <default>
    <geom contype="0" conaffinity="0" type="sphere" size="0.05" mass="0.4"/>
    <default class="pad">
      <geom contype="1" conaffinity="1" type="box" mass="0.02" condim="4" friction="1 0.005 0.0001"
            solref="0.01 1"/>
    </default>
    <default class="pivot"><joint range="0 0.8" armature="0.005" damping="0.1"/></default>
    <default class="rail">
      <joint type="slide" range="0 0.041" armature="0.25" damping="40"/>
    </default>
  </default>
"""


def facing_pair(folder: Path, floor_m: float = 0.022) -> RobotProfile:
    """Two six-joint arms that face each other, of the ViperX's kind.

    Soft servos whose damping stands in the joints, dry friction that swallows 8 mrad, fingers that
    are 4 mm apart when they are closed, and stay well above the middle of a thin object.
    """
    kinds = {
        "waist": ("0 0 1", 3.1, 'damping="5.8"', 43),
        "shoulder": ("0 1 0", 1.8, 'armature="0.4" frictionloss="2" damping="20"', 265),
        "elbow": ("0 1 0", 1.7, 'armature="0.4" frictionloss="1.2" damping="18"', 227),
        "roll": ("1 0 0", 3.1, 'armature="0.14" damping="6.8"', 78),
        "wrist": ("0 1 0", 2.2, 'armature="0.01" damping="6.3"', 37),
        "turn": ("1 0 0", 3.1, 'damping="1.2"', 10.4),
    }
    places = ["0 0 0.1", "0 0 0.05", "0.06 0 0.3", "0.2 0 0", "0.1 0 0", "0.07 0 0"]
    bodies, actuators, joints, arms, names = "", "", [], [], {}
    home = dict(zip(kinds, (0.0, -0.064, 0.442, 0.0, 1.193, 0.0), strict=True))
    for arm, x, turn, box in (
        ("left", -0.469, "1 0 0 0", (-0.25, 0.0)),
        ("right", 0.469, "0 0 0 1", (0.0, 0.25)),
    ):
        bodies += f'<body name="{arm}_base" pos="{x} 0 0" quat="{turn}">'
        for place, (kind, (axis, limit, rest, kp)) in zip(places, kinds.items(), strict=True):
            bodies += f'<body name="{arm}_{kind}" pos="{place}"><geom pos="0.05 0 0"/>'
            bodies += f'<joint name="{arm}_{kind}" axis="{axis}" range="-{limit} {limit}" {rest}/>'
            actuators += f'<position joint="{arm}_{kind}" kp="{kp}"/>'
            joints.append(_joint(f"{arm}_{kind}", (-limit, limit), home[kind], 3.14, 20))
        bodies += f'<site name="{arm}_tip" pos="0.15 0 0"/>'
        for side, sign in (("a", 1), ("b", -1)):
            bodies += f'<body name="{arm}_{side}" pos="0.05 0 0">'
            bodies += f'<joint name="{arm}_{side}" class="rail" axis="0 {sign} 0"/>'
            bodies += (
                f'<geom class="pad" size="0.06 0.006 0.01" pos="0.06 {sign * 0.006} 0"/></body>'
            )
        bodies += "</body>" * 7
        actuators += f'<position joint="{arm}_a" kp="2000" kv="124" ctrlrange="0.002 0.037"/>'
        joints.append(_slider(f"{arm}_gripper", (0.002, 0.037), 0.037))
        names[f"{arm}_gripper"] = f"{arm}_a"
        low, high = (box[0], -0.15, floor_m), (box[1], 0.15, 0.25)
        arms.append(
            _arm(
                arm,
                [f"{arm}_{kind}" for kind in kinds],
                f"site: {arm}_tip, quaternion_wxyz: [0.70711, 0, 0.70711, 0]",
                f"joint: {arm}_gripper, open_m: 0.037, closed_m: 0.002, clear_width_m: 0.07",
                (low, high),
            )
        )
    ties = "".join(f'<joint joint1="{arm}_b" joint2="{arm}_a"/>' for arm in ("left", "right"))
    return _write(folder, "facing_pair", bodies, ties, actuators, joints, arms, names)


def endless_joints(folder: Path) -> RobotProfile:
    """Seven joints, four of them without limits, of the Gen3's kind, with fingers that pivot.

    Its wrist is near a singularity at home, as the maker's own home position is.
    """
    limits = [3.14, 2.24, 3.2, 2.56, 3.14, 2.09, 3.14]
    home = [0.7357, 1.0109, 1.5621, -1.6246, 1.0112, -1.5496, 2.2563]
    places = [
        ("0 0 0.156", "0 1 0 0"),
        ("0 0.005 -0.128", "1 1 0 0"),
        ("0 -0.21 -0.006", "1 -1 0 0"),
        ("0 0.006 -0.21", "1 1 0 0"),
        ("0 -0.208 -0.006", "1 -1 0 0"),
        ("0 0 -0.106", "1 1 0 0"),
        ("0 -0.106 0", "1 -1 0 0"),
    ]
    bodies, actuators, joints = '<body name="base">', "", []
    for index, (place, turn) in enumerate(places):
        name, span = f"joint_{index + 1}", f'range="-{limits[index]} {limits[index]}"'
        bodies += f'<body name="link_{index + 1}" pos="{place}" quat="{turn}">'
        bodies += '<inertial pos="0 0 -0.03" mass="0.7" diaginertia="0.002 0.002 0.0005"/>'
        bodies += f'<joint name="{name}" axis="0 0 1" {span if index % 2 else ""}/>'
        gains = 'kp="2000" kv="100" forcerange="-105 105"'
        if index > 3:
            gains = 'kp="500" kv="50" forcerange="-52 52"'
        actuators += f'<position joint="{name}" {gains}/>'
        bound = (-limits[index], limits[index])
        joints.append(_joint(name, bound, home[index], 1.2, 39 if index < 4 else 13, 5))
    bodies += '<site name="pinch" pos="0 0 -0.2" quat="0 1 0 0"/>'
    for side, sign in (("a", 1), ("b", -1)):
        # Each finger swings inwards about a pin above it, so that its pad moves along an arc.
        bodies += f'<body name="{side}" pos="0 {-sign * 0.03} -0.1"><joint name="{side}" '
        bodies += f'class="pivot" axis="{sign} 0 0"/><geom class="pad" '
        bodies += f'size="0.011 0.004 0.012" pos="0 {-sign * 0.0165} -0.1"/></body>'
    bodies += "</body>" * 8
    ties = '<joint joint1="b" joint2="a"/>'
    actuators += '<general name="fingers" tendon="split" biastype="affine" forcerange="-5 5" '
    actuators += 'ctrlrange="0 255" gainprm="0.08" biasprm="0 -51 -5"/>'
    tendon = (
        '<tendon><fixed name="split"><joint joint="a" coef="0.5"/><joint joint="b" coef="0.5"/>'
    )
    names = [f"joint_{index + 1}" for index in range(7)]
    joints.append(_joint("gripper", (0.0, 0.39), 0.0, 1.0, 5, 20))
    arm = _arm(
        "arm",
        names,
        "site: pinch",
        "joint: gripper, open_rad: 0.0, closed_rad: 0.39, clear_width_m: 0.085",
        ((0.35, -0.2, 0.015), (0.55, 0.2, 0.4)),
    )
    maps = {"gripper": "a"}
    return _write(
        folder,
        "endless_joints",
        bodies,
        ties,
        actuators,
        joints,
        [arm],
        maps,
        tendon + "</fixed></tendon>",
        "    actuators: {gripper: fingers}\n",
    )


def one_jaw(
    folder: Path, velocity_rad_s: float = 3.0, open_rad: float = -0.8, clear_m: float = 0.048
) -> RobotProfile:
    """A desktop arm of five joints of which one jaw turns, with heavy gears and slow servos."""
    bodies = '<body name="base" quat="-0.707 0 0 0.707">'
    places = [
        "0.01 0 0.041",
        "0 -0.02 0.015",
        "-0.015 0.0065 0.108",
        "-0.1 0 0.003",
        "-0.045 0.013 0",
    ]
    axes = ["0 0 -1", "0 1 0", "0 -1 0", "0 1 0", "1 0 0"]
    limits = [(-2.2, 2.2), (-1.57, 0.6), (-1.57, 1.45), (-2.0, 2.0), (-3.14, 3.14)]
    home = [0.054, -0.494, -0.72, -1.797, 0.054]
    names = ["pan", "lift", "elbow", "bend", "roll"]
    rest = 'armature="0.5" damping="1.5" frictionloss="0.2"'
    actuators, joints = "", []
    for name, place, axis, (low, high), stand in zip(
        names, places, axes, limits, home, strict=True
    ):
        bodies += f'<body name="{name}" pos="{place}">'
        bodies += '<inertial pos="0 0 0" mass="0.05" diaginertia="2e-5 2e-5 1e-5"/>'
        bodies += f'<joint name="{name}" axis="{axis}" range="{low} {high}" {rest}/>'
        actuators += f'<position joint="{name}" kp="100" kv="10" forcerange="-12 12"/>'
        joints.append(_joint(name, (low, high), stand, velocity_rad_s, 1.5, 20))
    bodies += '<geom class="pad" size="0.004 0.002 0.005" pos="-0.065 0.0105 0"/>'
    bodies += '<body name="jaw" pos="-0.013 -0.0075 0"><joint name="jaw" axis="0 0 -1" '
    bodies += f'range="-1.6 0.032" {rest}/>'
    bodies += '<geom class="pad" size="0.004 0.002 0.005" pos="-0.052 0.0113 0"/></body>'
    bodies += "</body>" * 6
    actuators += '<position joint="jaw" kp="100" kv="10" forcerange="-5 5"/>'
    joints.append(_joint("jaw", (-1.6, 0.032), open_rad, velocity_rad_s, 1, 20))
    arm = _arm(
        "arm",
        names,
        "body: roll, position_m: [-0.065, -0.0075, 0], quaternion_wxyz: [0.70711, 0, -0.70711, 0]",
        f"joint: jaw, open_rad: {open_rad}, closed_rad: 0.03, clear_width_m: {clear_m}",
        ((-0.08, 0.10, 0.008), (0.08, 0.20, 0.12)),
    )
    return _write(folder, "one_jaw", bodies, "", actuators, joints, [arm], {})


def short_wrist(folder: Path) -> RobotProfile:
    """Seven joints and torque motors, of the OpenArm's kind: a wrist of +-45 degrees, no gripper.

    One joint stands near its limit at home, and the light wrist has strong gains.
    """
    limits = [(-1.4, 3.5), (-1.75, 1.75), (-1.57, 1.57), (0, 2.44), (-1.57, 1.57)]
    limits += [(-0.785, 0.785), (-1.57, 1.57)]
    places = ["0 0 0.06", "-0.03 0 0.06", "0.03 0 0.066", "0 0.03 0.154", "0 -0.03 0.0955"]
    places += ["0.0375 0 0.1205", "-0.0375 0 0"]
    axes = ["0 0 1", "-1 0 0", "0 0 1", "0 1 0", "0 0 1", "1 0 0", "0 1 0"]
    efforts = [40, 40, 27, 27, 7, 7, 7]
    home = [0.73, -0.27, -0.54, 1.52, -0.21, 0.2, 1.48]
    bodies, actuators, joints, servos = '<body name="base">', "", [], "    servos:\n"
    for index in range(7):
        low, high = limits[index]
        name = f"joint{index + 1}"
        bodies += f'<body name="link{index + 1}" pos="{places[index]}">'
        size = 0.003 if index < 4 else 0.0004
        inertia = f'mass="{1 if index < 4 else 0.5}" diaginertia="{size} {size} {size}"'
        bodies += f'<inertial pos="0 0 0.04" {inertia}/>'
        bodies += f'<joint name="{name}" axis="{axes[index]}" range="{low} {high}" damping="0.25"/>'
        actuators += f'<motor joint="{name}"/>'
        joints.append(_joint(name, (low, high), home[index], 2.0, efforts[index]))
        effort = efforts[index]
        servos += f"      {name}: {{stiffness: {20 * effort}, damping: {2 * effort}}}\n"
    bodies += '<site name="tip" pos="0 0 0.165"/>' + "</body>" * 8
    names = [f"joint{index + 1}" for index in range(7)]
    box = ((0.15, -0.2, 0.05), (0.35, 0.2, 0.4))
    arm = _arm("arm", names, "site: tip", "", box)
    return _write(folder, "short_wrist", bodies, "", actuators, joints, [arm], {}, interface=servos)


FOREIGN_ARMS: Mapping[str, Callable[[Path], RobotProfile]] = {
    "facing_pair": facing_pair,
    "endless_joints": endless_joints,
    "one_jaw": one_jaw,
    "short_wrist": short_wrist,
}


def _joint(
    name: str,
    limits: tuple[float, float],
    home: float,
    velocity: float,
    effort: float,
    acceleration: float = 15,
) -> str:
    return (
        f"  - {{name: {name}, kind: revolute, position_rad: [{limits[0]}, {limits[1]}], "
        f"home_rad: {home}, velocity_rad_s: {velocity}, acceleration_rad_s2: {acceleration}, "
        f"effort_nm: {effort}}}\n"
    )


def _slider(name: str, limits: tuple[float, float], home: float) -> str:
    return (
        f"  - {{name: {name}, kind: prismatic, position_m: [{limits[0]}, {limits[1]}], "
        f"home_m: {home}, velocity_m_s: 0.1, acceleration_m_s2: 1, effort_n: 20}}\n"
    )


def _arm(
    name: str,
    joints: Sequence[str],
    frame: str,
    gripper: str,
    box: tuple[tuple[float, float, float], tuple[float, float, float]],
) -> str:
    grips = f"    gripper: {{{gripper}}}\n" if gripper else ""
    return (
        f"  - name: {name}\n    joints: [{', '.join(joints)}]\n"
        f"    end_effector: {{{frame}}}\n{grips}"
        f"    workspace_m: {{min: {list(box[0])}, max: {list(box[1])}}}\n"
    )


def _write(
    folder: Path,
    name: str,
    bodies: str,
    ties: str,
    actuators: str,
    joints: Sequence[str],
    arms: Sequence[str],
    names: Mapping[str, str],
    tendon: str = "",
    interface: str = "",
) -> RobotProfile:
    mjcf = f"{HEAD}<worldbody>{bodies}</worldbody>{tendon}<equality>{ties}</equality>"
    mjcf += f"<actuator>{actuators}</actuator></mujoco>"
    (folder / "arm.xml").write_text(mjcf, encoding="utf-8")
    maps = "".join(f"      {joint}: {own}\n" for joint, own in names.items())
    profile = (
        f"schema_version: 1\nname: {name}\ncontrol_rate_hz: 100\njoints:\n{''.join(joints)}"
        f"arms:\n{''.join(arms)}interfaces:\n  sim:\n    mjcf: arm.xml\n"
        + (f"    joints:\n{maps}" if maps else "")
        + interface
    )
    (folder / "robot.yaml").write_text(profile, encoding="utf-8")
    return load_profile(folder)
