"""What keyboards, gamepads and SpaceMice share: deflections and buttons become intent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import Arm, RobotProfile
from robot_learning.teleop.actions import CARTESIAN_AXES, JOINT_AXES, event_of
from robot_learning.teleop.device import (
    CartesianJog,
    Health,
    HomeMove,
    JointJog,
    Motion,
    OperatorEvent,
    TeleopInput,
)
from robot_learning.teleop.engagement import Engagement, EngagementKind


@dataclass(frozen=True, slots=True)
class PanelState:
    """Buttons and axes of a device at one instant.

    Attributes:
        held: actions whose key or button is down.
        pressed: actions that went down since the last poll, oldest first.
        deflection: axis -> [-1, 1]; axes of the mode that is not selected are ignored.
        health: whether the device can be trusted.
        fresh: whether the operator began to drive since the last poll, even when what it used
            was down at the last poll too.
    """

    held: Collection[str]
    pressed: Iterable[str]
    deflection: Mapping[str, float]
    health: Health
    fresh: bool = False


class JogPanel:
    """Keeps the selected arm, the selected mode and the engagement of one device."""

    def __init__(self, profile: RobotProfile, engagement: EngagementKind, joint_mode: bool) -> None:
        if not profile.arms:
            raise ConfigurationError(f"robot '{profile.name}' has no arm to drive")
        self._arms = profile.arms
        self._selected = 0
        self._kind = engagement
        self._engagement = Engagement(engagement)
        self._joint_mode = joint_mode
        self._pending: list[OperatorEvent] = []

    @property
    def arm(self) -> Arm:
        """The arm that moves."""
        return self._arms[self._selected]

    @property
    def joint_mode(self) -> bool:
        """Whether single joints are jogged, rather than the end effector."""
        return self._joint_mode

    def handle(self, event: OperatorEvent) -> None:
        """Take an event from elsewhere at the next step; it is not reported again."""
        self._pending.append(event)

    def step(self, now_ns: int, state: PanelState) -> TeleopInput:
        """The operator's intent for this state of the device."""
        events: list[OperatorEvent] = []
        for action in state.pressed:
            if action == "mode":
                self._joint_mode = not self._joint_mode
            elif action == "next_arm":
                self._selected = (self._selected + 1) % len(self._arms)
            elif (event := event_of(action)) is not None:
                events.append(event)
        motions = self._motions(state)
        grip = self._grip(state.held)
        held = bool(motions or grip)
        if self._kind is EngagementKind.DEAD_MAN:
            held = "dead_man" in state.held
        heard = [*self._pending, *events]
        self._pending.clear()
        engaged = self._engagement.update(state.health.alive, held, heard, state.fresh)
        return TeleopInput(
            stamp_ns=now_ns,
            engaged=engaged,
            motions=motions if engaged else (),
            grip=grip if engaged else {},
            fast="fast" in state.held,
            events=tuple(events),
            health=state.health,
            notes=(f"{self.arm.name} {'joints' if self._joint_mode else 'Cartesian'}",),
        )

    def _motions(self, state: PanelState) -> tuple[Motion, ...]:
        if "home" in state.held:
            return (HomeMove(self.arm.name),)
        if self._joint_mode:
            jog = {
                joint: value
                for axis, joint in zip(JOINT_AXES, self.arm.joints, strict=False)
                if (value := _bounded(state.deflection.get(axis, 0.0)))
            }
            return (JointJog(jog),) if jog else ()
        values = [_bounded(state.deflection.get(axis, 0.0)) for axis in CARTESIAN_AXES]
        if not any(values):
            return ()
        x, y, z, roll, pitch, yaw = values
        return (CartesianJog(self.arm.name, (x, y, z), (roll, pitch, yaw)),)

    def _grip(self, held: Collection[str]) -> Mapping[str, float]:
        rate = float("grip_close" in held) - float("grip_open" in held)
        return {self.arm.name: rate} if rate and self.arm.gripper else {}


def _bounded(value: float) -> float:
    return min(1.0, max(-1.0, value))
