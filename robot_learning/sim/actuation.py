"""How joint position targets become MuJoCo controls, and which joints follow which.

Derived from the compiled model, numerically where a tendon lies between control and joint, so
that a gripper that takes 0 to 255 is commanded in the profile's metres or radians like any
other joint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from robot_learning.core.decoding import Mistake
from robot_learning.core.profile import RobotProfile, SimInterface
from robot_learning.core.types import FloatArray
from robot_learning.sim.composition import PREFIX, sim_interface
from robot_learning.sim.joint_limits import exceeds, limit_mistakes, limits_of
from robot_learning.sim.servos import JOINT_TRANSMISSIONS, mjcf_joint_name

# Largest deviation of a transmission from a straight line, as a share of its travel.
_LINEARITY_TOLERANCE = 0.02
# MuJoCo's enumerations compare equal to Python's integers, not to NumPy's.


@dataclass(frozen=True, slots=True)
class Coupling:
    """A joint position that follows another: y = y0 + polynomial(x - x0)."""

    follower_address: int
    leader_address: int
    follower_zero: float
    leader_zero: float
    coefficients: tuple[float, ...]

    def apply(self, qpos: FloatArray) -> None:
        """Set the follower in `qpos` (nq,)."""
        deviation = qpos[self.leader_address] - self.leader_zero
        powers = deviation ** np.arange(len(self.coefficients))
        qpos[self.follower_address] = self.follower_zero + np.dot(self.coefficients, powers)


@dataclass(frozen=True, slots=True)
class Actuation:
    """The map from joint targets (n,) to controls (nu,): control = target @ scale + offset.

    Attributes:
        joint_addresses: (n,) where the joints are in qpos.
        scale: (n, nu), at most one entry a control. A mimic joint with an actuator of its own
            makes more actuators than joints; a held actuator has no entry.
        offset: (nu,); the control itself for a held actuator.
        couplings: joints that follow, in the order in which to set them.
    """

    joint_addresses: npt.NDArray[np.int64]
    scale: FloatArray
    offset: FloatArray
    couplings: tuple[Coupling, ...]

    def controls(self, target: FloatArray) -> FloatArray:
        """Controls (..., nu) that hold joint targets (..., n)."""
        control: FloatArray = target @ self.scale + self.offset
        return control

    def place_joints(self, qpos: FloatArray, joint_position: FloatArray) -> None:
        """Write joint positions (n,) and what follows them into `qpos` (nq,), in place."""
        qpos[self.joint_addresses] = joint_position
        for coupling in self.couplings:
            coupling.apply(qpos)


def derive_actuation(
    model: mujoco.MjModel, profile: RobotProfile
) -> tuple[Actuation, list[Mistake]]:
    """Find the map on the compiled model.

    Returns:
        The map, and what is wrong with it: each transmission that is not a straight line over the
        joint's range, and each limit of the profile beyond that of the joint or of its control.
    """
    sim = sim_interface(profile)
    names = [PREFIX + mjcf_joint_name(sim, name) for name in profile.joint_names]
    joint_ids = [model.joint(name).id for name in names]
    addresses = model.jnt_qposadr[joint_ids].astype(np.int64)
    couplings = _find_couplings(model, joint_ids)
    scale, offset = np.zeros((len(joint_ids), model.nu)), np.zeros(model.nu)
    for name, control in sim.held_actuators.items():
        offset[model.actuator(PREFIX + name).id] = control
    mistakes = list(limit_mistakes(model, profile, sim, PREFIX))
    told = {mistake.key for mistake in mistakes}
    probe = _Probe(model, profile, addresses, couplings)
    for actuator, joint in _driven_actuators(model, profile, sim):
        line = probe.line(actuator, joint)
        # A control's range mostly is the joint's, whose excess is told.
        mistakes += [mistake for mistake in line.mistakes if mistake.key not in told]
        scale[joint, actuator], offset[actuator] = line.scale, line.offset
    return Actuation(addresses, scale, offset, couplings), mistakes


def _driven_actuators(
    model: mujoco.MjModel, profile: RobotProfile, sim: SimInterface
) -> list[tuple[int, int]]:
    """Pairs of an actuator id and the index of the profile joint that drives it."""
    by_joint = {}
    for actuator in range(model.nu):
        if int(model.actuator_trntype[actuator]) in JOINT_TRANSMISSIONS:
            by_joint[model.joint(model.actuator_trnid[actuator, 0]).name] = actuator
    driven = []
    for index, name in enumerate(profile.joint_names):
        if name in sim.actuators:
            actuator = model.actuator(PREFIX + sim.actuators[name]).id
        else:
            actuator = by_joint[PREFIX + mjcf_joint_name(sim, name)]
        driven.append((actuator, index))
    taken = {actuator for actuator, _ in driven}
    taken |= {model.actuator(PREFIX + name).id for name in sim.held_actuators}
    for name, mimic in sim.mimics.items():
        own = by_joint.get(PREFIX + name)
        if own is not None and own not in taken:
            driven.append((own, profile.joint_index(mimic.joint)))
    return driven


def _find_couplings(model: mujoco.MjModel, joint_ids: list[int]) -> tuple[Coupling, ...]:
    """Joints that equality constraints tie, directly or in a chain, to the profile's."""
    pending = [
        index
        for index in range(model.neq)
        if int(model.eq_type[index]) == mujoco.mjtEq.mjEQ_JOINT
        and model.eq_active0[index]
        and model.eq_obj2id[index] >= 0
    ]
    known = set(joint_ids)
    couplings: list[Coupling] = []
    while True:
        ready = [index for index in pending if model.eq_obj2id[index] in known]
        ready = [index for index in ready if model.eq_obj1id[index] not in known]
        inverse = [
            index
            for index in pending
            if model.eq_obj1id[index] in known
            and model.eq_obj2id[index] not in known
            and model.eq_data[index, 1] != 0.0
            and not model.eq_data[index, 2:5].any()
        ]
        if not (ready or inverse):
            return tuple(couplings)
        index = (ready or inverse)[0]
        follower, leader = int(model.eq_obj1id[index]), int(model.eq_obj2id[index])
        coefficients = tuple(float(value) for value in model.eq_data[index, :5])
        if not ready:
            follower, leader = leader, follower
            constant, slope = coefficients[:2]
            coefficients = (-constant / slope, 1.0 / slope)
        known.add(follower)
        adr_follower, adr_leader = model.jnt_qposadr[follower], model.jnt_qposadr[leader]
        couplings.append(
            Coupling(
                int(adr_follower),
                int(adr_leader),
                float(model.qpos0[adr_follower]),
                float(model.qpos0[adr_leader]),
                coefficients,
            )
        )


