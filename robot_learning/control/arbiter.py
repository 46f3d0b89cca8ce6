"""Decides every tick who commands the robot, and keeps the command within limits.

This is no certified emergency stop: it is software on a general-purpose machine. Keep the
hardware's own within reach.

What holds for every decision (the tests in tests/control state each as an invariant):

* `applied` is finite, within the position limits, and differs from the previous one by no more
  than the velocity limit; the difference of two differences keeps the acceleration limit, in
  every mode and across every change (see `limiter`). Enabling alone starts from the measured
  position instead of a previous command.
* A human's fresh command drives in the very tick it is taken. Its silence gives HOLD.
* POLICY is only ever entered by `hand_back`, and only lasts while the policy is fresh.
* HOLD and FAULT brake at the acceleration limit and then stand still. What they hold is the
  command's own resting place, not the measured position: a hold that followed the measurement
  would sink with the arm's weight. DISABLED commands nothing.
* Once at rest, nothing is published while the robot is silent or away from its command: a robot
  that restarts elsewhere must not be called back to where it was.
* A measured angle is the turn nearest to the one before, so that a driver that reports angles
  within (-pi, pi] is followed across pi; a measurement that jumps while somebody drives is a
  fault in that very tick, named by its joint.
* A handover starts from the previous command, which the tracking bound ties to the measured
  position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot_learning.control.commands import Refusal, RefusalKind
from robot_learning.control.frozen_state import evolve
from robot_learning.control.limiter import advance, brake, frozen, rest_position
from robot_learning.control.requests import Request, Response
from robot_learning.control.rules import answer, apply_rules
from robot_learning.control.settings import ArbiterSettings
from robot_learning.control.sources import (
    ages,
    human_staleness,
    human_target,
    policy_staleness,
    read_clocks,
    robot_staleness,
    take_inputs,
)
from robot_learning.control.state import (
    ArbiterState,
    Decision,
    Demonstration,
    Handover,
    Inputs,
    NoiseRun,
)
from robot_learning.control.workspace import Workspace, WorkspaceGuard
from robot_learning.core.clocks import Instant
from robot_learning.core.options.arbiter import Alignment
from robot_learning.core.types import FloatArray, UInt8Array
from robot_learning.core.vocabulary import Limit, Mode, Source

_SOURCES = {Mode.HUMAN: Source.HUMAN, Mode.POLICY: Source.POLICY}


@dataclass(frozen=True, slots=True)
class Command:
    """The part of a decision that moves the arm: rows (n,), see `Decision`."""

    requested: FloatArray
    limited: UInt8Array
    human: FloatArray
    policy: FloatArray
    noise: FloatArray


@dataclass(frozen=True, slots=True)
class Staleness:
    """Why each source cannot be relied on; empty where it can."""

    human: str
    policy: str
    robot: str


@dataclass(frozen=True)
class Arbiter:
    """The arbiter of one robot: a pure function of (state, inputs, now) with its settings.

    `workspace` says how far outside its box each arm's end effector is at given joint
    positions; None where there is no box to keep.
    """

    settings: ArbiterSettings
    workspace: Workspace | None = None

    def request(
        self, state: ArbiterState, request: Request, now: Instant
    ) -> tuple[ArbiterState, Response]:
        """Answer a request between two ticks; the change takes effect with the next tick.

        Args:
            state: state after the last tick.
            request: what an operator asks for.
            now: time of the call.
        """
        return answer(self.settings, state, request, now)

    def step(
        self, state: ArbiterState, inputs: Inputs, now: Instant
    ) -> tuple[ArbiterState, Decision]:
        """One tick, to be called once every `settings.limits.period_s`.

        STOP wins over whatever else is asked for in the same tick.

        Args:
            state: state after the previous tick; `ArbiterState()` at first.
            inputs: everything that arrived since the previous tick.
            now: time of this tick.
        """
        settings = self.settings
        state, interruption = read_clocks(settings, state, now)
        state = take_inputs(settings, state, inputs, now)
        state = _take_demonstration(settings, state, inputs.demonstration)
        responses = []
        for request in sorted(inputs.requests, key=lambda request: request is Request.STOP):
            state, response = answer(settings, state, request, now)
            responses.append(response)
        state = apply_rules(settings, state, interruption, now)
        stale = Staleness(
            human=human_staleness(settings, state, now),
            policy=policy_staleness(settings, state, now),
            robot=robot_staleness(settings, state, now),
        )
        policy = _policy_now(settings, state, stale, now)
        state, command = self._command(state, policy, now)
        decision = self._decision(state, command, now, stale=stale, responses=tuple(responses))
        state = evolve(state, tick=state.tick + 1, told_epoch=state.policy_epoch, transitions=())
        return state, decision

    def _command(
        self, state: ArbiterState, policy: FloatArray, now: Instant
    ) -> tuple[ArbiterState, Command]:
        settings = self.settings
        state, noise = _next_noise(settings, state)
        motion = state.motion
        if motion is None:
            still = np.zeros(len(settings.joint_names), np.uint8)
            return state, Command(settings.nothing, still, settings.nothing, policy, noise)
        if state.mode not in _SOURCES:
            after = brake(settings.limits, motion)
            requested = rest_position(settings.limits, motion)
            moving = np.where(after.position != requested, Limit.ACCELERATION, 0)
            limited = moving.astype(np.uint8)
            command = Command(frozen(requested), limited, settings.nothing, policy, noise)
            return evolve(state, motion=after), command
        human = settings.nothing
        if state.mode is Mode.HUMAN:
            state, human = _human_now(settings, state, now)
        requested = frozen((human if state.mode is Mode.HUMAN else policy) + noise)
        state, target = _blend(settings, state, requested)
        after, limited = advance(settings.limits, motion, target)
        if self.workspace is not None:
            guard = WorkspaceGuard(settings.limits, settings.arms, self.workspace)
            after, limited = guard.keep_inside(motion, after, limited)
        if target is not requested:
            limited |= np.where(target != requested, Limit.HANDOVER, 0).astype(np.uint8)
        return evolve(state, motion=after), Command(requested, limited, human, policy, noise)

    def _decision(
        self,
        state: ArbiterState,
        command: Command,
        now: Instant,
        *,
        stale: Staleness,
        responses: tuple[Response, ...],
    ) -> Decision:
        settings, motion = self.settings, state.motion
        reasons = (state.reason, stale.human, stale.policy, stale.robot)
        command.limited.flags.writeable = False
        return Decision(
            tick=state.tick,
            now=now,
            mode=state.mode,
            source=_SOURCES.get(state.mode, Source.NONE),
            human=command.human,
            policy=command.policy,
            noise=command.noise,
            requested=command.requested,
            applied=settings.nothing if motion is None else motion.position,
            sent=_sent(settings, state),
            velocity=settings.zeros if motion is None else motion.velocity,
            limited=command.limited,
            publish=_to_publish(state, stale.robot),
            handover=state.handover is not None,
            noisy=bool(np.count_nonzero(command.noise)),
            episode=state.noise.demonstration.episode if state.noise else None,
            ages=ages(state, now),
            reasons=tuple(dict.fromkeys(filter(None, reasons))),
            policy_reset=state.policy_epoch != state.told_epoch,
            policy_epoch=state.policy_epoch,
            transitions=state.transitions,
            responses=responses,
            refusals=state.refusals,
        )


def _sent(settings: ArbiterSettings, state: ArbiterState) -> FloatArray:
    """The command as the driver counts its turns: where it stood when enabled, it is held."""
    if state.motion is None:
        return settings.nothing
    turns = state.driver_turns
    return state.motion.position if turns is None else frozen(state.motion.position + turns)


def _to_publish(state: ArbiterState, robot_stale: str) -> bool:
    if state.motion is None:
        return False
    if state.mode in _SOURCES or not state.motion.is_at_rest:
        return True
    return state.mode is Mode.HOLD and not robot_stale and state.off_track_since_ns is None


def _policy_now(
    settings: ArbiterSettings, state: ArbiterState, stale: Staleness, now: Instant
) -> FloatArray:
    """What the policy means in this tick; NaN when it is stale."""
    if state.policy is None or stale.policy:
        return settings.nothing
    return state.policy.at(state.policy.stamp_age_s(now))


def _human_now(
    settings: ArbiterSettings, state: ArbiterState, now: Instant
) -> tuple[ArbiterState, FloatArray]:
    """What the human means in this tick; takes a little of the offset back for the next.

    It begins to do so once the handover is over. The offset of a gripper is always taken back:
    half of a trigger's travel must not become unusable because the gripper happened to be open.
    """
    offset = state.human_offset
    assert state.human is not None and offset is not None  # noqa: S101 (nobody drives without)
    human = frozen(human_target(state.human, now) + offset)
    if state.handover is not None or not np.count_nonzero(offset):
        return state, human
    step = settings.align_step
    if settings.tolerances.alignment is Alignment.CLUTCH:
        step = step * settings.gripper
    smaller = frozen(offset - np.minimum(np.maximum(offset, -step), step))
    return evolve(state, human_offset=smaller), human


def _blend(
    settings: ArbiterSettings, state: ArbiterState, requested: FloatArray
) -> tuple[ArbiterState, FloatArray]:
    """The target of this tick while a handover is under way; counts it down."""
    handover = state.handover
    if handover is None:
        return state, requested
    target = requested
    if handover.blended:
        done = 1.0 - handover.ticks_left / (settings.blend_ticks + 1)
        share = done * done * (3.0 - 2.0 * done)
        target = handover.anchor + share * (requested - handover.anchor)
    ticks_left = handover.ticks_left - 1
    left = Handover(handover.anchor, ticks_left, handover.blended) if ticks_left else None
    return evolve(state, handover=left), target


def _take_demonstration(
    settings: ArbiterSettings, state: ArbiterState, given: Demonstration | None
) -> ArbiterState:
    """Begin and end demonstrations; within one, the noise stays as it began."""
    running = state.noise
    if given is None:
        return state if running is None else evolve(state, noise=None)
    if running is None or running.demonstration.episode != given.episode:
        return evolve(state, noise=NoiseRun(given, 0, settings.zeros))
    begun = running.demonstration.noise
    if given.noise is begun or given.noise.equals(begun):
        return state
    text = f"the noise cannot change during episode {given.episode}; it stays as it began"
    refusal = Refusal("demonstration", RefusalKind.NOISE_CHANGED, text)
    last = state.refusals.last
    return state if last == refusal else evolve(state, refusals=state.refusals.plus(refusal))


def _next_noise(settings: ArbiterSettings, state: ArbiterState) -> tuple[ArbiterState, FloatArray]:
    """The noise of this tick: zeros unless a human demonstrates and no handover is under way.

    The episode's tick counts on in every mode, so that a draw depends on nothing else.
    """
    run = state.noise
    if run is None:
        return state, settings.zeros
    demonstration = run.demonstration
    draw = run.draw
    if run.tick % demonstration.noise.hold_ticks == 0:
        draw = demonstration.noise.draw(demonstration.episode, run.tick)
    state = evolve(state, noise=NoiseRun(demonstration, run.tick + 1, draw))
    on = state.mode is Mode.HUMAN and state.handover is None
    return state, draw if on else settings.zeros
