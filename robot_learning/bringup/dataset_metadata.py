"""What starting nodes needs to know of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DatasetMetadata:
    """What starting needs to know of the dataset; the recorder checks the rest.

    Attributes:
        robot: name of the robot's profile.
        task: name of the recorded task.
        rate_hz: rows per second.
        cameras: names of the cameras whose images the dataset holds.
        lossless: whether the images are stored uncompressed.
    """

    robot: str
    task: str
    rate_hz: float = 50.0
    cameras: tuple[str, ...] = ()
    lossless: bool = False


def holds_dataset(folder: str) -> bool:
    """Whether there is a dataset in the folder, sound or not."""
    # Imported here, since it imports NumPy, which help texts do without.
    from robot_learning.episodes.store.folder import INFO_NAME

    return (Path(folder).expanduser() / INFO_NAME).is_file()


def dataset_metadata(folder: str) -> DatasetMetadata:
    """Read robot, task, rate and cameras from a dataset's description.

    Raises:
        ConfigurationError: there is no dataset, or it is damaged.
        SchemaVersionError: a newer version wrote it.
    """
    from robot_learning.episodes.store.folder import DatasetFolder

    info = DatasetFolder(Path(folder).expanduser()).info
    return DatasetMetadata(
        info.robot, info.task, info.rate_hz, tuple(info.cameras), info.is_lossless
    )
