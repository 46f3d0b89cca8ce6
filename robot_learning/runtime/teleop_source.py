"""A teleoperation device as a source: what `teleop_node` does, in lockstep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robot_learning.control.commands import RawCommand
from robot_learning.control.requests import Request
from robot_learning.control.state import Decision
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray, Observation
from robot_learning.runtime.source import CommandSource, SourceOutput
from robot_learning.teleop.device import OperatorEvent, TeleopContext, TeleopDevice
from robot_learning.teleop.teleop_controller import DISENGAGED, TeleopController

REQUESTS = {
    OperatorEvent.TAKE_OVER: Request.TAKE_OVER,
    OperatorEvent.HAND_BACK: Request.HAND_BACK,
    OperatorEvent.HOLD: Request.HOLD,
    OperatorEvent.HALT: Request.STOP,
    OperatorEvent.CLEAR_FAULT: Request.CLEAR_FAULT,
    OperatorEvent.ENABLE: Request.ENABLE,
}


class TeleopSource(CommandSource):
    """An open device and its controller; silent while the operator is not engaged."""

    def __init__(
        self,
        device: TeleopDevice,
        controller: TeleopController,
        profile: RobotProfile,
        on_event: Callable[[OperatorEvent], None] | None = None,
    ) -> None:
        """Prepare.

        Args:
            device: open device that the operator holds.
            controller: turns the operator's input into joint targets.
            profile: profile of the robot that is driven.
            on_event: called with everything the operator asks for, whether it is meant for the
                arbiter or not; None for none.
        """
        self._device, self._controller = device, controller
        self._names = profile.joint_names
        self._period_s = 1.0 / profile.control_rate_hz
        self._on_event = on_event
        self._state = DISENGAGED

    def reset(self, seed: int) -> None:
        """Begin an episode: the robot has moved, so the target starts over."""
        self._state = DISENGAGED

    def poll(self, observation: Observation, decision: Decision | None) -> SourceOutput:
        """The operator's target while engaged, and what they ask the arbiter for."""
        context = TeleopContext(
            observation,
            applied=_known(decision.applied) if decision else None,
            policy=_known(decision.policy) if decision else None,
        )
        now_ns = observation.stamp_ns
        wanted = self._device.poll(now_ns, context)
        self._state, command = self._controller.step(self._state, wanted, context, self._period_s)
        for event in wanted.events:
            if self._on_event:
                self._on_event(event)
        requests = tuple(REQUESTS[event] for event in wanted.events if event in REQUESTS)
        if command.position is None:
            return SourceOutput(requests=requests)
        raw = RawCommand(now_ns, now_ns, self._names, command.position[None])
        return SourceOutput((raw,), requests)


def _known(position: FloatArray) -> FloatArray | None:
    """A row of a decision; None where it is NaN, as of a source that sent nothing."""
    return None if np.isnan(position).any() else position
