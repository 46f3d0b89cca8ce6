"""Errors about episodes and datasets."""

from __future__ import annotations

from robot_learning.core.errors import ConfigurationError, RobotLearningError


class EpisodeError(RobotLearningError):
    """An episode file is missing, damaged, hostile, or breaks an invariant of its layout."""


class SchemaVersionError(EpisodeError):
    """The data were written by a newer version of this package than the one that reads them."""


class FileAccessError(EpisodeError):
    """The machine refuses to read or write a file (disk full, no permission): it may be sound."""


class DatasetError(ConfigurationError):
    """A dataset folder is missing, unreadable, or does not fit what is to be recorded in it."""


class DatasetLockedError(DatasetError):
    """Another process writes to this dataset."""


class DiskSpaceError(RobotLearningError):
    """There is too little free disk space to record."""
