"""Which demonstration is running, and with which noise: the dynamic parameters of the arbiter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robot_learning.control.noise import ActionNoise
from robot_learning.control.state import Demonstration
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.ros.recorder.setup import noise_covariance

_NOISE = "noise."
_DEMONSTRATING = "demonstrating"


class Demonstrations:
    """Counts episodes and builds the noise of each; `running` is None outside."""

    def __init__(self, profile: RobotProfile, parameters: Mapping[str, Any]) -> None:
        self._profile = profile
        self._parameters = dict(parameters)
        self._episode = -1
        self.running: Demonstration | None = None
        noise = self._noise(self._parameters)
        if self._parameters[_DEMONSTRATING]:
            self._begin(noise)

    @property
    def is_noisy(self) -> bool:
        """Whether a demonstration with noise is running."""
        return self.running is not None and bool(self.running.noise.factor.any())

    def change(self, changes: Mapping[str, Any]) -> None:
        """Take changed parameters; setting `demonstrating` again changes nothing.

        Raises:
            ConfigurationError: the noise is wrong, or a demonstration is running and would have
                to change its noise. Nothing is taken then.
        """
        changed = {
            name: value for name, value in changes.items() if self._parameters.get(name) != value
        }
        noisy = sorted(name for name in changed if name.startswith(_NOISE))
        after = {**self._parameters, **changed}
        if noisy and self.running is not None and after[_DEMONSTRATING]:
            text = f"{', '.join(noisy)}: noise changes only between episodes"
            raise ConfigurationError(f"{text}; set {_DEMONSTRATING} to false first")
        noise = self._noise(after)
        self._parameters = after
        if not after[_DEMONSTRATING]:
            self.running = None
        elif self.running is None:
            self._begin(noise)

    def _begin(self, noise: ActionNoise) -> None:
        self._episode += 1
        self.running = Demonstration(self._episode, noise)

    def _noise(self, parameters: Mapping[str, Any]) -> ActionNoise:
        covariance = noise_covariance(self._profile, parameters)
        return ActionNoise(
            covariance, int(parameters["noise.seed"]), int(parameters["noise.hold_ticks"])
        )