@dataclass(frozen=True, slots=True)
class _Line:
    """control = scale * position + offset, and what is wrong with it."""

    scale: float
    offset: float
    mistakes: list[Mistake]


class _Probe:
    """Measures an actuator's length over a joint's range, everything that follows moving along."""

    def __init__(
        self,
        model: mujoco.MjModel,
        profile: RobotProfile,
        addresses: npt.NDArray[np.int64],
        couplings: tuple[Coupling, ...],
    ) -> None:
        self.model, self.profile, self.addresses = model, profile, addresses
        self.couplings, self.data = couplings, mujoco.MjData(model)

    def _length(self, actuator: int, joint: int, value: float) -> float:
        target = self.profile.home.copy()
        target[joint] = value
        self.data.qpos[:] = self.model.qpos0
        self.data.qpos[self.addresses] = target
        for coupling in self.couplings:
            coupling.apply(self.data.qpos)
        mujoco.mj_fwdPosition(self.model, self.data)
        return float(self.data.actuator_length[actuator])

    def line(self, actuator: int, joint: int) -> _Line:
        spec = self.profile.joints[joint]
        low, high = spec.position_min, spec.position_max
        if spec.continuous:
            low, high = spec.home - math.pi, spec.home + math.pi
        positions = np.linspace(low, high, 5)
        lengths = np.array([self._length(actuator, joint, value) for value in positions])
        gain = float(self.model.actuator_gainprm[actuator, 0])
        constant, slope = (float(value) for value in self.model.actuator_biasprm[actuator, :2])
        # At rest: gain * control + constant + slope * length = 0.
        controls = -(constant + slope * lengths) / gain
        travel = positions[-1] - positions[0]
        scale = float((controls[-1] - controls[0]) / travel)
        offset = float(controls[0] - scale * positions[0])
        deviation = np.abs(scale * positions + offset - controls).max()
        name = self.model.actuator(actuator).name.removeprefix(PREFIX)
        if scale == 0.0 or deviation > _LINEARITY_TOLERANCE * abs(scale) * travel:
            how = "does not move" if scale == 0.0 else "moves in no straight line with"
            text = (
                f"the transmission of the actuator '{name}' {how} the joint "
                f"'{spec.name}', so no control holds a given position"
            )
            return _Line(scale, offset, [Mistake(f"interfaces.sim.actuators.{spec.name}", text)])
        return _Line(scale, offset, [*self._range_mistakes(actuator, joint, (scale, offset))])

    def _range_mistakes(
        self, actuator: int, joint: int, line: tuple[float, float]
    ) -> Iterator[Mistake]:
        if not self.model.actuator_ctrllimited[actuator]:
            return
        scale, offset = line
        reach = np.sort((self.model.actuator_ctrlrange[actuator] - offset) / scale)
        spec = self.profile.joints[joint]
        if exceeds(spec, reach[0], reach[1]):
            key, wanted = limits_of(joint, spec)
            name = self.model.actuator(actuator).name.removeprefix(PREFIX)
            text = (
                f"{wanted} exceeds what the actuator "
                f"'{name}' can hold, [{reach[0]:.6g}, {reach[1]:.6g}] by its ctrlrange"
            )
            yield Mistake(key, text)
