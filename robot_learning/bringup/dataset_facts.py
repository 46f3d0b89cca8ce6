"""What starting nodes needs to know of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robot_learning.core.errors import ConfigurationError

INFO_NAME = "dataset.json"


@dataclass(frozen=True, slots=True)
class DatasetFacts:
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


def dataset_facts(folder: str) -> DatasetFacts:
    """Read robot, task, rate and cameras from a dataset's description.

    Raises:
        ConfigurationError: there is no dataset, or it is damaged.
        SchemaVersionError: a newer version wrote it.
    """
    # Imported here, since it imports NumPy, which help texts do without.
    from robot_learning.episodes.format.schema import DatasetInfo

    path = Path(folder).expanduser() / INFO_NAME
    if not path.is_file():
        raise ConfigurationError(f"{folder}: no dataset here: {INFO_NAME} is missing")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        raise ConfigurationError(f"{path}: damaged: {problem}") from problem
    info = DatasetInfo.from_json(text, str(path))
    return DatasetFacts(info.robot, info.task, info.rate_hz, tuple(info.cameras), info.is_lossless)
