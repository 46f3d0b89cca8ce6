"""Every joint moved once and knocked once: does it follow, does it come to rest, what gains would?

Found by stepping the robot alone, at its own control rate and with its own velocity limits, not by
a formula: it counts what a contact, a joint limit, friction or a force limit does, too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import mujoco
import numpy as np

from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.core.profile import Joint, RobotProfile, Servo
from robot_learning.core.types import FloatArray
from robot_learning.sim.composition import PREFIX, sim_interface
from robot_learning.sim.force_limits import inverse_inertias, keep_damping
from robot_learning.sim.model import SimModel, compile_robot
from robot_learning.sim.world import World

# The joint is asked to go as far as its velocity limit allows in this time, and is knocked with
# its velocity limit; both are looked at this much later.
_ASKED_S, _KNOCK_SHARE = 0.05, 1.0
_SETTLE_S, _TRIAL_S, _LAST_S = 0.2, 0.8, 0.1
# At most this share of its range, so that it stays clear of its limits.
_RANGE_SHARE = 0.2
# It follows when no more than this share of the way is missing, and rests below this share of
# its velocity limit.
_MISSING_SHARE, _RESTING_SHARE = 0.2, 0.02
# A joint that does not follow and is no faster than this share of it creeps, and does not shake.
_CREEPING_SHARE = 0.1
# Gains that are tried, in this order: shares of the present stiffness, then of the one that
# hardware/README.md proposes, and damping ratios.
_STIFFNESS_SHARES = (1.0, 0.3, 3.0)
_DAMPING_RATIOS = (1.0, 2.0, 5.0)
_STIFFNESS_PER_EFFORT = 20.0


@dataclass(frozen=True, slots=True)
class Response:
    """What one joint did.

    Attributes:
        joint: joint that was tried.
        asked: displacement that the joint was asked for, rad or m.
        moved: displacement of the joint in the end, towards its target, rad or m.
        move_speed: largest speed at the end of the move, rad/s or m/s.
        knock: speed that the joint was given while it held its place, rad/s or m/s.
        knock_speed: largest speed at the end of the knock, rad/s or m/s; infinite when the
            simulation diverged.
    """

    joint: Joint
    asked: float
    moved: float
    move_speed: float
    knock: float
    knock_speed: float

    @property
    def follows(self) -> bool:
        """Whether it went where it was asked to."""
        return abs(self.moved - self.asked) <= _MISSING_SHARE * self.asked

    @property
    def rests(self) -> bool:
        """Whether it came to rest both times."""
        return self._unrest <= _RESTING_SHARE

    @property
    def shakes(self) -> bool:
        """Whether it moves on its own account, and does not merely creep to where it should be."""
        return self._unrest > (_RESTING_SHARE if self.follows else _CREEPING_SHARE)

    @property
    def fault(self) -> float:
        """0 when it follows and rests, and the larger, the worse it is."""
        if self.shakes:
            return 1.0 + self._unrest
        return 0.0 if self.follows and self.rests else abs(self.moved - self.asked) / self.asked

    @property
    def _unrest(self) -> float:
        return max(self.move_speed, self.knock_speed) / self.joint.velocity_max


def review_servos(simulation: SimModel) -> list[str]:
    """One line for each joint that does not follow or come to rest, with gains that would.

    The worst comes first, and gets its gains before the next is looked at: a joint that chatters
    shakes the others.
    """
    lines: list[str] = []
    named: set[str] = set()
    while bad := [r for r in try_servos(simulation) if r.fault and r.joint.name not in named]:
        worst = max(bad, key=lambda response: response.fault)
        named.add(worst.joint.name)
        gains = find_gains(simulation, worst.joint)
        lines.append(_describe(worst, gains))
        if gains:
            simulation = compile_robot(_with_gains(simulation.profile, worst.joint, gains))
    return lines


def try_servos(simulation: SimModel) -> list[Response]:
    """Move and knock every joint of the robot alone, from home."""
    world = World(simulation)
    start = _settle(world)
    return [_try_joint(world, start, index) for index in range(len(world.profile.joints))]


def find_gains(simulation: SimModel, joint: Joint) -> Servo | None:
    """Gains with which a joint follows and rests while the others stay as they are.

    None where none of those that are tried do: something else holds the joint or shakes it.
    """
    index = simulation.profile.joint_index(joint.name)
    present = _stiffness(simulation, index)
    start = Servo(present or _STIFFNESS_PER_EFFORT * joint.effort_max, 1e-3)
    try:
        servoed = compile_robot(_with_gains(simulation.profile, joint, start))
    except ConfigurationError:
        return None
    for servo in _candidates(servoed, joint, present):
        world = World(_with_servo(servoed, index, servo))
        if not _try_joint(world, _settle(world), index).fault:
            return servo
    return None


def _candidates(servoed: SimModel, joint: Joint, present: float) -> Iterator[Servo]:
    actuator = _servo_actuator(servoed, servoed.profile.joint_index(joint.name))
    inertia = 1.0 / float(inverse_inertias(servoed.mj_model, [actuator]).max())
    proposed = _STIFFNESS_PER_EFFORT * joint.effort_max
    tried: set[float] = set()
    for base in (present, proposed):
        for share in _STIFFNESS_SHARES:
            stiffness = _rounded(share * base)
            if stiffness <= 0.0 or stiffness in tried:
                continue
            tried.add(stiffness)
            for ratio in _DAMPING_RATIOS:
                damping = _rounded(2.0 * ratio * float(np.sqrt(stiffness * inertia)))
                yield Servo(stiffness, damping)


def _with_gains(profile: RobotProfile, joint: Joint, servo: Servo) -> RobotProfile:
    sim = sim_interface(profile)
    return replace(profile, sim=replace(sim, servos={**sim.servos, joint.name: servo}))


def _with_servo(servoed: SimModel, index: int, servo: Servo) -> SimModel:
    """A copy whose joint has other gains; it was compiled with gains of the profile before."""
    model, actuator = copy.copy(servoed.mj_model), _servo_actuator(servoed, index)
    model.actuator_gainprm[actuator, 0] = servo.stiffness
    model.actuator_biasprm[actuator, 1:3] = -servo.stiffness, -servo.damping
    keep_damping(model, PREFIX)
    return replace(servoed, mj_model=model)


def _servo_actuator(simulation: SimModel, index: int) -> int:
    """The actuator that drives a joint and nothing else by a profile's gains."""
    model, dof = simulation.mj_model, simulation.dof_addresses[index]
    driving = np.flatnonzero(simulation.actuation.scale[index])
    own = [a for a in driving if model.jnt_dofadr[model.actuator_trnid[a, 0]] == dof]
    return int(own[0])


