"""The interface of every robot, simulated or real."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.errors import CommandError
from robot_learning.core.features import Feature, action_feature
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import Command, FloatArray, Observation

if TYPE_CHECKING:
    from typing_extensions import Self


class Robot(ABC):
    """An arm (or several) that is observed and commanded through one joint vector.

    Everything about its shape is known before `connect`. Between `connect` and `disconnect`
    it holds its last command; a refused command changes nothing.
    """

    profile: RobotProfile

    @property
    @abstractmethod
    def observation_features(self) -> tuple[Feature, ...]:
        """The arrays that `observe` returns: joints, poses, then one image per camera."""

    @property
    def action_feature(self) -> Feature:
        """The array that `apply` takes."""
        return action_feature(self.profile)

    @property
    @abstractmethod
    def is_connected(self) -> bool:
        """Whether the robot can be observed and commanded now."""

    @abstractmethod
    def connect(self) -> None:
        """Make the robot ready; it holds where it is. Connecting twice is an error.

        Raises:
            RobotConnectionError: it cannot be reached, or is connected already.
            ConfigurationError: the profile does not fit the robot.
        """

    @abstractmethod
    def disconnect(self) -> None:
        """Release everything. Harmless when not connected."""

    @abstractmethod
    def observe(self) -> Observation:
        """The newest measurements; never blocks for longer than one control period.

        Raises:
            RobotConnectionError: not connected.
        """

    @abstractmethod
    def apply(self, command: Command) -> Command:
        """Command a position for every joint; returns what the robot really took.

        What it took differs where a position or velocity limit was in the way.

        Raises:
            CommandError: wrong size, NaN or infinity; the robot keeps its last command.
            RobotConnectionError: not connected.
        """

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.disconnect()


def checked_position(command: Command, profile: RobotProfile) -> FloatArray:
    """The command's position (n,), as float64.

    Raises:
        CommandError: wrong size, NaN or infinity; the text names the joint.
    """
    position = np.asarray(command.position, float)
    names = profile.joint_names
    if position.shape != (len(names),):
        text = f"shape {position.shape} for the {amount(len(names), 'joint')} {', '.join(names)}"
        raise CommandError(f"wrong size: {text}")
    if not np.isfinite(position).all():
        index = int(np.argmin(np.isfinite(position)))
        raise CommandError(f"not finite: {position[index]} for joint '{names[index]}'")
    return position
