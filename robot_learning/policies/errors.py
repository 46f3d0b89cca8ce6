"""Errors about policies and their checkpoints."""

from __future__ import annotations

from robot_learning.core.errors import ConfigurationError, RobotLearningError


class PolicyError(ConfigurationError):
    """A policy's family, configuration or specification is wrong, or they do not fit."""


class CheckpointError(RobotLearningError):
    """A checkpoint is missing, damaged, hostile, of a newer version, or of another family."""
