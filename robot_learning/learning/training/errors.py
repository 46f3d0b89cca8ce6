"""Errors of training and evaluation."""

from __future__ import annotations

from robot_learning.core.errors import ConfigurationError, RobotLearningError


class TrainingError(RobotLearningError):
    """Training cannot continue: the loss is not finite, memory ran out, or the disk failed."""


class DivergedError(TrainingError):
    """The numbers of a training are not finite; resumed, the run would meet the same ones."""


class RunError(ConfigurationError):
    """A run's folder is missing, damaged, or belongs to another training."""