def _stiffness(simulation: SimModel, index: int) -> float:
    """The stiffness of a joint's servo as the joint feels it; 0 when it is not at the joint."""
    model = simulation.mj_model
    driving = np.flatnonzero(simulation.actuation.scale[index])
    joints = (int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT))
    for actuator in driving:
        if int(model.actuator_trntype[actuator]) in joints:
            gear = float(model.actuator_gear[actuator, 0])
            return -float(model.actuator_biasprm[actuator, 1]) * gear**2
    return 0.0


def _settle(world: World) -> FloatArray:
    """The state after a moment of holding home."""
    world.reset()
    for _ in range(_periods(world, _SETTLE_S)):
        if not _stepped(world):
            world.reset()
            break
    return world.save_state()


def _try_joint(world: World, start: FloatArray, index: int) -> Response:
    joint = world.profile.joints[index]
    reach = min(_ASKED_S * joint.velocity_max, _RANGE_SHARE * _range(joint))
    side = 1.0 if joint.position_max - joint.home >= joint.home - joint.position_min else -1.0
    world.restore_state(start)
    before = float(world.joint_position[index])
    target = world.command
    target[index] += side * reach
    move_speed = _speed_at_the_end(world, index, target)
    moved = side * (float(world.joint_position[index]) - before)
    world.restore_state(start)
    knock = _KNOCK_SHARE * joint.velocity_max
    velocity = world.joint_velocity
    velocity[index] += side * knock
    world.set_joint_velocity(velocity)
    knock_speed = _speed_at_the_end(world, index, world.command)
    return Response(joint, reach, moved, move_speed, knock, knock_speed)


def _speed_at_the_end(world: World, index: int, target: FloatArray) -> float:
    periods, last = _periods(world, _TRIAL_S), _periods(world, _LAST_S)
    speed = 0.0
    for period in range(periods):
        world.apply(target)
        if not _stepped(world):
            return float("inf")
        if period >= periods - last:
            speed = max(speed, abs(float(world.joint_velocity[index])))
    return speed


def _stepped(world: World) -> bool:
    """Advance by a control period; False when the simulation diverged."""
    time_s = world.time_s
    try:
        world.step()
    except RobotLearningError:
        return False
    return world.time_s > time_s  # MuJoCo resets itself when a number gets too large


def _periods(world: World, duration_s: float) -> int:
    return max(2, round(duration_s / world.control_period_s))


def _range(joint: Joint) -> float:
    return joint.position_max - joint.position_min


def _rounded(value: float) -> float:
    """Two digits are enough for a gain."""
    return float(f"{value:.2g}")


def _describe(response: Response, servo: Servo | None) -> str:
    joint = response.joint
    unit = joint.kind.position_unit
    if response.shakes:
        by, speed = f"knocked at {response.knock:.3g} {unit}/s", response.knock_speed
        if response.move_speed > speed:
            by, speed = f"asked to move by {response.asked:.3g} {unit}", response.move_speed
        what = f"does not come to rest: {by} it still moves at {speed:.2g} {unit}/s"
        if not np.isfinite(speed):
            what = f"does not come to rest: {by} the simulation diverges"
    else:
        what = (
            f"does not follow: asked to move by {response.asked:.3g} {unit} it has moved by "
            f"{response.moved:.2g} {unit}"
        )
    advice = (
        f"interfaces.sim.servos.{joint.name}: {{stiffness: {servo.stiffness:g}, "
        f"damping: {servo.damping:g}}} would do"
        if servo
        else "no gains were found that would do; see what it touches at home, its friction, and "
        f"whether an effort of {joint.effort_max:g} carries it"
    )
    return f"the joint '{joint.name}' {what} {_TRIAL_S:g} s later; {advice}"
