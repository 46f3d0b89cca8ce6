"""What is suspicious about a robot profile that fits its model: warnings for people, no errors."""

from __future__ import annotations

import mujoco
import numpy as np

from robot_learning.core.profile import Arm
from robot_learning.core.types import FloatArray
from robot_learning.sim.composition import PREFIX, parse_mjcf, sim_interface
from robot_learning.sim.fingers import finger_width_m
from robot_learning.sim.kinematics import ArmKinematics, down_quaternion, tilt_of
from robot_learning.sim.linkages import carries, is_in_a_loop
from robot_learning.sim.model import SimModel, home_qpos, self_contacts
from robot_learning.sim.physics_options import options_not_taken
from robot_learning.sim.servo_trial import review_servos

# The tasks and experts expect the hand at home to point down at least this well.
_HOME_TILT_RAD = 0.6
# A corner of the workspace counts as reached when the hand comes this near, pointing down.
_REACHED_M, _REACHED_RAD = 0.01, 0.3
_STEPS = 200
_STEP_M, _STEP_RAD = 0.03, 0.15
# Fingers may be this much nearer or further than the profile says, in metres and as a share of the
# clear width; and the hand this deep in the table.
_WIDTH_M, _WIDTH_SHARE = 0.006, 0.12
_IN_TABLE_M = 0.003


def review(simulation: SimModel) -> list[str]:
    """One line for each thing that will probably not work as meant."""
    lines = [
        f"at home '{first}' touches '{second}', which can jam a joint; exclude the pair in the "
        "MJCF (<contact><exclude .../>) or change the home position"
        for first, second in self_contacts(simulation)
    ]
    lines += [
        f"nothing drives the joint '{name}', so it swings freely; let it follow a joint of the "
        "profile (interfaces.sim.mimics), or weld it"
        for name in undriven_joints(simulation)
    ]
    mjcf = sim_interface(simulation.profile).mjcf
    if options := options_not_taken(parse_mjcf(mjcf).option, simulation.mj_model):
        lines.append(
            f"the scene decides its physics; of {mjcf.name} are not taken: {', '.join(options)}"
        )
    lines += review_servos(simulation)
    for index, arm in enumerate(simulation.profile.arms):
        lines += _review_arm(simulation, arm, f"arms[{index}]")
    return lines


def undriven_joints(simulation: SimModel) -> list[str]:
    """The robot's joints that no actuator moves and that no constraint ties to anything."""
    model = simulation.mj_model
    known = {*simulation.qpos_addresses.tolist()}
    known |= {coupling.follower_address for coupling in simulation.actuation.couplings}
    driven = {
        int(model.actuator_trnid[actuator, 0])
        for actuator in range(model.nu)
        if int(model.actuator_trntype[actuator]) == mujoco.mjtTrn.mjTRN_JOINT
    }
    names = []
    for joint in range(model.njnt):
        name = model.joint(joint).name
        if not name.startswith(PREFIX) or int(model.jnt_qposadr[joint]) in known:
            continue
        if joint not in driven and not is_in_a_loop(model, int(model.jnt_bodyid[joint])):
            names.append(name.removeprefix(PREFIX))
    return names


def _review_arm(simulation: SimModel, arm: Arm, key: str) -> list[str]:
    kinematics = ArmKinematics(simulation, arm)
    position, rotation = kinematics.forward(kinematics.home)
    low, high = np.array(arm.workspace.min_m), np.array(arm.workspace.max_m)
    outside = position - np.clip(position, low, high)
    lines = []
    if float(np.linalg.norm(outside)) > 1e-3:
        where = ", ".join(f"{value:.3f}" for value in position)
        lines.append(
            f"{key}.workspace_m: at home the end effector of '{arm.name}' stands at [{where}] m, "
            "outside of the workspace box"
        )
    tilt_rad = tilt_of(rotation)
    if tilt_rad > _HOME_TILT_RAD:
        lines.append(
            f"{key}.end_effector: at home its z axis is {np.degrees(tilt_rad):.0f} degrees away "
            "from straight down; z has to point out of the gripper, and the tasks expect a hand "
            "that points down"
        )
    lines += _review_fingers(simulation, arm, f"{key}.gripper")
    lines += _review_floor(simulation, arm, key)
    closing = float(np.arctan2(rotation[1, 1], rotation[0, 1]))
    corners = [(x, y, low[2]) for x in (low[0], high[0]) for y in (low[1], high[1])]
    missed = [c for c in corners if not _reaches(kinematics, np.array(c), closing)]
    if missed:
        where = ", ".join("[" + ", ".join(f"{value:g}" for value in c) + "]" for c in missed)
        lines.append(
            f"{key}.workspace_m: the hand of '{arm.name}', pointing down, does not get from home "
            f"to these corners of the box: {where}; the tasks place objects all over its floor"
        )
    return lines


