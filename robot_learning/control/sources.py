"""Takes in clocks, measurements and commands, and says of each source whether it is fresh."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from robot_learning.control.commands import (
    CommandValidator,
    Measured,
    RawCommand,
    Refusal,
    RefusalKind,
    Trajectory,
)
from robot_learning.control.frozen_state import evolve
from robot_learning.control.limiter import Motion, frozen
from robot_learning.control.settings import ArbiterSettings
from robot_learning.control.state import Ages, ArbiterState, ClockReading, Inputs
from robot_learning.core.clocks import NS_PER_S, Instant
from robot_learning.core.turns import TURN_RAD
from robot_learning.core.types import FloatArray

FRESH = ""
"""The reason why a source is stale, when it is not."""
# A joint does not move at twice its speed limit, however late a message came within this time.
_JUMP_FACTOR = 2.0
_JUMP_LATE_S = 0.02


@dataclass(frozen=True, slots=True)
class Interruption:
    """Trouble with a clock: what it was, and whether a human's driving ends by it too."""

    reason: str
    of_human: bool


def flush_policy(state: ArbiterState, now: Instant) -> ArbiterState:
    """Forget the policy's chunk and refuse those that answer to earlier observations."""
    return evolve(
        state, policy=None, policy_barrier_ns=now.ros_ns, policy_epoch=state.policy_epoch + 1
    )


def read_clocks(
    settings: ArbiterSettings, state: ArbiterState, now: Instant
) -> tuple[ArbiterState, Interruption | None]:
    """Notice clocks that stepped and ticks that came late.

    Once the ROS clock has stepped back, earlier stamps mean nothing: chunks are flushed and the
    order of stamps starts over. After a pause of the arbiter itself the arm has long come to
    rest at the last command, so the motion starts again from rest. The steady clock of a
    simulation in lockstep may step back too: then nothing that was received counts any more.

    Args:
        settings: settings of the arbiter.
        state: state after the previous tick.
        now: time of this tick.
    """
    last = state.clock
    moved_ns = last.ros_moved_ns if last and last.ros_ns == now.ros_ns else now.steady_ns
    state = evolve(state, clock=ClockReading(now.steady_ns, now.ros_ns, moved_ns))
    if last is None:
        return state, None
    pause_s = (now.steady_ns - last.steady_ns) / NS_PER_S
    back_s = (last.ros_ns - now.ros_ns) / NS_PER_S
    if back_s > 0.0:
        state = evolve(flush_policy(state, now), human_floor_ns=None, policy_floor_ns=None)
    if pause_s < 0.0:
        state = evolve(flush_policy(state, now), human=None, measured=None)
    if pause_s < 0.0 or pause_s > settings.tolerances.stall_s:
        if state.motion is not None:
            state = evolve(state, motion=Motion.at_rest(state.motion.position))
        change = "stepped back by" if pause_s < 0.0 else "did not tick for"
        return state, Interruption(f"the arbiter {change} {abs(pause_s):.3f} s", of_human=True)
    if back_s > 0.0:
        text = f"the ROS clock stepped back by {back_s:.3f} s"
        return state, Interruption(text, of_human=False)
    return state, None


def take_inputs(
    settings: ArbiterSettings, state: ArbiterState, inputs: Inputs, now: Instant
) -> ArbiterState:
    """Check everything that arrived and keep the newest of what passes.

    Args:
        settings: settings of the arbiter.
        state: state after `read_clocks`.
        inputs: everything that arrived since the previous tick.
        now: time of this tick.
    """
    if state.jump:
        state = evolve(state, jump=FRESH)
    for text in inputs.unusable:
        refusal = Refusal("robot", RefusalKind.UNUSABLE, f"robot: {text}")
        state = evolve(state, refusals=state.refusals.plus(refusal))
    if inputs.measured is not None:
        state = _take_measured(settings, state, inputs.measured, now)
    for raw in inputs.human:
        state = _take_human(settings, state, raw, now)
    for raw in inputs.policy:
        state = _take_policy(settings, state, raw, now)
    return state


def _take_measured(
    settings: ArbiterSettings, state: ArbiterState, measured: Measured, now: Instant
) -> ArbiterState:
    validator = settings.measured_validator
    refusal = validator.check_stamp(measured.stamp_ns, None, now)
    refusal = refusal or validator.check_measured(measured, settings.joint_names)
    if refusal:
        return evolve(state, refusals=state.refusals.plus(refusal))
    state = evolve(state, refusals=state.refusals.taken("robot"))
    reading, last = measured.position, state.measured
    if last is None and state.motion is None:
        return _first_measured(settings, state, measured)
    before = state.motion.position if last is None and state.motion else None
    before = last.position if last else before
    assert before is not None  # noqa: S101 (else the branch above)
    position = settings.turns.following(reading, before)
    jump = FRESH
    if last is not None:
        jump = _jump(settings, position - last.position, measured, last)
    measured = _placed(measured, position)
    return evolve(state, measured=measured, reading=reading, jump=jump)


