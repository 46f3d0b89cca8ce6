"""What is suspicious about a robot profile that fits its model: warnings for people, no errors."""

from __future__ import annotations

import mujoco
import numpy as np

from robot_learning.core.profile import Arm
from robot_learning.core.types import FloatArray
from robot_learning.sim.composition import PREFIX, parse_mjcf, sim_interface
from robot_learning.sim.kinematics import ArmKinematics, down_quaternion, tilt_of
from robot_learning.sim.model import SimModel, self_contacts
from robot_learning.sim.physics_options import options_not_taken
from robot_learning.sim.servo_trial import review_servos

# The tasks and experts expect the hand at home to point down at least this well.
_HOME_TILT_RAD = 0.6
# A corner of the workspace counts as reached when the hand comes this near, pointing down.
_REACHED_M, _REACHED_RAD = 0.01, 0.3
_STEPS = 200
_STEP_M, _STEP_RAD = 0.03, 0.15
_BODY_EQUALITIES = (mujoco.mjtEq.mjEQ_CONNECT, mujoco.mjtEq.mjEQ_WELD)


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
        if joint not in driven and not _is_in_a_loop(model, int(model.jnt_bodyid[joint])):
            names.append(name.removeprefix(PREFIX))
    return names


def _is_in_a_loop(model: mujoco.MjModel, body: int) -> bool:
    """Whether a constraint holds the body, or one that it carries: a link of a linkage."""
    for index in range(model.neq):
        if int(model.eq_type[index]) not in _BODY_EQUALITIES:
            continue
        ends = (int(model.eq_obj1id[index]), int(model.eq_obj2id[index]))
        if int(model.eq_objtype[index]) == mujoco.mjtObj.mjOBJ_SITE:
            ends = (int(model.site_bodyid[ends[0]]), int(model.site_bodyid[ends[1]]))
        if any(_carries(model, body, end) for end in ends):
            return True
    return False


def _carries(model: mujoco.MjModel, body: int, other: int) -> bool:
    """Whether `other` is the body or hangs on it."""
    while other > body:  # parents come first
        other = int(model.body_parentid[other])
    return other == body


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


def _reaches(kinematics: ArmKinematics, target: FloatArray, closing_rad: float) -> bool:
    joints, down = kinematics.home, down_quaternion(closing_rad)
    for _ in range(_STEPS):
        position, _ = kinematics.forward(joints)
        twist = np.append(target - position, kinematics.rotation_to(down))
        move, turn = np.linalg.norm(twist[:3]), np.linalg.norm(twist[3:])
        twist /= max(1.0, float(move) / _STEP_M, float(turn) / _STEP_RAD)
        joints = joints + kinematics.joint_step(joints, twist)
        joints = np.clip(joints, kinematics.position_min, kinematics.position_max)
    position, rotation = kinematics.forward(joints)
    missing_m = float(np.linalg.norm(target - position))
    return missing_m < _REACHED_M and tilt_of(rotation) < _REACHED_RAD
