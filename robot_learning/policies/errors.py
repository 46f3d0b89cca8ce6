"""Errors about policies and their checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from robot_learning.core.errors import ConfigurationError, RobotLearningError


class PolicyError(ConfigurationError):
    """A policy's family, configuration or specification is wrong, or they do not fit."""


class CheckpointError(RobotLearningError):
    """A checkpoint is missing, damaged, hostile, of a newer version, or of another family."""


@contextmanager
def memory_errors_as(told: RobotLearningError) -> Iterator[None]:
    """Where memory runs out inside, raise `told` instead, one line that says what helps."""
    try:
        yield
    except (MemoryError, RuntimeError) as problem:
        # PyTorch's CPU allocator says so in its text alone.
        signs = ("out of memory", "not enough memory", "can't allocate memory")
        if not isinstance(problem, MemoryError) and not any(s in str(problem) for s in signs):
            raise
        raise told from problem
