"""The rules by which modes change: what operators may ask for, and what happens by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robot_learning.control.frozen_state import evolve
from robot_learning.control.limiter import Motion, frozen, rest_position
from robot_learning.control.requests import Request, Response
from robot_learning.control.settings import ArbiterSettings
from robot_learning.control.sources import (
    Interruption,
    count_turns,
    flush_policy,
    human_staleness,
    human_target,
    policy_staleness,
    robot_silence_s,
    robot_staleness,
)
from robot_learning.control.state import ArbiterState, Handover
from robot_learning.control.tracking import tracking_error, watch_tracking
from robot_learning.control.transitions import TRANSITIONS, Event, Transition, Trigger
from robot_learning.core.clocks import NS_PER_S, Instant
from robot_learning.core.options.arbiter import Alignment
from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import Mode

ENABLED = "enabled; holding where the arm stands"
_DRIVING = (Mode.HUMAN, Mode.POLICY)


def enter(
    settings: ArbiterSettings,
    state: ArbiterState,
    trigger: Trigger,
    reason: str,
    now: Instant,
    *,
    ready: bool = True,
) -> ArbiterState:
    """Change the mode as the table has it, and everything that follows from the change.

    Commands go on from the previous one, so that nothing jumps. A new source starts from the
    place where the arm would have come to rest. Leaving POLICY flushes its chunks.

    Args:
        settings: settings of the arbiter.
        state: state before the change.
        trigger: what changes the mode; it must have an effect in the present one.
        reason: why the mode changes, for a person.
        now: time of this tick.
        ready: whether the new source can drive; if not, the table's other mode follows.
    """
    change = TRANSITIONS[trigger]
    mode = change.after if ready else change.otherwise
    assert mode is not None and state.mode in change.before  # noqa: S101 (a fault of the rules)
    if mode is state.mode:
        return evolve(state, reason=reason)
    if state.mode is Mode.POLICY:
        state = flush_policy(state, now)
    state = evolve(
        state,
        mode=mode,
        reason=reason,
        handover=None,
        human_offset=None,
        transitions=(*state.transitions, Transition(state.mode, mode, reason, trigger)),
    )
    if mode is Mode.DISABLED:
        return evolve(state, motion=None, off_track_since_ns=None)
    if mode in _DRIVING:
        return _begin_handover(settings, state, now)
    return state


def _begin_handover(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> ArbiterState:
    motion = state.motion
    assert motion is not None  # noqa: S101 (nothing drives without having been enabled)
    # Where the arm would stop by itself: a source that asks for this place changes nothing.
    anchor = frozen(rest_position(settings.limits, motion))
    state = evolve(state, motion=motion.aimed_at(anchor))
    if state.mode is Mode.POLICY:
        return evolve(state, handover=_handover(settings, anchor, blended=True))
    assert state.human is not None  # noqa: S101 (nobody is in HUMAN without a command)
    # Relative: the human's commands are shifted so that the present one means the anchor.
    # Absolute: they are taken as they are, and blended in from the anchor.
    absolute = settings.tolerances.alignment is Alignment.ABSOLUTE
    offset = settings.zeros if absolute else frozen(anchor - human_target(state.human, now))
    handover = _handover(settings, anchor, blended=absolute)
    return evolve(state, handover=handover, human_offset=offset, human_yielded=False)


def _handover(settings: ArbiterSettings, anchor: FloatArray, *, blended: bool) -> Handover | None:
    """What is to be blended over; None where the new source takes over at once."""
    return Handover(anchor, settings.blend_ticks, blended) if settings.blend_ticks else None


def apply_rules(
    settings: ArbiterSettings, state: ArbiterState, interruption: Interruption | None, now: Instant
) -> ArbiterState:
    """What happens without being asked: faults, holds, and the human's right of way.

    The order of the checks is their priority: a fault comes before every hold, silence of the robot
    before silence of a source, and the human before the policy.

    Args:
        settings: settings of the arbiter.
        state: state after this tick's messages and requests were taken.
        interruption: what broke the sequence of ticks, such as a clock that stepped back; None for
            nothing.
        now: time of this tick.
    """
    state = watch_tracking(settings, state, now)
    human_stale = human_staleness(settings, state, now)
    if human_stale and state.human_yielded:
        state = evolve(state, human_yielded=False)
    if state.mode in (Mode.DISABLED, Mode.FAULT):
        return state
    fault = _fault(settings, state, now)
    if fault:
        return enter(settings, state, Event.FAULT, fault, now)
    robot_stale = robot_staleness(settings, state, now)
    if robot_stale and _concerns(Event.ROBOT_STALE, state):
        return enter(settings, state, Event.ROBOT_STALE, robot_stale, now)
    if interruption and (state.mode is Mode.POLICY or interruption.of_human):
        state = enter(settings, state, Event.INTERRUPTED, interruption.reason, now)
    if human_stale and _concerns(Event.HUMAN_STALE, state):
        state = enter(settings, state, Event.HUMAN_STALE, human_stale, now)
    if _human_may_drive(state) and not human_stale and not robot_stale:
        return enter(settings, state, Event.HUMAN_DRIVES, "the human drives", now)
    if _concerns(Event.POLICY_STALE, state):
        policy_stale = policy_staleness(settings, state, now)
        if policy_stale:
            return enter(settings, state, Event.POLICY_STALE, policy_stale, now)
    return state


def _concerns(event: Event, state: ArbiterState) -> bool:
    """Whether an event has an effect in the present mode."""
    return state.mode in TRANSITIONS[event].before


def _fault(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> str:
    tolerances = settings.tolerances
    silence_s = robot_silence_s(state, now)
    if silence_s > tolerances.measured_fault_s:
        return f"the robot was not heard for {silence_s:.2f} s"
    if state.jump and state.mode in _DRIVING:
        return state.jump
    since_ns = state.off_track_since_ns
    if since_ns is not None and now.steady_ns - since_ns >= tolerances.tracking_fault_s * NS_PER_S:
        return tracking_error(settings, state) or "the arm does not follow its command"
    return ""


def _human_may_drive(state: ArbiterState) -> bool:
    if state.human_yielded or not _concerns(Event.HUMAN_DRIVES, state):
        return False
    # An arm that does not follow is not let go from HOLD.
    return state.mode is Mode.POLICY or state.off_track_since_ns is None


def answer(
    settings: ArbiterSettings, state: ArbiterState, request: Request, now: Instant
) -> tuple[ArbiterState, Response]:
    """Grant or refuse a request; the text tells a person what happened and why.

    Args:
        settings: settings of the arbiter.
        state: state before the request.
        request: what an operator asks for.
        now: time of this tick.
    """
    after, accepted, text = _ANSWERS[request](settings, state, now)
    return after, Response(request, accepted, text)


_Answer = tuple[ArbiterState, bool, str]


def _not_enabled(state: ArbiterState) -> str:
    """Why nothing can drive at all; empty when something can."""
    if state.mode is Mode.DISABLED:
        return "the arm is disabled; call enable first"
    if state.mode is Mode.FAULT:
        return f"there is a fault ({state.reason}); call clear_fault, then enable"
    return ""


def _enable(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> _Answer:
    if state.mode is Mode.FAULT:
        return state, False, _not_enabled(state)
    if state.mode is not Mode.DISABLED:
        return state, True, f"already enabled, in {state.mode.name}"
    stale = robot_staleness(settings, state, now)
    if stale or state.measured is None:
        return state, False, f"not enabled: {stale}"
    state = count_turns(settings, state)
    if state.unclear:
        return state, False, f"not enabled: {state.unclear}"
    assert state.measured is not None  # noqa: S101 (as before)
    measured, limits = state.measured.position, settings.limits
    seed = np.clip(measured, limits.position_min, limits.position_max)
    outside = np.abs(measured - seed)
    bound = _outside_bound(settings)
    if (outside > bound).any():
        worst = int((outside / bound).argmax())
        text = (
            f"joint '{settings.joint_names[worst]}' stands at {measured[worst]:.3f}, outside its "
            f"limits [{limits.position_min[worst]:g}, {limits.position_max[worst]:g}] by "
            f"{outside[worst]:.3f}; move it back by hand"
        )
        return state, False, f"not enabled: {text}"
    state = evolve(state, motion=Motion.at_rest(seed), off_track_since_ns=None)
    return enter(settings, state, Request.ENABLE, ENABLED, now), True, ENABLED


def _outside_bound(settings: ArbiterSettings) -> FloatArray:
    """(n,) how far outside its limits a joint may stand when enabled: what is believed.

    A gripper may stand anywhere: it closes on things, and its way is short.
    """
    return np.where(settings.gripper, np.inf, settings.turns.slack)


def _take_over(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> _Answer:
    if blocked := _not_enabled(state):
        return state, False, blocked
    state = evolve(state, human_yielded=False)
    if state.mode is Mode.HUMAN:
        return state, True, "the human already drives"
    stale = human_staleness(settings, state, now) or robot_staleness(settings, state, now)
    if not stale and state.off_track_since_ns is not None and state.mode is Mode.HOLD:
        stale = tracking_error(settings, state)
    if stale:
        text = f"taken over; holding until the human can drive: {stale}"
        return enter(settings, state, Request.TAKE_OVER, text, now, ready=False), True, text
    return enter(settings, state, Request.TAKE_OVER, "taken over", now), True, "the human drives"


def _hand_back(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> _Answer:
    if blocked := _not_enabled(state):
        return state, False, blocked
    if state.mode is Mode.POLICY:
        return state, True, "the policy already drives"
    state = _yield(settings, state, now)
    stale = policy_staleness(settings, state, now) or robot_staleness(settings, state, now)
    if not stale and state.off_track_since_ns is not None:
        stale = tracking_error(settings, state)
    if stale:
        text = f"handed back, but holding: {stale}"
        return enter(settings, state, Request.HAND_BACK, text, now, ready=False), False, text
    return enter(settings, state, Request.HAND_BACK, "handed back", now), True, "the policy drives"


def _hold(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> _Answer:
    if blocked := _not_enabled(state):
        return state, False, blocked
    state = _yield(settings, state, now)
    return enter(settings, state, Request.HOLD, "hold was asked for", now), True, "holding"


def _yield(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> ArbiterState:
    """Who asks for another mode while their device still sends has let go of the arm."""
    return evolve(state, human_yielded=not human_staleness(settings, state, now))


def _stop(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> _Answer:
    if state.mode is Mode.FAULT:
        return state, True, f"already in FAULT: {state.reason}"
    state = enter(settings, state, Request.STOP, "stop was asked for", now)
    return state, True, "stopped; only clear_fault leaves this"


def _clear_fault(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> _Answer:
    if state.mode is not Mode.FAULT:
        return state, False, f"there is no fault; the mode is {state.mode.name}"
    if state.motion is not None and not state.motion.is_at_rest:
        return state, False, "the arm is still coming to rest; try again"
    text = f"cleared: {state.reason}; call enable to continue"
    return enter(settings, state, Request.CLEAR_FAULT, text, now), True, text


def _disable(settings: ArbiterSettings, state: ArbiterState, now: Instant) -> _Answer:
    if state.mode is Mode.DISABLED:
        return state, True, "already disabled"
    if state.mode is not Mode.HOLD:
        return state, False, f"only an arm in HOLD is disabled; the mode is {state.mode.name}"
    if state.motion is not None and not state.motion.is_at_rest:
        return state, False, "the arm is still coming to rest; try again"
    return enter(settings, state, Request.DISABLE, "disable was asked for", now), True, "disabled"


_ANSWERS: dict[Request, Callable[[ArbiterSettings, ArbiterState, Instant], _Answer]] = {
    Request.ENABLE: _enable,
    Request.TAKE_OVER: _take_over,
    Request.HAND_BACK: _hand_back,
    Request.HOLD: _hold,
    Request.STOP: _stop,
    Request.CLEAR_FAULT: _clear_fault,
    Request.DISABLE: _disable,
}
