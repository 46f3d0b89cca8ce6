"""What the arbiter remembers, what it is given each tick, and what it decides. All frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

from robot_learning.control.commands import Measured, RawCommand, Refusals, Trajectory
from robot_learning.control.limiter import Motion
from robot_learning.control.noise import ActionNoise
from robot_learning.control.requests import Request, Response
from robot_learning.control.transitions import Transition
from robot_learning.core.clocks import Instant
from robot_learning.core.types import FloatArray, UInt8Array
from robot_learning.core.vocabulary import Mode, Source


@dataclass(frozen=True, slots=True, eq=False)
class Demonstration:
    """A running demonstration: the number of its episode and the noise on the human's command.

    The noise stays as it was when the episode began; a change takes a new episode.
    """

    episode: int
    noise: ActionNoise


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What arrived since the last tick, oldest first.

    `unusable` says of each message of the robot that could not even be read what is wrong with
    it. `demonstration` is a level, not an event: None means that no demonstration is running.
    """

    human: tuple[RawCommand, ...] = ()
    policy: tuple[RawCommand, ...] = ()
    measured: Measured | None = None
    requests: tuple[Request, ...] = ()
    unusable: tuple[str, ...] = ()
    demonstration: Demonstration | None = None


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The clocks at the last tick, and the steady time at which the ROS clock last moved."""

    steady_ns: int
    ros_ns: int
    ros_moved_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Handover:
    """A handover under way: `anchor` (n,) is where the arm would have come to rest.

    The new source is blended in from there over `ticks_left`; with `blended` False (a human
    whose offset already makes the first target the anchor) only noise stays off meanwhile.
    """

    anchor: FloatArray
    ticks_left: int
    blended: bool


@dataclass(frozen=True, slots=True, eq=False)
class NoiseRun:
    """The noise of the running demonstration: the next tick of its episode, the draw in force."""

    demonstration: Demonstration
    tick: int
    draw: FloatArray


@dataclass(frozen=True, eq=False)
class ArbiterState:
    """Everything that one tick hands to the next.

    Attributes:
        mode: present mode.
        reason: why the arbiter is in that mode, for a person.
        tick: ticks so far.
        clock: the clocks at the last tick.
        motion: the previous command; None while nothing was ever commanded since DISABLED.
        measured: the newest measurement that was taken, its joints in the turn that is meant.
        reading: (n,) the newest measurement as the driver reported it, rad or m.
        driver_turns: (n,) turns (rad) that the driver counted beyond ours when it was first heard;
            None for none, as with nearly every driver.
        unclear: text that names the joint whose turn could not be known at the first measurement;
            empty for none.
        jump: how a joint's measurement has jumped with the newest one; empty when none has.
        off_track_since_ns: steady time since which the arm has been away from its command.
        human: the newest command of the human.
        human_floor_ns: stamp below which a human's command is superseded.
        human_yielded: whether the human let go by `hand_back` or `hold` while still sending;
            what they send counts again after a silence, or after `take_over`.
        human_offset: (n,) what is added to the human's command; None outside HUMAN.
        policy: the newest chunk of the policy; None when flushed.
        policy_floor_ns: stamp below which a chunk is superseded.
        policy_barrier_ns: stamp below which a chunk answers to a state before the last flush.
        policy_epoch: number of times that the policy's chunks were flushed; a policy that sees it
            change forgets its history.
        told_epoch: the value of `policy_epoch` in the last decision.
        handover: the handover under way.
        noise: the noise of the running demonstration.
        refusals: refused messages so far.
        transitions: changes of mode since the last decision.
    """

    mode: Mode = Mode.DISABLED
    reason: str = "not enabled yet"
    tick: int = 0
    clock: ClockReading | None = None
    motion: Motion | None = None
    measured: Measured | None = None
    reading: FloatArray | None = None
    driver_turns: FloatArray | None = None
    unclear: str = ""
    jump: str = ""
    off_track_since_ns: int | None = None
    human: Trajectory | None = None
    human_floor_ns: int | None = None
    human_yielded: bool = False
    human_offset: FloatArray | None = None
    policy: Trajectory | None = None
    policy_floor_ns: int | None = None
    policy_barrier_ns: int | None = None
    policy_epoch: int = 0
    told_epoch: int = 0
    handover: Handover | None = None
    noise: NoiseRun | None = None
    refusals: Refusals = field(default_factory=Refusals)
    transitions: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds since the newest accepted message of each source; NaN where there is none.

    `_receipt_s` is on the steady clock, `_stamp_s` on the ROS clock (for a policy: the age of
    the observation that its chunk answers to).
    """

    human_receipt_s: float
    human_stamp_s: float
    policy_receipt_s: float
    policy_stamp_s: float
    measured_receipt_s: float
    measured_stamp_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What the arbiter decided in one tick: every column of a recording.

    The rows are (n,) positions, rad or m. A source that has no action has a row of NaN.

    Attributes:
        tick: number of the tick, from 0.
        now: time of the tick.
        mode: mode of the tick.
        source: source whose action `requested` is.
        human: what the human meant while driving: their command plus the offset of the
            take-over, without noise. This is the label of a demonstration.
        policy: what the policy means now, in every mode: driving or in shadow.
        noise: the noise that was added; zeros where none was.
        requested: the source's action plus the noise; in HOLD and FAULT where the arm rests.
        applied: what the handover and the limits leave of `requested`: the command in force.
        sent: what the robot is sent: `applied`, in the turns that the robot's driver counts.
        velocity: the commanded velocity that leads to `applied`.
        limited: (n,) bits of `Limit` for every joint whose `applied` differs from `requested`.
        publish: whether `applied` is to be sent to the robot.
        handover: whether a handover is under way.
        noisy: whether noise was added.
        episode: number of the running demonstration; None outside.
        ages: ages of the newest messages.
        reasons: why the arbiter is in this mode, then what keeps another source from driving.
        policy_reset: whether the policy's chunks were flushed in this tick.
        policy_epoch: number of times that the policy's chunks were flushed; a count, so that a lost
            message loses nothing.
        transitions: changes of mode since the last decision.
        responses: answers to this tick's requests, in their order.
        refusals: refused messages so far.
    """

    tick: int
    now: Instant
    mode: Mode
    source: Source
    human: FloatArray
    policy: FloatArray
    noise: FloatArray
    requested: FloatArray
    applied: FloatArray
    sent: FloatArray
    velocity: FloatArray
    limited: UInt8Array
    publish: bool
    handover: bool
    noisy: bool
    episode: int | None
    ages: Ages
    reasons: tuple[str, ...]
    policy_reset: bool
    policy_epoch: int
    transitions: tuple[Transition, ...]
    responses: tuple[Response, ...]
    refusals: Refusals
