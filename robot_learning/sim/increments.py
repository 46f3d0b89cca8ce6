"""Actions as bounded changes of the joint targets that are being held.

Absolute joint targets are a poor action to explore with: noise on them runs into the velocity
limit, whichever way the joint then moves. A change of the held command within [-1, 1] of what the
limit allows in a control period is taken as it is. The held command belongs to the observation: the
same change leads elsewhere from another one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from robot_learning.core.errors import CommandError, ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray

ACTIONS = ("targets", "increments")


class Increments:
    """From actions in [-1, 1] to joint targets.

    Attributes:
        largest: (n,) change of a target for the action 1, rad or m.
    """

    def __init__(self, profile: RobotProfile, control_period_s: float, scale: float = 1.0) -> None:
        """Prepare.

        Args:
            profile: robot, of which the velocity limits count.
            control_period_s: duration of a step, s.
            scale: share of the velocity limit that the action 1 stands for.

        Raises:
            ConfigurationError: the share is not above 0 and at most 1.
        """
        if not 0.0 < scale <= 1.0:
            raise ConfigurationError(
                f"increment_scale: expected a number above 0 and at most 1, found {scale}"
            )
        self.largest: FloatArray = scale * profile.velocity_max * control_period_s

    @property
    def space(self) -> spaces.Box:
        """The actions (n,)."""
        return spaces.Box(-1.0, 1.0, self.largest.shape, np.float32)

    def targets(self, command: FloatArray, actions: npt.ArrayLike) -> FloatArray:
        """Joint targets (..., n); actions beyond [-1, 1] are cut.

        Args:
            command: (..., n) joint targets that are being held.
            actions: (..., n) actions.

        Raises:
            CommandError: the actions have another shape.
        """
        wanted = np.asarray(actions, np.float64)
        if wanted.shape != command.shape:
            raise CommandError(f"expected actions {command.shape}, found {wanted.shape}")
        return np.asarray(command + self.largest * np.clip(wanted, -1.0, 1.0))
