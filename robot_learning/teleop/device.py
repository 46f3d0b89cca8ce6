"""The interface of everything a human drives a robot with, and what such a device says.

A device reports *intent*: a deflection in [-1, 1], or where each joint should be. It knows
nothing of kinematics or limits; `teleop_controller` turns intent into joint positions, so that
every device moves every robot the same way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from robot_learning.core.types import FloatArray, Observation


class OperatorEvent(Enum):
    """What an operator asks for with a single key or button."""

    TAKE_OVER = "take_over"
    """the human takes the robot"""
    HAND_BACK = "hand_back"
    """the human lets go and the policy may drive"""
    HOLD = "hold"
    """the human lets go and the robot holds its position"""
    HALT = "halt"
    """the arbiter's latched stop; only `clear_fault` leaves it"""
    CLEAR_FAULT = "clear_fault"
    ENABLE = "enable"
    ALIGN = "align"
    """bring the follower slowly to where the leader arm stands"""
    START = "start"
    """start recording an episode"""
    STOP = "stop"
    """stop recording and keep the episode"""
    DISCARD = "discard"
    SUCCESS = "success"
    FAILURE = "failure"
    HELP = "help"
    """print what every key and button does"""


RELEASING_EVENTS = frozenset({OperatorEvent.HAND_BACK, OperatorEvent.HOLD, OperatorEvent.HALT})
"""Events with which the operator lets go of the robot, whatever else is pressed."""

ARBITER_EVENTS = (
    OperatorEvent.TAKE_OVER,
    OperatorEvent.HAND_BACK,
    OperatorEvent.HOLD,
    OperatorEvent.HALT,
    OperatorEvent.CLEAR_FAULT,
    OperatorEvent.ENABLE,
)
"""Events that are meant for the arbiter; the others are for the recorder or for the device."""


@dataclass(frozen=True, slots=True)
class CartesianJog:
    """Move one end effector: deflections in [-1, 1] of full speed along and about world axes.

    `linear` is (x, y, z), `angular` is (roll, pitch, yaw): rotation about world x, y and z.
    """

    arm: str
    linear: tuple[float, float, float]
    angular: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class JointJog:
    """Move joints: joint name -> deflection in [-1, 1] of full speed."""

    deflection: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class JointTarget:
    """Go to joint positions: (n,) rad or m, NaN for joints that are not meant.

    Of a continuous joint every turn is the same place.

    With `slow` the way there is taken at the speed of a homing move.
    """

    position: FloatArray
    slow: bool = False


@dataclass(frozen=True, slots=True)
class HomeMove:
    """Move one arm slowly towards its resting position, for as long as this is asked."""

    arm: str


Motion = CartesianJog | JointJog | JointTarget | HomeMove


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the device can be trusted now and, when it cannot, why (one line).

    The reason of a device that is alive says what of it is ignored.
    """

    alive: bool
    reason: str = ""


ALIVE = Health(True)


@dataclass(frozen=True, slots=True, eq=False)
class TeleopContext:
    """What the robot's side looks like when a device is polled.

    Attributes:
        observation: the newest observation; None while the robot is not heard.
        applied: (n,) what the robot was last commanded; None when unknown.
        policy: (n,) the policy's newest clean action, in shadow or not; None when there is none.
        silence_s: time since the robot was heard; None for never.
    """

    observation: Observation | None = None
    applied: FloatArray | None = None
    policy: FloatArray | None = None
    silence_s: float | None = None

    @property
    def lost_robot(self) -> Health:
        """What a device says that cannot work without an observation while there is none."""
        if self.silence_s is None:
            return Health(False, "the robot was not heard yet")
        return Health(False, f"the robot was last heard {self.silence_s:.1f} s ago")


@dataclass(frozen=True, slots=True, eq=False)
class TeleopInput:
    """What the operator wants at one instant.

    Attributes:
        stamp_ns: time at which the device was polled.
        engaged: the dead-man level. Nothing moves while it is False.
        motions: wanted motions, at most one a joint; an engaged operator without motions holds the
            robot still.
        grip: arm -> rate of the gripper in [-1, 1] of full speed, positive closes.
        fast: whether the faster of the two speeds is used.
        events: what the operator asked for since the last poll, oldest first.
        health: state of the device; one that is not alive is never engaged.
        notes: short lines for the operator (what is selected, why engaging was refused).
    """

    stamp_ns: int
    engaged: bool
    motions: tuple[Motion, ...] = ()
    grip: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    fast: bool = False
    events: tuple[OperatorEvent, ...] = ()
    health: Health = ALIVE
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.engaged and not self.health.alive:
            raise ValueError(f"engaged although the device is dead: {self.health.reason}")


class TeleopDevice(ABC):
    """One input device. Life cycle: `open`, then `poll` once a control period, then `close`.

    `poll` never blocks and never raises for a device that is lost: it reports it through
    `health`. A device that lost its operator (unplugged, window left, process suspended, no
    heartbeat) is not engaged, and what was held then must be let go before it counts again.
    """

    @abstractmethod
    def open(self) -> None:
        """Acquire the device; opening twice is allowed and does nothing.

        Raises:
            DependencyError: a library, a display or a right is missing; says what to do.
            ConfigurationError: the device does not fit its map.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the device; closing twice, or a device never opened, is allowed."""

    @abstractmethod
    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        """What the operator wants at `now_ns` (steady clock, or simulation time)."""

    @abstractmethod
    def describe(self) -> str:
        """What every key or button does, to be printed on start and on `help`."""

    @property
    def event_keys(self) -> Mapping[OperatorEvent, str]:
        """What to press for each operator event; events that the device lacks are left out."""
        return {}

    def handle(self, event: OperatorEvent) -> None:  # noqa: B027 (most devices need none)
        """Take an event that came from elsewhere: a service, or a second device."""

    def on_press(self, wake: Callable[[], None]) -> None:  # noqa: B027 (some are only polled)
        """Call `wake` when the operator pressed something, so that `poll` need not be awaited.

        `wake` is called from whatever thread learns of it, once a press and not when a held
        key repeats. A device that learns of presses only by being polled never calls it.
        """

    def __enter__(self) -> TeleopDevice:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
