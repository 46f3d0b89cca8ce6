"""The covariance of the noise that a node's parameters describe."""

from __future__ import annotations

from pathlib import Path

from robot_learning.control.noise import (
    isotropic_covariance,
    load_covariance,
    scaled_to_trace,
)
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.nodes.noise import NoiseDescription


def noise_covariance(profile: RobotProfile, noise: NoiseDescription) -> FloatArray:
    """(n, n) covariance of the noise that is described; may be zero.

    Raises:
        ConfigurationError: both a file and a sigma are given, or the file is wrong.
    """
    if noise.covariance and noise.sigma:
        raise ConfigurationError("noise.covariance and noise.sigma: give only one of them")
    if noise.covariance:
        covariance = load_covariance(Path(noise.covariance), profile.joint_names)
    else:
        covariance = isotropic_covariance(profile, noise.sigma)
    return covariance if noise.trace is None else scaled_to_trace(covariance, noise.trace)
