"""Errors about policies and their checkpoints."""

from __future__ import annotations

from robot_learning.core.errors import ConfigurationError, RobotLearningError


class PolicyError(ConfigurationError):
    """A policy's family, configuration or specification is wrong, or they do not fit."""


class CheckpointError(RobotLearningError):
    """A checkpoint is missing, damaged, hostile, of a newer version, or of another family."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether it says that memory ran out; PyTorch's CPU allocator does so in its text alone."""
    signs = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)