def _first_measured(
    settings: ArbiterSettings, state: ArbiterState, measured: Measured
) -> ArbiterState:
    """Take a measurement that follows none: settle in which turn each joint stands.

    What the driver counts beyond that is kept, so that the first command is where the driver says
    that the arm stands.
    """
    turns, reading = settings.turns, measured.position
    position, unclear = turns.first(reading)
    whole = np.where(turns.turning, TURN_RAD * np.round((reading - position) / TURN_RAD), 0.0)
    # Such a reading may come from a driver that counts, and would go there by a full turn, or from
    # one that counts but does not tell.
    told = (reading >= -math.pi) & (reading < TURN_RAD)
    ambiguous = np.flatnonzero((whole != 0.0) & told & ~turns.continuous)
    if ambiguous.size and not unclear:
        joint = int(ambiguous[0])
        unclear = (
            f"joint '{turns.names[joint]}' reads {reading[joint]:.2f}, outside its limits "
            f"[{turns.low[joint]:g}, {turns.high[joint]:g}]; {position[joint]:.2f} is the same "
            "place, but a whole turn away for a driver that counts turns: move it back by hand"
        )
    return evolve(
        state,
        measured=_placed(measured, position),
        reading=reading,
        jump=FRESH,
        driver_turns=frozen(whole) if whole.any() else None,
        unclear=unclear,
    )


def _placed(measured: Measured, position: FloatArray) -> Measured:
    """The measurement with its joints in other turns."""
    if position is measured.position:
        return measured
    return replace(measured, position=frozen(position))


def _jump(settings: ArbiterSettings, way: FloatArray, measured: Measured, last: Measured) -> str:
    """Which joint has moved by more than it can, and beyond its tracking bound; empty for none.

    Each joint is judged by the time between its own two messages: the arm's driver and the
    gripper's may differ in rate, and neither's silence says how far the other's joints can move.
    """
    share = np.abs(way) * settings.inverse_tracking_bound
    if share.max() <= 1.0:
        return FRESH
    elapsed_s = np.maximum(0.0, measured.since_s(last))
    able = _JUMP_FACTOR * settings.limits.velocity_max * (elapsed_s + _JUMP_LATE_S)
    share = np.where(np.abs(way) > able, share, 0.0)
    worst = int(share.argmax())
    if share[worst] <= 1.0:
        return FRESH
    text = f"measured to jump by {way[worst]:+.3f} within {elapsed_s[worst]:.3f} s"
    return f"joint '{settings.joint_names[worst]}' was {text}"


def count_turns(settings: ArbiterSettings, state: ArbiterState) -> ArbiterState:
    """Read the joints' turns again before the arm is enabled, where they cannot be right.

    That is where they were not clear, or where a joint stands outside of its limits: its driver
    may have started again, or it was moved by hand while nobody listened.
    """
    measured, reading, turns = state.measured, state.reading, settings.turns
    if measured is None or reading is None:
        return state
    position = measured.position
    inside = (position >= turns.low - turns.slack) & (position <= turns.high + turns.slack)
    if not state.unclear and (inside | ~turns.turning).all():
        return state
    return _first_measured(settings, state, replace(measured, position=reading))


def _take_human(
    settings: ArbiterSettings, state: ArbiterState, raw: RawCommand, now: Instant
) -> ArbiterState:
    taken = _check(settings.human_validator, settings, raw, state.human_floor_ns, now)
    if isinstance(taken, Refusal):
        return evolve(state, refusals=state.refusals.plus(taken))
    state = evolve(state, refusals=state.refusals.taken("human"))
    taken = _in_our_turn(settings, state, taken)
    previous, floor_ns = state.human, taken.stamp_ns
    if previous is None or _silence_s(previous, taken) > settings.tolerances.human_timeout_s:
        # They had let go of the device meanwhile, if it still counted as held.
        return evolve(state, human=taken, human_floor_ns=floor_ns, human_yielded=False)
    taken = _ramped(settings, previous, taken, now)
    return evolve(state, human=taken, human_floor_ns=floor_ns)


def _in_our_turn(settings: ArbiterSettings, state: ArbiterState, command: Trajectory) -> Trajectory:
    """The command with its continuous joints in the turn of the command in force.

    Each process counts their turns for itself: nobody is to unwind what another one counted.
    """
    if not settings.turns.any_continuous:
        return command
    if state.motion is not None:
        here = state.motion.position
    elif state.measured is not None:
        here = state.measured.position
    else:
        return command
    rows = frozen(settings.turns.rows_beside(command.positions, here))
    return Trajectory(command.stamp_ns, command.receipt_ns, rows, command.offsets_s)


def _silence_s(previous: Trajectory, command: Trajectory) -> float:
    return (command.receipt_ns - previous.receipt_ns) / NS_PER_S