def _review_fingers(simulation: SimModel, arm: Arm, key: str) -> list[str]:
    """Whether the fingers are as wide as the profile says, open and half open."""
    if arm.gripper is None:
        return []
    clear_m = arm.gripper.clear_width_m
    measured = {share: finger_width_m(simulation, arm, share) for share in (1.0, 0.5)}
    if not any(measured.values()):
        return [
            f"{key}: there are no fingers on both sides of the end effector's origin, along its y "
            "axis; the tasks bring this point to the middle of what is grasped"
        ]
    off = [
        f"{width_m:.3g} m apart when {'open' if share == 1.0 else 'half open'}, "
        f"not {share * clear_m:.3g}"
        for share, width_m in measured.items()
        if width_m is not None
        and abs(width_m - share * clear_m) > max(_WIDTH_M, _WIDTH_SHARE * clear_m)
    ]
    if not off:
        return []
    return [f"{key}.clear_width_m: the fingers of '{arm.name}' are {'; '.join(off)}"]


def _review_floor(simulation: SimModel, arm: Arm, key: str) -> list[str]:
    """Whether the hand, pointing down in the middle of the floor, keeps clear of the table."""
    kinematics = ArmKinematics(simulation, arm)
    _, rotation = kinematics.forward(kinematics.home)
    closing = float(np.arctan2(rotation[1, 1], rotation[0, 1]))
    low, high = np.array(arm.workspace.min_m), np.array(arm.workspace.max_m)
    middle = np.array([*(low[:2] + high[:2]) / 2, low[2]])
    joints = _joints_at(kinematics, middle, closing)
    position, _ = kinematics.forward(joints)
    if float(np.linalg.norm(position - middle)) > _REACHED_M:
        return []  # the corners tell of it
    model, data = simulation.mj_model, mujoco.MjData(simulation.mj_model)
    target = simulation.profile.home.copy()
    target[kinematics.indices] = joints
    data.qpos[:] = home_qpos(simulation)
    simulation.actuation.place_joints(data.qpos, target)
    mujoco.mj_forward(model, data)
    lowest_m = min(
        (_lowest_m(model, data, geom) for geom in _hand_geoms(simulation, arm)), default=0.0
    )
    if lowest_m > -_IN_TABLE_M:
        return []
    return [
        f"{key}.workspace_m: at the floor of the box ({low[2]:g} m) the hand of '{arm.name}' is "
        f"{-1e3 * lowest_m:.0f} mm in the table (z = 0); raise min z to {low[2] - lowest_m:.3g}"
    ]


def _hand_geoms(simulation: SimModel, arm: Arm) -> list[int]:
    """What can touch something in the body of the end effector and in all that it carries."""
    model = simulation.mj_model
    hand = int(model.site_bodyid[model.site(arm.end_effector_name).id])
    return [
        geom
        for geom in range(model.ngeom)
        if (model.geom_contype[geom] or model.geom_conaffinity[geom])
        and carries(model, hand, int(model.geom_bodyid[geom]))
    ]


def _lowest_m(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> float:
    """The height of a geom's lowest point, as it stands."""
    kind, (first, second, third) = int(model.geom_type[geom]), model.geom_size[geom].tolist()
    up = data.geom_xmat[geom].reshape(3, 3)[2]
    aside = float(np.sqrt(max(0.0, 1.0 - up[2] ** 2)))
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = int(model.geom_dataid[geom])
        begin, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
        depth = -float((model.mesh_vert[begin : begin + count] @ up).min())
    elif kind == mujoco.mjtGeom.mjGEOM_BOX:
        depth = float(np.abs(up) @ [first, second, third])
    elif kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        depth = first + second * float(abs(up[2]))
    elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        depth = first * aside + second * float(abs(up[2]))
    elif kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        depth = float(np.linalg.norm(up * [first, second, third]))
    else:
        depth = first
    return float(data.geom_xpos[geom, 2]) - depth


def _reaches(kinematics: ArmKinematics, target: FloatArray, closing_rad: float) -> bool:
    position, rotation = kinematics.forward(_joints_at(kinematics, target, closing_rad))
    missing_m = float(np.linalg.norm(target - position))
    return missing_m < _REACHED_M and tilt_of(rotation) < _REACHED_RAD


def _joints_at(kinematics: ArmKinematics, target: FloatArray, closing_rad: float) -> FloatArray:
    """(m,) joints on the way from home with the hand at `target`, or as near as it gets."""
    joints: FloatArray = kinematics.home
    down = down_quaternion(closing_rad)
    for _ in range(_STEPS):
        position, _ = kinematics.forward(joints)
        twist = np.append(target - position, kinematics.rotation_to(down))
        move, turn = np.linalg.norm(twist[:3]), np.linalg.norm(twist[3:])
        twist /= max(1.0, float(move) / _STEP_M, float(turn) / _STEP_RAD)
        joints = joints + kinematics.joint_step(joints, twist)
        joints = np.clip(joints, kinematics.position_min, kinematics.position_max)
    return joints
