"""Force limits that leave a servo its damping.

MuJoCo's implicit integrators take an actuator's damping into account only while its force is
below the actuator's own limit. At the limit the damping acts a step late, and where
damping * timestep / inertia exceeds 2 it turns the joint round with every step: the joint
chatters at the limit for ever and never moves. A limit on the joint (or tendon) that the actuator
pulls at bounds the same force and leaves the damping implicit; it counts the weight that the servo
carries, too. At such a limit the joint is as slow as one of inertia + damping * timestep.
"""

from __future__ import annotations

import mujoco
import numpy as np

from robot_learning.core.types import FloatArray

# Late damping chatters from 2 on; the rest is room for postures that were not looked at.
_LATE_DAMPING = 1.5
_POSTURES = 16
_JOINT = (int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT))
_TENDON = int(mujoco.mjtTrn.mjTRN_TENDON)


def keep_damping(model: mujoco.MjModel, prefix: str) -> None:
    """Move the force limits at which servos would chatter from the actuator to what it pulls at.

    Changes `model` in place, for actuators whose names begin with `prefix`. A limit stays where
    it is while late damping does no harm, and where several actuators pull at the same joint.
    """
    limited = [
        actuator
        for actuator in range(model.nu)
        if model.actuator_forcelimited[actuator]
        and model.actuator(actuator).name.startswith(prefix)
        and model.actuator_biastype[actuator] == int(mujoco.mjtBias.mjBIAS_AFFINE)
        and model.actuator_biasprm[actuator, 2] < 0.0
    ]
    if not limited:
        return
    lateness = _lateness(model, limited)
    for actuator, late in zip(limited, lateness, strict=True):
        if late >= _LATE_DAMPING:
            _move_limit(model, actuator)


def _lateness(model: mujoco.MjModel, actuators: list[int]) -> FloatArray:
    """The largest damping * timestep / inertia of actuators, the stiffness counted in, unitless.

    An oscillator with damping d, stiffness k and inertia m that is stepped explicitly with
    timestep h is stable while d h / m + k h² / (2 m) < 2.
    """
    step_s, bias = model.opt.timestep, model.actuator_biasprm[actuators]
    stiffness, damping = np.maximum(-bias[:, 1], 0.0), -bias[:, 2]
    strength = damping * step_s + stiffness * step_s**2 / 2
    lateness: FloatArray = strength * inverse_inertias(model, actuators)
    return lateness


def inverse_inertias(model: mujoco.MjModel, actuators: list[int]) -> FloatArray:
    """(k,) how fast a unit of each actuator's force moves it, at the most agile of some postures.

    One over the inertia, in the units of the actuator's force and length.
    """
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    largest = np.zeros(len(actuators))
    moment, pulled = np.zeros((model.nu, model.nv)), np.zeros((1, model.nv))
    for posture in range(_POSTURES):
        if posture:
            _draw_posture(model, data, rng)
        mujoco.mj_fwdPosition(model, data)
        mujoco.mju_sparse2dense(
            moment,
            data.actuator_moment,
            data.moment_rownnz,
            data.moment_rowadr,
            data.moment_colind,
        )
        for index, actuator in enumerate(actuators):
            mujoco.mj_solveM(model, data, pulled, moment[actuator : actuator + 1])
            largest[index] = max(largest[index], float(pulled[0] @ moment[actuator]))
    return largest


def _draw_posture(model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
    for joint in range(model.njnt):
        kind = int(model.jnt_type[joint])
        if kind not in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE):
            continue
        low, high = model.jnt_range[joint] if model.jnt_limited[joint] else (-np.pi, np.pi)
        if model.jnt_limited[joint] or kind == mujoco.mjtJoint.mjJNT_HINGE:
            data.qpos[model.jnt_qposadr[joint]] = rng.uniform(low, high)


def _move_limit(model: mujoco.MjModel, actuator: int) -> None:
    kind, target = int(model.actuator_trntype[actuator]), int(model.actuator_trnid[actuator, 0])
    alike: tuple[int, ...]
    if kind in _JOINT:
        limited, limits, alike = model.jnt_actfrclimited, model.jnt_actfrcrange, _JOINT
    elif kind == _TENDON:
        limited, limits, alike = model.tendon_actfrclimited, model.tendon_actfrcrange, (_TENDON,)
    else:
        return
    pulling = np.isin(model.actuator_trntype, alike) & (model.actuator_trnid[:, 0] == target)
    if np.count_nonzero(pulling) > 1:
        return
    force = np.sort(model.actuator_forcerange[actuator] * model.actuator_gear[actuator, 0])
    if limited[target]:
        force = np.clip(force, *limits[target])
    limits[target], limited[target] = force, True
    model.actuator_forcelimited[actuator] = False
