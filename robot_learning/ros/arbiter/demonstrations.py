"""Which demonstration is running, and with which noise: the dynamic parameters of the arbiter."""

from __future__ import annotations

from dataclasses import asdict

from robot_learning.control.noise import ActionNoise
from robot_learning.control.state import Demonstration
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.nodes.noise import NoiseSettings
from robot_learning.ros.common.noise import noise_covariance


class Demonstrations:
    """Counts episodes and builds the noise of each; `running` is None outside."""

    def __init__(self, profile: RobotProfile, demonstrating: bool, noise: NoiseSettings) -> None:
        """Begin one where `demonstrating`.

        Raises:
            ConfigurationError: the noise is wrong.
        """
        self._profile = profile
        self._settings = noise
        self._episode = -1
        self.running: Demonstration | None = None
        drawn = self._drawn(noise)
        if demonstrating:
            self._begin(drawn)

    @property
    def is_noisy(self) -> bool:
        """Whether a demonstration with noise is running."""
        return self.running is not None and bool(self.running.noise.factor.any())

    def change(self, demonstrating: bool, noise: NoiseSettings) -> None:
        """Take what has changed; setting `demonstrating` again changes nothing.

        Raises:
            ConfigurationError: the noise is wrong, or a demonstration is running and would have
                to change its noise. Nothing is taken then.
        """
        before, after = asdict(self._settings), asdict(noise)
        changed = sorted(f"noise.{name}" for name in after if before[name] != after[name])
        if changed and self.running is not None and demonstrating:
            text = f"{', '.join(changed)}: noise changes only between episodes"
            raise ConfigurationError(f"{text}; set demonstrating to false first")
        drawn = self._drawn(noise)
        self._settings = noise
        if not demonstrating:
            self.running = None
        elif self.running is None:
            self._begin(drawn)

    def _begin(self, noise: ActionNoise) -> None:
        self._episode += 1
        self.running = Demonstration(self._episode, noise)

    def _drawn(self, noise: NoiseSettings) -> ActionNoise:
        covariance = noise_covariance(self._profile, noise)
        return ActionNoise(covariance, noise.seed, noise.hold_ticks)