def _ramped(
    settings: ArbiterSettings, previous: Trajectory, command: Trajectory, now: Instant
) -> Trajectory:
    """The command as a ramp from the one before, over the time between their stamps.

    A device that sends less often than the arbiter ticks would otherwise be followed in steps,
    each at the acceleration limit: the arm would buzz. The first tick already goes a share of
    the way; the last of it comes one interval of the device, less a tick, later. A device that
    keeps pace with the arbiter is taken as it is. Offsets count from the receipt.
    """
    interval_s = (command.stamp_ns - previous.stamp_ns) / NS_PER_S
    period_s = settings.limits.period_s
    if not 1.5 * period_s < interval_s <= settings.tolerances.human_timeout_s:
        return command
    start = previous.at(previous.receipt_age_s(now))
    rows = frozen(np.stack((start, command.positions[-1])))
    offsets_s = (-period_s, interval_s - period_s)
    return Trajectory(command.stamp_ns, command.receipt_ns, rows, offsets_s)


def human_target(command: Trajectory, now: Instant) -> FloatArray:
    """(n,) where the human's device points at `now`, without the offset of the take-over."""
    return command.at(command.receipt_age_s(now))


def _take_policy(
    settings: ArbiterSettings, state: ArbiterState, raw: RawCommand, now: Instant
) -> ArbiterState:
    taken = _check(settings.policy_validator, settings, raw, state.policy_floor_ns, now)
    barrier_ns = state.policy_barrier_ns
    if isinstance(taken, Trajectory) and barrier_ns is not None and taken.stamp_ns < barrier_ns:
        text = "policy: answers to an observation from before the chunks were flushed"
        taken = Refusal("policy", RefusalKind.BEFORE_HANDOVER, text)
    if isinstance(taken, Refusal):
        return evolve(state, refusals=state.refusals.plus(taken))
    refusals = state.refusals.taken("policy")
    taken = _in_our_turn(settings, state, taken)
    return evolve(state, policy=taken, policy_floor_ns=taken.stamp_ns, refusals=refusals)


def _check(
    validator: CommandValidator,
    settings: ArbiterSettings,
    raw: RawCommand,
    floor_ns: int | None,
    now: Instant,
) -> Trajectory | Refusal:
    refusal = validator.check_stamp(raw.stamp_ns, floor_ns, now)
    return refusal or validator.check(raw, settings.joint_names)


def human_staleness(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> str:
    """Why the human does not count as driving; empty when fresh.

    Args:
        settings: settings of the arbiter.
        state: state with the newest command of the human.
        now: time at which the command is judged.
    """
    if state.human is None:
        return f"no command from the human yet{state.refusals.told('human')}"
    age_s = state.human.receipt_age_s(now)
    if age_s > settings.tolerances.human_timeout_s:
        return f"no command from the human for {age_s:.2f} s{state.refusals.told('human')}"
    return FRESH


def policy_staleness(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> str:
    """Why the policy may not drive; empty when fresh.

    Args:
        settings: settings of the arbiter.
        state: state with the newest chunk of the policy.
        now: time at which the chunk is judged.
    """
    tolerances, policy = settings.tolerances, state.policy
    if policy is None:
        since = " since the flush" if state.policy_epoch else " yet"
        return f"no command from the policy{since}{state.refusals.told('policy')}"
    silence_s = policy.receipt_age_s(now)
    if silence_s > tolerances.policy_timeout_s:
        return f"no command from the policy for {silence_s:.2f} s{state.refusals.told('policy')}"
    age_s = policy.stamp_age_s(now)
    if age_s > tolerances.policy_max_age_s:
        return f"the policy's observation is {age_s:.2f} s old"
    overdue_s = age_s - policy.offsets_s[-1]
    if overdue_s > tolerances.policy_hold_s:
        return f"the policy's chunk ended {overdue_s:.2f} s ago"
    if state.clock is not None:
        still_s = (now.steady_ns - state.clock.ros_moved_ns) / NS_PER_S
        if still_s > tolerances.clock_timeout_s:
            return f"the ROS clock has stood still for {still_s:.2f} s"
    return FRESH


def robot_silence_s(state: ArbiterState, now: Instant) -> float:
    """Seconds since the robot was last heard (steady clock); infinite when never."""
    if state.measured is None:
        return float("inf")
    return (now.steady_ns - state.measured.receipt_ns) / NS_PER_S


def robot_staleness(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> str:
    """Why the measured state cannot be relied on; empty when fresh.

    Args:
        settings: settings of the arbiter.
        state: state with the newest measurement.
        now: time at which the measurement is judged.
    """
    if state.measured is None:
        return f"the robot was not heard yet{state.refusals.told('robot')}"
    silence_s = robot_silence_s(state, now)
    if silence_s > settings.tolerances.measured_timeout_s:
        return f"the robot was not heard for {silence_s:.2f} s{state.refusals.told('robot')}"
    return FRESH


def ages(state: ArbiterState, now: Instant) -> Ages:
    """The ages of all sources."""
    nan = float("nan")
    human, policy, measured = state.human, state.policy, state.measured
    return Ages(
        human_receipt_s=human.receipt_age_s(now) if human else nan,
        human_stamp_s=human.stamp_age_s(now) if human else nan,
        policy_receipt_s=policy.receipt_age_s(now) if policy else nan,
        policy_stamp_s=policy.stamp_age_s(now) if policy else nan,
        measured_receipt_s=robot_silence_s(state, now) if measured else nan,
        measured_stamp_s=(now.ros_ns - measured.stamp_ns) / NS_PER_S if measured else nan,
    )
